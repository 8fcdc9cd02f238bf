"""The site meter's readings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.bus.subjects import site_changed, site_limits
from app.domain.errors import Conflict, Invalid
from app.domain.pages import Page, PageAsked
from app.operations import sites
from app.operations.transaction import Tx
from app.store import site_queries
from app.store.base import stored_text
from app.store.electrical import feeders_of
from app.store.site import SiteReadingRow

FUTURE = timedelta(minutes=5)
PAST = timedelta(days=7)
NOTICEABLE_W = 1_000.0
NOTICEABLE_SHARE = 0.05

PerFeeder = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Reading:
    """Means until `at`; see `SiteReadingRow`."""

    at: datetime
    pv_w: float
    building_w: float
    grid_w: float | None = None
    loads: PerFeeder = field(default_factory=dict)
    totals: PerFeeder = field(default_factory=dict)


async def record(tx: Tx, site_id: str, told: Reading) -> tuple[SiteReadingRow, bool]:
    """Store a reading and return it and whether it is new; the same again changes nothing.

    Every new one wakes the limit loop. The planner is woken by the first one of a minute, and where the surplus has
    moved by 1 kW and 5 % of the site's limit since the one before. Raises NotFound, Invalid for an impossible `at` or
    an unknown feeder, Conflict when that instant has another reading.
    """
    site = await sites.get(tx, site_id)
    check_time(told.at, tx.now, "at")
    await _check_feeders(tx, site_id, told)
    row = _row(site_id, told, tx.now)
    if await site_queries.add_reading(tx.session, row):
        tx.ring(site_limits(site_id))
        if _matters(row, await site_queries.other_reading(tx.session, site_id, told.at), site.limit_w):
            tx.ring(site_changed(site_id))
        return row, True
    stored = await site_queries.reading(tx.session, site_id, told.at)
    if stored is None or _said(stored) != _said(row):
        raise Conflict("there is another reading of that instant", field="at")
    return stored, False


def _row(site_id: str, told: Reading, now: datetime) -> SiteReadingRow:
    return SiteReadingRow(
        site_id=site_id,
        at=told.at,
        pv_w=told.pv_w,
        building_w=told.building_w,
        received_at=now,
        grid_w=told.grid_w,
        loads=_plain(told.loads),
        totals=_plain(told.totals),
    )


def _plain(told: PerFeeder) -> dict[str, Any] | None:
    return {feeder_id: dict(values) for feeder_id, values in told.items()} or None


def _said(row: SiteReadingRow) -> tuple[Any, ...]:
    return row.pv_w, row.building_w, row.grid_w, row.loads, row.totals


def _matters(row: SiteReadingRow, before: SiteReadingRow | None, limit_w: float) -> bool:
    """Whether the planner should look at a new reading; one that comes after newer ones is not news."""
    if before is None:
        return True
    if before.at > row.at:
        return False
    moved_w = abs((row.pv_w - row.building_w) - (before.pv_w - before.building_w))
    is_step = moved_w > max(NOTICEABLE_W, NOTICEABLE_SHARE * limit_w)
    return is_step or before.at.replace(second=0, microsecond=0) != row.at.replace(second=0, microsecond=0)


async def _check_feeders(tx: Tx, site_id: str, told: Reading) -> None:
    if not (told.loads or told.totals):
        return
    known = {feeder.feeder_id for feeder in await feeders_of(tx.session, site_id)}
    for name, values in (("loads", told.loads), ("totals", told.totals)):
        for feeder_id in values:
            if feeder_id not in known:
                raise Invalid("there is no such feeder", field=f"{name}.{feeder_id}")


async def note_refused(tx: Tx, site_id: str, reason: str) -> None:
    """Keep that a reading was refused, so that the meter's health knows at once; no such site: nothing to keep."""
    if stored_text(site_id, len(site_id)) != site_id:
        return  # no id that a site can have
    if await site_queries.note_refused(tx.session, site_id, tx.now, stored_text(reason, 200)):
        tx.ring(site_limits(site_id))


def check_time(at: datetime, now: datetime, field: str) -> None:
    """Raise Invalid, naming the field, for an instant that no meter or forecast can mean now."""
    if at > now + FUTURE:
        raise Invalid("lies more than 5 minutes in the future", field=field)
    if at < now - PAST:
        raise Invalid("lies more than 7 days in the past", field=field)


async def readings(
    tx: Tx, site_id: str, from_at: datetime | None, until_at: datetime | None, asked: PageAsked
) -> Page[SiteReadingRow]:
    """Return the site's readings in `[from_at, until_at)`, oldest first; raises NotFound."""
    await sites.get(tx, site_id)
    return await site_queries.readings(tx.session, site_id, from_at, until_at, asked)
