"""Which tests show how a message is handled: those that carry `@pytest.mark.ocpp("1.6", "Heartbeat", …)`."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.sources import python_files

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Mark:
    """One message that one test is marked with; `path` is relative to the project; `action` "": not to be read."""

    version: str
    action: str
    path: str
    line: int
    function: str


def marks_below(root: Path) -> list[Mark]:
    """Return the marks of all tests of the project at `root`, by file and line."""
    found = [
        mark
        for path in python_files("tests", root=root)
        for mark in marks_of(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())
    ]
    return sorted(found, key=lambda mark: (mark.path, mark.line))


def marks_of(text: str, path: str) -> Iterator[Mark]:
    """Yield the marks in a module of tests: on a test, in its parameters, or on the class or module around it."""
    if ".ocpp(" in text:
        tree = ast.parse(text, path)
        yield from _in_body(tree.body, path, _around(tree.body))


def _in_body(body: list[ast.stmt], path: str, around: list[ast.Call]) -> Iterator[Mark]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _in_body(node.body, path, [*around, *_calls(node.decorator_list), *_around(node.body)])
        elif isinstance(node, Function) and node.name.startswith("test_"):
            own = dict.fromkeys(pair for call in (*around, *_calls(node.decorator_list)) for pair in _pairs(call))
            yield from (Mark(version, action, path, node.lineno, node.name) for version, action in own)


def _around(body: list[ast.stmt]) -> list[ast.Call]:
    """Return the marks that stand in `pytestmark`."""
    return [
        call
        for node in body
        if isinstance(node, ast.Assign)
        if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)
        for call in _calls([node.value])
    ]


def _calls(nodes: list[ast.expr]) -> list[ast.Call]:
    walked = [each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Call)]
    return [call for call in walked if isinstance(call.func, ast.Attribute) and call.func.attr == "ocpp"]


def _pairs(call: ast.Call) -> Iterator[tuple[str, str]]:
    words = [each.value if isinstance(each, ast.Constant) else None for each in call.args]
    texts = [word for word in words if isinstance(word, str)]
    if len(texts) != len(words) or len(texts) < 2:  # noqa: PLR2004 - a version and at least one action
        yield texts[0] if texts else "", ""
        return
    yield from ((texts[0], action) for action in texts[1:])
