"""Who commanded what: written before a command leaves and completed after it; secrets are left out, cards masked."""

from collections.abc import Mapping
from typing import Any

import orjson

from app.domain.commands import Accepted, Command, Outcome, Rejected, Unsupported
from app.domain.errors import NotFound
from app.domain.identity import Principal
from app.domain.pages import Page, PageAsked
from app.domain.raw import RawReply
from app.domain.redaction import without_secrets
from app.operations.hearing import clean
from app.operations.transaction import Tx
from app.store import station_queries, upkeep_queries
from app.store.base import stored_text
from app.store.upkeep import CommandRow

LONGEST_PAYLOAD_BYTES = 16_000
LONGEST_NAME_COUNT = 64
SERVED, REFUSED = "answered", "refused"
GATE_CODE = "command_refused"


async def asked(
    tx: Tx, station_id: str, by: Principal, name: str, payload: Mapping[str, Any], *, is_raw: bool = False
) -> int:
    """Write that somebody asks a station for something and return the entry's number; raises NotFound."""
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
    row = CommandRow(
        station_id=station_id,
        asked_at=tx.now,
        asked_by=by.name,
        role=by.role.value,
        name=stored_text(name, LONGEST_NAME_COUNT),
        is_raw=is_raw,
        payload=kept(payload),
    )
    tx.session.add(row)
    await tx.session.flush()
    return row.command_id


async def ended(tx: Tx, command_id: int, result: Outcome | RawReply | str) -> None:
    """Complete an entry with the station's answer, or with the code of the error that came instead."""
    row = await tx.session.get(CommandRow, command_id, populate_existing=True)
    if row is None:
        return
    row.outcome, row.answer = _told(result)
    row.ended_at = tx.now


def _told(result: Outcome | RawReply | str) -> tuple[str, Any]:
    match result:
        case Accepted(detail):
            return "accepted", kept(detail)
        case Rejected(reason):
            return "rejected", kept({"reason": reason})
        case Unsupported(reason):
            return "unsupported", kept({"reason": reason})
        case RawReply(payload):
            return SERVED, kept(payload)
        case str(code):
            return (REFUSED if code == GATE_CODE else code), None


def kept(payload: Mapping[str, Any]) -> Any:
    """Return what is kept of a payload: no secret, no card, at most 16 kB."""
    shown = clean(without_secrets(dict(payload)))
    size_bytes = len(orjson.dumps(shown))
    return shown if size_bytes <= LONGEST_PAYLOAD_BYTES else {"left_out": f"{size_bytes} bytes"}


def payload_of(command: Command) -> dict[str, Any]:
    """Return a command's content as JSON, without what is not set."""
    content: dict[str, Any] = orjson.loads(orjson.dumps(command))
    return {name: value for name, value in content.items() if value is not None}


async def commands(tx: Tx, station_id: str, name: str | None, outcome: str | None, page: PageAsked) -> Page[CommandRow]:
    """Return what a station was commanded, newest first; raises NotFound."""
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
    return await upkeep_queries.commands(tx.session, station_id, name, outcome, page)
