"""How long modules and functions are: the long ones are listed, the far too long ones fail.

A module is best around 120 lines and rarely over 300, a function around 10 and rarely over 40 (docstrings not counted).
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.sources import ROOT, python_files

FOLDERS = ("app", "simulators", "proofs", "checks", "benchmarks")
LONG_MODULE, LONGEST_MODULE = 300, 400
LONG_FUNCTION, LONGEST_FUNCTION = 40, 80


@dataclass(frozen=True, slots=True)
class Long:
    """A module or function over its usual size; `name` is empty for a module."""

    path: Path
    line: int
    name: str
    line_count: int

    @property
    def is_too_long(self) -> bool:
        """Whether it fails the check."""
        return self.line_count > (LONGEST_FUNCTION if self.name else LONGEST_MODULE)

    def __str__(self) -> str:
        what = f"function {self.name}" if self.name else "module"
        verdict = "too long" if self.is_too_long else "long"
        return f"{self.path}:{self.line}: {what} has {self.line_count} lines ({verdict})"


def long_parts(path: Path, text: str) -> Iterator[Long]:
    """Yield the module if it is long, and its long functions in their order."""
    line_count = len(text.splitlines())
    if line_count > LONG_MODULE:
        yield Long(path, 1, "", line_count)
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (count := _body_lines(node)) > LONG_FUNCTION:
            yield Long(path, node.lineno, node.name, count)


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the last statement, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def report(paths: Iterable[Path]) -> int:
    """Print what is long; return 1 if anything is too long."""
    found = [part for path in paths for part in long_parts(path.relative_to(ROOT), path.read_text(encoding="utf-8"))]
    for part in found:
        print(part)
    return 1 if any(part.is_too_long for part in found) else 0


if __name__ == "__main__":
    sys.exit(report(python_files(*FOLDERS)))
