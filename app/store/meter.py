"""The site's meters as the values that the pure rooms take."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.wiring import Conductor
from app.scheduling.feeders import RowKey
from app.scheduling.uncontrolled import STALE, STEADY, MeterReading, Sample
from app.store.site import SiteReadingRow

LOOK_BACK = STEADY + STALE + timedelta(seconds=5)
MOST_READINGS_COUNT = 500
MOST_SAMPLES_COUNT = 4_000
LAST_COUNT = 2

Stored = Mapping[str, Mapping[str, float]] | None
"""As in `SiteReadingRow.loads`."""


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


async def grid_samples(session: AsyncSession, site_id: str, since_at: datetime) -> list[Sample]:
    """Return what was drawn from the grid since `since_at`, as (when heard, W), oldest first."""
    query = select(SiteReadingRow.at, SiteReadingRow.received_at, SiteReadingRow.grid_w)
    query = query.where(SiteReadingRow.site_id == site_id, SiteReadingRow.at >= since_at)
    query = query.where(SiteReadingRow.grid_w.is_not(None)).order_by(SiteReadingRow.at).limit(MOST_SAMPLES_COUNT)
    return sorted((min(at, received_at), grid_w or 0.0) for at, received_at, grid_w in await session.execute(query))
