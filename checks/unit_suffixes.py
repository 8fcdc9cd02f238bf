"""Every name that carries a number names its unit: an AST check of the house rule.

- A field, parameter or module constant that is a float (alone, optional, mapped, or many of them), and a function that
  returns one, ends in a unit (`_w`, `_wh`, `_wh_per_km`, …) or in a word for a number without one (`_share`, …). A name
  may go on after that: `power_w_by_step`, `surplus_w_at`, `kw_from_w`.
- A whole number needs one too when its name speaks of a quantity (`timeout_s: int`).
- A parameter that may be anything, in a converter or validator, is called `value`.
- An instant ends in `_at`; a timedelta carries its own unit, so its name must not.
- Inside the house power is in W and energy in Wh; the API's models speak kW and kWh.

`unit_rules` holds the words and the excused names.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from checks.sources import ROOT, python_files
from checks.unit_rules import DIMENSIONLESS, EXCUSED, INSTANTS, QUANTITIES, UNITS

FOLDERS = ("app", "simulators", "proofs")
WRAPPERS = {"Mapped", "Annotated", "Optional", "Final", "ClassVar"}
MANY = {"tuple", "list", "set", "frozenset", "deque", "Sequence", "Iterable", "Iterator", "Collection"}
MANY |= {"MutableSequence", "NDArray", "ndarray"}
BY_KEY = {"dict", "Mapping", "MutableMapping", "defaultdict"}
CONNECTORS = {"of", "by", "at", "in", "for", "from"}
INSIDE = ("app/domain/", "app/scheduling/", "app/store/", "app/operations/", "app/ocpp_central/")
CONVERSIONS = "app/domain/units.py"


class Kind(Enum):
    """What an annotation says a name carries."""

    NUMBER = "number"
    WHOLE = "whole number"
    INSTANT = "datetime"
    SPAN = "timedelta"


SCALARS = {
    "float": Kind.NUMBER,
    "float64": Kind.NUMBER,
    "ndarray": Kind.NUMBER,
    "int": Kind.WHOLE,
    "datetime": Kind.INSTANT,
    "timedelta": Kind.SPAN,
}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A name that breaks the rule."""

    path: str
    line: int
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Named:
    """A name and the kind of value that it carries; `holder` is the class whose field it is, or empty."""

    name: str
    line: int
    kind: Kind
    holder: str = ""


