"""What is learnt of a site's stays: when that is due, how it is kept, and where whoever plans finds it at hand.

In three steps, so that no transaction is open while something is learnt: `look`, `told` (pure, in a thread), `keep`.
Where somebody is forgotten what was learnt is replaced by nothing in the same transaction; what was looked at before
that is thrown away.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import structlog

from app.domain.stays import PastStay
from app.operations import sites
from app.operations.stays import FORGOTTEN, KEEP
from app.operations.transaction import Tx
from app.scheduling.staying.learner import learn
from app.scheduling.staying.learnt import METHOD, MOST_KEPT_COUNT, LearntStays
from app.store import stay_queries
from app.store.stay_queries import LearntNote
from app.store.stays import LearntStaysRow

log = structlog.get_logger()

NIGHT_HOUR = 3
LEAST_FRESH_COUNT = 10
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)

_AT_HAND: dict[str, tuple[UUID, LearntStays | None]] = {}  # by site: what was read last, good while its id is the row's


@dataclass(frozen=True, slots=True)
class Lesson:
    """What there is to learn from, as rows (driver_id, arrived_at, left_at, declared_at, asked_wh, taken_wh).

    `instead_of` is what was learnt before (None: nothing yet).
    """

    site_id: str
    zone: str
    until_at: datetime
    instead_of: UUID | None
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt, and as it is stored."""

    stays: LearntStays
    body: bytes = field(repr=False)


async def at_hand(tx: Tx, site_id: str) -> LearntStays | None:
    """Return what was learnt of the site's stays; None where nothing is, or cannot be read. One short query mostly."""
    return await _read(tx, site_id, await stay_queries.learnt_note(tx.session, site_id))


async def _read(tx: Tx, site_id: str, note: LearntNote | None) -> LearntStays | None:
    """Return the learnt state that `note` names, and let any other of the site go."""
    if note is None or note.method != METHOD:
        _AT_HAND.pop(site_id, None)
        return None
    known = _AT_HAND.get(site_id)
    if known is None or known[0] != note.learnt_id:
        body = await stay_queries.learnt_body(tx.session, note.learnt_id)
        known = note.learnt_id, None if body is None else await asyncio.to_thread(_from_bytes, site_id, body)
        _AT_HAND[site_id] = known
    return known[1]


def _from_bytes(site_id: str, body: bytes) -> LearntStays | None:
    try:
        return LearntStays.from_bytes(body)
    except ValueError as broken:
        log.warning("learnt_stays_unreadable", site_id=site_id, detail=str(broken)[:300])
        return None


async def look(tx: Tx, site_id: str) -> Lesson | None:
    """Return what is to be learnt now; None where nothing is due. Raises NotFound.

    Due is the first night's hour (3:00 in the site's zone) after it was learnt last, and whenever as many stays as it
    was learnt from (at least 10) have ended since, or nothing is learnt and there are stays.
    """
    site = await sites.get(tx, site_id)
    note = await stay_queries.learnt_note(tx.session, site_id)
    is_learnt = await _read(tx, site_id, note) is not None
    if note is not None and is_learnt:
        fresh_count = await stay_queries.count_stays(tx.session, site_id, note.learnt_at)
        if not is_due(note, fresh_count, ZoneInfo(site.zone), tx.now):
            return None
    rows = await stay_queries.stays_of_site(tx.session, site_id, tx.now - KEEP, tx.now, MOST_KEPT_COUNT)
    if not rows and not is_learnt:
        return None
    return Lesson(site_id, site.zone, tx.now, None if note is None else note.learnt_id, tuple(rows))


def is_due(note: LearntNote, fresh_count: int, zone: ZoneInfo, now: datetime) -> bool:
    """Return whether what was learnt is to be learnt anew, after so many stays more."""
    local = now.astimezone(zone)
    night_at = local.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    if night_at > local:
        night_at -= timedelta(days=1)
    return note.learnt_at < night_at or fresh_count >= max(LEAST_FRESH_COUNT, note.stays_count)


def told(lesson: Lesson) -> Learnt | None:
    """Return what is learnt: seconds of work, for a thread. None without stays, or where its library is missing."""
    if not lesson.rows:
        return None
    seen = [PastStay(None if row[0] is None else str(row[0]), *row[1:]) for row in lesson.rows]
    try:
        stays = learn(seen, ZoneInfo(lesson.zone), lesson.until_at)
    except (ImportError, OSError) as broken:
        log.warning("stays_not_learnt", site_id=lesson.site_id, detail=str(broken)[:300])
        return None
    return Learnt(stays, stays.to_bytes())


async def keep(tx: Tx, lesson: Lesson, learnt: Learnt | None) -> bool:
    """Store what was learnt (None: that nothing is); return whether nothing came between since `look`."""
    row = LearntStaysRow(
        site_id=lesson.site_id,
        learnt_id=uuid4(),
        learnt_at=lesson.until_at,
        method=FORGOTTEN if learnt is None else METHOD,
        stays_count=0 if learnt is None else learnt.stays.stays_count,
        body=b"" if learnt is None else learnt.body,
    )
    if not await stay_queries.write_learnt(tx.session, row, lesson.instead_of):
        return False
    _AT_HAND[lesson.site_id] = row.learnt_id, None if learnt is None else learnt.stays
    return True
