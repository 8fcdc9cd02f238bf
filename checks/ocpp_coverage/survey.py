"""What there is to say about every message and command, and what is wrong with it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, get_args

from app.domain.commands import Command
from app.domain.facts import StationSeen
from app.ocpp_central.dialect import Dialect, Handler, Spelling
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v16 import handlers as handlers_16
from app.ocpp_central.v16 import spellings as spellings_16
from app.ocpp_central.v201 import Ocpp201
from app.ocpp_central.v201 import handlers as handlers_201
from app.ocpp_central.v201 import spellings as spellings_201
from checks.ocpp_coverage.blocks import BLOCKS_16, BLOCKS_201, Block
from checks.ocpp_coverage.facts import facts_of
from checks.ocpp_coverage.marks import Mark
from checks.ocpp_coverage.probe import raw_class

Commands = Mapping[type[Command], Spelling]


@dataclass(frozen=True, slots=True)
class Version:
    """One OCPP version: its tables, and where its schemas are."""

    name: str
    package: str
    request_suffix: str
    dialect: Dialect
    handlers: Mapping[str, Handler]
    spellings: Commands
    absent: Mapping[type[Command], str]
    blocks: Mapping[str, Block]

    def schemas(self) -> dict[str, Any]:
        """Return the schema of every request by its action."""
        found = {each.name.removesuffix(".json"): each for each in (files(self.package) / "schemas").iterdir()}
        requests = {name: each for name, each in found.items() if name.endswith(self.request_suffix)}
        return {
            name.removesuffix(self.request_suffix): json.loads(each.read_text(encoding="utf-8-sig"))
            for name, each in sorted(requests.items())
            if not name.endswith("Response")
        }


VERSIONS = (
    Version(
        "1.6",
        "ocpp.v16",
        "",
        Ocpp16(),
        handlers_16.HANDLERS,
        spellings_16.SPELLINGS,
        spellings_16.ABSENT,
        BLOCKS_16,
    ),
    Version(
        "2.0.1",
        "ocpp.v201",
        "Request",
        Ocpp201(),
        handlers_201.HANDLERS,
        spellings_201.SPELLINGS,
        spellings_201.ABSENT,
        BLOCKS_201,
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One message in one direction. `handling` is empty where nobody handles it, `raw` where the raw door does not."""

    version: str
    action: str
    block: str
    is_from_station: bool
    handling: str
    note: str
    raw: str
    tests: tuple[Mark, ...]


def rows_of(version: Version, marks: list[Mark]) -> list[Row]:
    """Return every message of a version, first the station's, by action."""
    schemas = version.schemas()
    found = []
    for block, directions in version.blocks.items():
        for is_from_station, actions in zip((True, False), directions, strict=True):
            for action in actions:
                tests = tuple(each for each in marks if (each.version, each.action) == (version.name, action))
                of = _heard if is_from_station else partial(_said, schema=schemas.get(action, {}))
                handling, note, raw = of(version, action)
                found.append(Row(version.name, action, block, is_from_station, handling, note, raw, tests))
    return sorted(found, key=lambda row: (not row.is_from_station, row.action))


def _heard(version: Version, action: str) -> tuple[str, str, str]:
    handler = version.handlers.get(action)
    if handler is None:
        return "", "", ""
    facts = facts_of(handler.decode)
    is_answered_only = facts == [StationSeen.__name__] and bool(handler.note)
    return ("answered only" if is_answered_only else ", ".join(facts)), handler.note, ""


def _said(version: Version, action: str, schema: dict[str, Any]) -> tuple[str, str, str]:
    saying = {command.__name__: each.note for command, each in version.spellings.items() if action in each.actions}
    raw = raw_class(partial(version.dialect.classify, action), schema)
    handling = ", ".join(sorted(saying)) or ("raw door" if raw else "")
    return handling, "; ".join(sorted({note for note in saying.values() if note})), raw


def commands() -> list[type[Command]]:
    """Return every command by its name."""
    return sorted(get_args(Command), key=lambda command: str(command.__name__))


def problems(versions: Sequence[Version], rows: list[Row], marks: list[Mark]) -> list[str]:
    """Return what is wrong, in one line each."""
    found = []
    for version in versions:
        own = [row for row in rows if row.version == version.name]
        known = {row.action for row in own}
        schemas = set(version.schemas())
        found += [f"OCPP {version.name} {action}: is in no block" for action in sorted(schemas - known)]
        found += [f"OCPP {version.name} {action}: there is no such message" for action in sorted(known - schemas)]
        for row in own:
            sender = "from" if row.is_from_station else "to"
            where = f"OCPP {version.name} {row.action} ({sender} the station)"
            if not row.handling:
                found.append(f"{where}: is not handled")
            elif not row.is_from_station and not row.raw:
                found.append(f"{where}: the raw door has not classified it")
            if not row.tests:
                found.append(f'{where}: no test carries @pytest.mark.ocpp("{version.name}", "{row.action}")')
        found += _unspoken(version)
    return found + _bad_marks(rows, marks)


def _unspoken(version: Version) -> list[str]:
    every = set(commands())
    spelled, absent = set(version.spellings), set(version.absent)
    wrong = (every - spelled - absent) | (spelled & absent)
    return [
        f"OCPP {version.name} {each.__name__}: must be either spelled or absent"
        for each in sorted(wrong, key=lambda command: command.__name__)
    ]


def _bad_marks(rows: list[Row], marks: list[Mark]) -> list[str]:
    known = {(row.version, row.action) for row in rows}
    return [
        f"{mark.path}:{mark.line}: the mark of {mark.function} names no message: {mark.version} {mark.action}"
        for mark in marks
        if (mark.version, mark.action) not in known
    ]
