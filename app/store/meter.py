"""The site's meters as the values that the pure rooms take."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.wiring import Conductor
from app.scheduling.feeders import RowKey
from app.scheduling.load_rise import Minute
from app.scheduling.uncontrolled import STALE, STEADY, MeterReading
from app.store.base import UtcDateTime
from app.store.site import SiteReadingRow

LOOK_BACK = STEADY + STALE + timedelta(seconds=5)
MOST_READINGS_COUNT = 500
MOST_SAMPLES_COUNT = 4_000
LAST_COUNT = 2

Stored = Mapping[str, Mapping[str, float]] | None
"""As in `SiteReadingRow.loads`."""

BUILDING_MINUTES = text(
    "SELECT date_trunc('minute', at) AS minute, count(*), min(building_w), max(building_w) FROM site_reading"
    " WHERE site_id = :site_id AND at >= :since_at GROUP BY 1 ORDER BY 1"
)
FEEDER_MINUTES = text(
    "SELECT flow.key, date_trunc('minute', at) AS minute, count(*), min(flow.value::float8), max(flow.value::float8)"
    " FROM site_reading, jsonb_each_text(loads -> :feeder_id) AS flow"
    " WHERE site_id = :site_id AND at >= :since_at GROUP BY 1, 2 ORDER BY 1, 2"
)

FINE_READINGS = text(
    "WITH minute AS (SELECT site_id, date_trunc('minute', at - interval '1 microsecond') AS begins_at,"
    " max(at) AS last_at, avg(pv_w) AS pv_w, avg(building_w) AS building_w, avg(grid_w) AS grid_w FROM site_reading"
    " WHERE at < :fine_at AND at >= :fine_at - interval '2 days' GROUP BY 1, 2 HAVING count(*) > 1),"
    " kept AS (UPDATE site_reading AS row SET pv_w = minute.pv_w, building_w = minute.building_w,"
    " grid_w = minute.grid_w, loads = NULL, totals = NULL FROM minute"
    " WHERE row.site_id = minute.site_id AND row.at = minute.last_at)"
    " DELETE FROM site_reading AS row USING minute"
    " WHERE row.site_id = minute.site_id AND row.at > minute.begins_at AND row.at < minute.last_at"
).bindparams(bindparam("fine_at", type_=UtcDateTime()))
"""Makes one reading a minute of those that have grown older than `fine_at` in the last two days, with their means."""


async def recent_readings(session: AsyncSession, site_id: str, now: datetime) -> list[MeterReading]:
    """Return the readings of the last 45 s, oldest first; where there are fewer than two, the newest two."""
    newest_first = _newest_first(site_id)
    since = newest_first.where(SiteReadingRow.at >= now - LOOK_BACK).limit(MOST_READINGS_COUNT)
    rows = (await session.execute(since)).all()
    if len(rows) < LAST_COUNT:
        rows = (await session.execute(newest_first.limit(LAST_COUNT))).all()
    return [_reading(*row) for row in reversed(rows)]


def _newest_first(site_id: str) -> Select[Any]:
    query = select(
        SiteReadingRow.at,
        SiteReadingRow.received_at,
        SiteReadingRow.pv_w,
        SiteReadingRow.building_w,
        SiteReadingRow.grid_w,
        SiteReadingRow.loads,
        SiteReadingRow.totals,
    )
    return query.where(SiteReadingRow.site_id == site_id).order_by(SiteReadingRow.at.desc())


def _reading(
    at: datetime,
    received_at: datetime,
    pv_w: float,
    building_w: float,
    grid_w: float | None,
    loads: Stored,
    totals: Stored,
) -> MeterReading:
    return MeterReading(at, received_at, pv_w, building_w, grid_w, _by_row(loads), _by_row(totals))


def _by_row(stored: Stored) -> dict[RowKey, float]:
    return {
        (feeder_id, None if unit == "w" else Conductor(unit)): value
        for feeder_id, values in (stored or {}).items()
        for unit, value in values.items()
    }


async def grid_readings(session: AsyncSession, site_id: str, since_at: datetime) -> list[MeterReading]:
    """Return the readings of the meter at the connection since `since_at`, oldest first, without feeders."""
    query = select(
        SiteReadingRow.at,
        SiteReadingRow.received_at,
        SiteReadingRow.pv_w,
        SiteReadingRow.building_w,
        SiteReadingRow.grid_w,
    )
    query = query.where(SiteReadingRow.site_id == site_id, SiteReadingRow.at >= since_at)
    query = query.where(SiteReadingRow.grid_w.is_not(None)).order_by(SiteReadingRow.at).limit(MOST_SAMPLES_COUNT)
    return [MeterReading(*row) for row in await session.execute(query)]


async def building_minutes(session: AsyncSession, site_id: str, since_at: datetime) -> list[Minute]:
    """Return the building's load since `since_at` by the minute, oldest first."""
    rows = await session.execute(BUILDING_MINUTES, {"site_id": site_id, "since_at": since_at})
    return [Minute(at, count, least, most) for at, count, least, most in rows]


async def feeder_minutes(
    session: AsyncSession, site_id: str, feeder_id: str, since_at: datetime
) -> dict[RowKey, list[Minute]]:
    """Return a feeder's uncontrolled loads since `since_at` by row and minute, oldest first."""
    values = {"site_id": site_id, "feeder_id": feeder_id, "since_at": since_at}
    found: dict[RowKey, list[Minute]] = {}
    for unit, at, count, least, most in await session.execute(FEEDER_MINUTES, values):
        key: RowKey = (feeder_id, None if unit == "w" else Conductor(unit))
        found.setdefault(key, []).append(Minute(at, count, least, most))
    return found
