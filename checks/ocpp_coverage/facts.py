"""Which facts a decoder can return: read off its code and that of the central's functions it calls."""

from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, get_args

from app.domain.facts import Fact, ReportKind, StationReported, Suspicious

ROOM = "app.ocpp_central"
FACTS = set(get_args(Fact)) - {Suspicious}


def facts_of(decoder: Callable[..., Any]) -> list[str]:
    """Return the names of the facts, a StationReported with its kind; the quarantine's Suspicious is left out."""
    found: set[str] = set()
    seen: set[FunctionType] = set()
    for function in _reachable(decoder, seen):
        values = list(_values(function))
        kinds = _kinds(function, values)
        found.update(value.__name__ for value in values if value in FACTS and value is not StationReported)
        found.update(f"StationReported ({kind})" for kind in kinds)
    return sorted(found)


def _reachable(function: Any, seen: set[FunctionType]) -> Iterator[FunctionType]:
    if not isinstance(function, FunctionType) or not function.__module__.startswith(ROOM) or function in seen:
        return
    seen.add(function)
    yield function
    for value in list(_values(function)):
        yield from _reachable(value, seen)


def _values(function: FunctionType) -> Iterator[Any]:
    """Yield the classes and functions that a function names, also those of the modules that it names."""
    names = set(_names(function.__code__))
    named = [function.__globals__[name] for name in names if name in function.__globals__]
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    for value in (*named, *cells):
        if isinstance(value, ModuleType) and value.__name__.startswith(ROOM):
            yield from (vars(value)[name] for name in names if isinstance(vars(value).get(name), FunctionType))
        elif isinstance(value, type | FunctionType | ReportKind):
            yield value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _kinds(function: FunctionType, values: list[Any]) -> set[str]:
    """Return the kinds of report that a function names itself, or was made for."""
    kinds = {str(value) for value in values if isinstance(value, ReportKind)}
    if ReportKind in values:
        kinds.update(str(ReportKind[name]) for name in _names(function.__code__) if name in ReportKind.__members__)
    return kinds
