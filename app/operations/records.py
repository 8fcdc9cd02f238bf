"""Plans and what they were made from, written down so that every plan can be made again bit by bit.

Types say how a value is written: a new field of a snapshot needs no line here. Floats are written with as many digits
as tell them apart, instants and spans in ISO 8601. Records of earlier versions (spans in seconds, fields missing that
came later) are read as well.
"""

import ast
import hashlib
import importlib.util
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import TypeAdapter

from app.domain.plan import ChargingPlan
from app.domain.snapshot import SiteSnapshot

PLANNER = "app.scheduling.planner"
RECKONERS = ("numpy", "ortools")
DIGITS_COUNT = 12
ZIP_LEVEL = 3
LARGEST_RECORD_BYTES = 256 * 1024 * 1024

_SNAPSHOT = TypeAdapter(SiteSnapshot)
_PLAN = TypeAdapter(ChargingPlan)


def snapshot_json(snapshot: SiteSnapshot) -> bytes:
    """Return a snapshot as JSON that `read_snapshot_json` gives back exactly; its numbers have to be finite."""
    return _SNAPSHOT.dump_json(snapshot)


def read_snapshot_json(text: str | bytes) -> SiteSnapshot:
    """Return the snapshot that was written; raises ValueError."""
    return _SNAPSHOT.validate_json(text)


def plan_json(made: ChargingPlan) -> bytes:
    """Return a plan as JSON that `read_plan_json` gives back exactly."""
    return _PLAN.dump_json(made)


def read_plan_json(text: str | bytes) -> ChargingPlan:
    """Return the plan that was written; raises ValueError."""
    return _PLAN.validate_json(text)


def packed(text: bytes) -> bytes:
    """Return a record compressed: what was learnt of 1,000 cars' stays is megabytes otherwise."""
    return zlib.compress(text, ZIP_LEVEL)


def unpacked(body: bytes, most_bytes: int = LARGEST_RECORD_BYTES) -> bytes:
    """Return a compressed record; raises ValueError where it is none, or larger than `most_bytes`."""
    inflating = zlib.decompressobj()
    try:
        text = inflating.decompress(body, most_bytes)
    except zlib.error as broken:
        raise ValueError("the record is damaged") from broken
    if not inflating.eof:
        raise ValueError("the record is damaged, or larger than any of ours")
    return text


@cache
def planner_name() -> str:
    """Return what names the code that plans here: its version, and a hash of its source and of the libraries it uses.

    Two programs with the same name make the same plan of the same snapshot (on the same kind of machine).
    """
    return name_of(_sources(PLANNER))


def name_of(sources: Mapping[str, Path]) -> str:
    """Return the name of a planner that is made of these modules."""
    digest = hashlib.sha256()
    for name, path in sorted(sources.items()):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    for library in RECKONERS:
        digest.update(f"{library} {version(library)}\0".encode())
    return f"{_version()} {digest.hexdigest()[:DIGITS_COUNT]}"


def _version() -> str:
    try:
        return version("sunslot")
    except PackageNotFoundError:
        return "0"


def _sources(root: str) -> dict[str, Path]:
    """Return the files of a module and of everything of ours that it imports, by the modules' names."""
    found: dict[str, Path] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        spec = None if name in found else importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        found[name] = Path(spec.origin)
        for node in ast.walk(ast.parse(found[name].read_bytes())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app."):
                waiting += [str(node.module), *_modules_among(node)]
    return found


def _modules_among(node: ast.ImportFrom) -> list[str]:
    """Return those of the imported names that are modules themselves."""
    names = [f"{node.module}.{each.name}" for each in node.names]
    package = importlib.util.find_spec(str(node.module))
    is_package = package is not None and package.submodule_search_locations is not None
    return [name for name in names if is_package and importlib.util.find_spec(name) is not None]