def kind_of(annotation: ast.expr | None) -> Kind | None:
    """Return what an annotation carries, None if it is none of ours. Mixed tuples and mixed unions are none."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return kind_of(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.BinOp):
        kinds = {kind_of(side) for side in (annotation.left, annotation.right) if not _is_none(side)}
        return Kind.NUMBER if kinds == {Kind.NUMBER, Kind.WHOLE} else kinds.pop() if len(kinds) == 1 else None
    if isinstance(annotation, ast.Subscript):
        return _kind_inside(_last_name(annotation.value), annotation.slice)
    return SCALARS.get(_last_name(annotation))


def _kind_inside(outer: str, inner: ast.expr) -> Kind | None:
    parts = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
    if outer in WRAPPERS:
        return kind_of(parts[0])
    if outer == "tuple" and not (isinstance(parts[-1], ast.Constant) and parts[-1].value is Ellipsis):
        return None
    if outer in MANY | BY_KEY:
        return _number_only(parts[0 if outer in MANY else -1])
    return None


def _number_only(annotation: ast.expr) -> Kind | None:
    """Many instants or whole numbers have a plural or an index for a name: only floats are asked for their unit."""
    return Kind.NUMBER if kind_of(annotation) is Kind.NUMBER else None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _last_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def names(tree: ast.Module) -> Iterator[Named]:
    """Yield every module constant, field, parameter and function of a module that carries one of our kinds."""
    for statement in tree.body:
        yield from _assigned(statement)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                yield from (Named(each.name, each.line, each.kind, node.name) for each in _assigned(statement))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_function(node)


def _assigned(node: ast.stmt) -> Iterator[Named]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and (kind := kind_of(node.annotation)):
        yield Named(node.target.id, node.lineno, kind)
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and type(node.value.value) is float:
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield Named(target.id, node.lineno, Kind.NUMBER)


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Named]:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    for argument in every:
        if argument is not None and (kind := kind_of(argument.annotation)):
            yield Named(argument.arg, argument.lineno, kind)
    is_magic = node.name.startswith("__")
    if kind_of(node.returns) is Kind.NUMBER and not is_magic and not _is_many(node.returns):
        yield Named(node.name, node.lineno, Kind.NUMBER)


def _is_many(annotation: ast.expr | None) -> bool:
    """Many numbers are what an act returns (`round_targets`): its name is a verb, and the docstring says the unit."""
    if isinstance(annotation, ast.BinOp):
        return _is_many(annotation.left) or _is_many(annotation.right)
    return _last_name(annotation.value if isinstance(annotation, ast.Subscript) else annotation) in MANY | BY_KEY


def has_unit(name: str) -> bool:
    """Whether a name ends in a unit or in a word for none: as a whole, or before its first `_of_`, `_by_`, `_from_`."""
    words = _words(name)
    ends = [index for index, word in enumerate(words) if word in CONNECTORS and index > 0]
    parts = [words[: ends[0]], *([] if "from" in words else [words])] if ends else [words]
    return len(name.strip("_")) > 1 and any(part[-1] in UNITS | DIMENSIONLESS for part in parts)


def _words(name: str) -> list[str]:
    return name.lower().strip("_").split("_")


def reason_against(path: str, named: Named) -> str:
    """Return why a name breaks the rule, an empty string if it does not."""
    words = _words(named.name)
    if words == ["value"] and not named.holder:
        return ""
    match named.kind:
        case Kind.NUMBER if not has_unit(named.name):
            return "a number without a unit in its name"
        case Kind.WHOLE if QUANTITIES.intersection(words) and not (has_unit(named.name) or _is_number_of(words)):
            return "a quantity without a unit in its name"
        case Kind.INSTANT if words[-1] not in INSTANTS:
            return "an instant whose name does not end in _at"
        case Kind.SPAN if words[-1] in UNITS and len(words) > 1:
            return "a timedelta carries its own unit"
        case Kind.NUMBER | Kind.WHOLE:
            return _wrong_side(path, named, words)
    return ""


def _is_number_of(words: list[str]) -> bool:
    return words[-1] in {"no", "id", "index", "number"}


def _wrong_side(path: str, named: Named, words: list[str]) -> str:
    is_compound = "per" in words
    if is_compound or path == CONVERSIONS:
        return ""
    if path.startswith(INSIDE) and words[-1] in {"kw", "kwh"}:
        return "inside the house power is in W and energy in Wh"
    if path.startswith("app/api/") and named.holder.endswith(("In", "Out")) and words[-1] in {"w", "wh"}:
        return "the API speaks kW and kWh"
    return ""


def is_excused(path: str, name: str) -> bool:
    """Whether `unit_rules` names a reason why this name may stand without a unit."""
    return any((place, name) in EXCUSED for place in _places(path))


def _places(path: str) -> list[str]:
    return [path, *(f"{parent}/" for parent in Path(path).parents)]


def problems(path: str, text: str) -> list[Problem]:
    """Return the problems of one file; `path` is relative to the project, with forward slashes."""
    found = {
        Problem(path, named.line, named.name, reason)
        for named in names(ast.parse(text, path))
        if (reason := reason_against(path, named)) and not is_excused(path, named.name)
    }
    return sorted(found)


def unused_excuses(files: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the excused names that would not be a problem (any more) in these (path, text) files."""
    needed = {
        (place, named.name)
        for path, text in files
        for named in names(ast.parse(text, path))
        if reason_against(path, named)
        for place in _places(path)
    }
    return sorted(EXCUSED.keys() - needed)


def main() -> int:
    """Check the project; print one line per problem, and return 1 if there are any."""
    files = [(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in python_files(*FOLDERS)]
    found = [problem for path, text in files for problem in problems(path, text)]
    for problem in found:
        print(problem)
    unused = unused_excuses(files)
    for path, name in unused:
        print(f"checks/unit_rules.py: {name} in {path} is excused without need")
    return 1 if found or unused else 0


if __name__ == "__main__":
    sys.exit(main())
