"""The raw message log of every station: written behind the messages, bounded, read by whoever looks for a fault."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, select

from app.domain.pages import Page, PageAsked
from app.operations import stations
from app.operations.transaction import Tx
from app.store import frame_queries
from app.store.base import stored_text
from app.store.frames import FrameRow

LONGEST_STATION_COUNT, LONGEST_NAME_COUNT = 48, 64
ERROR_KINDS = ("error", "malformed")


class LoggedFrame(NamedTuple):
    """One frame, already without secrets and bounded.

    `direction` is in (from the station) or out; `kind` is call, result, error, malformed or event. `action` of an
    answer is its call's.
    """

    station_id: str
    at: datetime
    direction: str
    kind: str
    action: str
    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class FrameFilter:
    """Which of a station's frames; None: all. `contains` is plain text, in upper or lower case."""

    since_at: datetime | None = None
    until_at: datetime | None = None
    direction: str | None = None
    kind: str | None = None
    action: str | None = None
    message_id: str | None = None
    contains: str | None = None
    errors_only: bool = False


async def record(tx: Tx, frames: Sequence[LoggedFrame]) -> None:
    """Keep frames, in their order."""
    rows = [
        (
            stored_text(frame.station_id, LONGEST_STATION_COUNT),
            frame.at,
            frame.direction,
            frame.kind,
            stored_text(frame.action, LONGEST_NAME_COUNT),
            stored_text(frame.message_id, LONGEST_NAME_COUNT),
            stored_text(frame.text, len(frame.text)),
        )
        for frame in frames
    ]
    await frame_queries.insert_frames(tx.session, rows)


async def trim(tx: Tx, station_ids: Collection[str], keep_count: int) -> None:
    """Keep only the newest frames of these stations."""
    for station_id in sorted(station_ids):
        await frame_queries.trim_frames(tx.session, station_id, keep_count)


async def frames(tx: Tx, station_id: str, wanted: FrameFilter, asked: PageAsked) -> Page[FrameRow]:
    """Return the station's frames, newest first; raises NotFound, Invalid (cursor)."""
    await stations.get(tx, station_id)
    return await frame_queries.frames(tx.session, _query(station_id, wanted), asked)


async def frames_after(
    tx: Tx, station_id: str, wanted: FrameFilter, frame_id: int, most_count: int
) -> Sequence[FrameRow]:
    """Return the station's next frames after one, oldest first."""
    return await frame_queries.frames_after(tx.session, _query(station_id, wanted), frame_id, most_count)


async def last_frame_id(tx: Tx, station_id: str) -> int:
    """Return where following a station's log begins; raises NotFound."""
    await stations.get(tx, station_id)
    return await frame_queries.last_frame_id(tx.session, station_id)


def _query(station_id: str, wanted: FrameFilter) -> Select[FrameRow]:
    query = select(FrameRow).where(FrameRow.station_id == station_id)
    if wanted.since_at is not None:
        query = query.where(FrameRow.at >= wanted.since_at)
    if wanted.until_at is not None:
        query = query.where(FrameRow.at < wanted.until_at)
    if wanted.direction is not None:
        query = query.where(FrameRow.direction == wanted.direction)
    if wanted.kind is not None:
        query = query.where(FrameRow.kind == wanted.kind)
    if wanted.action is not None:
        query = query.where(FrameRow.action == wanted.action)
    if wanted.message_id is not None:
        query = query.where(FrameRow.message_id == wanted.message_id)
    if wanted.contains is not None:
        query = query.where(FrameRow.text.icontains(wanted.contains, autoescape=True))
    if wanted.errors_only:
        query = query.where(FrameRow.kind.in_(ERROR_KINDS))
    return query
