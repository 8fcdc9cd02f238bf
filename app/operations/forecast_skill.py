"""How good a site's stored forecasts were, beside persistence computed from what was known at their issue."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.errors import Invalid
from app.operations import sites
from app.operations.forecasting import clear_sky_of, panels_of
from app.operations.transaction import Tx
from app.scheduling.forecasting.envelope import BEHIND_DAYS_COUNT, DAYS_COUNT
from app.scheduling.forecasting.series import series_of, slot_number, slot_start
from app.scheduling.forecasting.skill import LEADS, Skill, Told, skills
from app.store import forecast_queries
from app.store.site import ForecastRow

LONGEST = timedelta(days=31)
DAY = timedelta(days=1)
BEFORE = timedelta(days=2 * DAYS_COUNT + BEHIND_DAYS_COUNT + 1)
MOST_FORECASTS_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class SkillReport:
    """The skill over forecasts issued in [from_at, until_at); `capacity_w` is what errors are shares of."""

    from_at: datetime
    until_at: datetime
    capacity_w: float
    forecasts_count: int
    items: tuple[Skill, ...]


async def skill(tx: Tx, site_id: str, from_at: datetime | None, until_at: datetime | None) -> SkillReport:
    """Return the skill of what was issued in the window (without one: the last 7 days); raises NotFound, Invalid.

    Where more than 10,000 forecasts were issued, the newest are looked at.
    """
    site = await sites.get(tx, site_id)
    until_at = min(until_at or tx.now, tx.now)
    from_at = until_at - 7 * DAY if from_at is None else from_at
    if not timedelta(0) < until_at - from_at <= LONGEST:
        raise Invalid("must lie before `to`, by at most 31 days", field="from")
    rows = await forecast_queries.forecasts_issued(tx.session, site_id, from_at, until_at, MOST_FORECASTS_COUNT)
    means = await forecast_queries.slot_means(
        tx.session, site_id, slot_start(slot_number(from_at - BEFORE)), slot_start(slot_number(tx.now))
    )
    pv = series_of((slot, pv_w) for slot, pv_w, _ in means)
    capacity_w = site.pv_peak_w or pv.highest_w()
    if not rows or capacity_w <= 0:
        return SkillReport(from_at, until_at, capacity_w, len(rows), ())
    told = [each for row in rows for each in told_by(row)]
    clear = await asyncio.to_thread(clear_sky_of, pv, panels_of(site), slot_number(until_at) + max(LEADS))
    found = await asyncio.to_thread(skills, told, pv, clear, capacity_w)
    return SkillReport(from_at, until_at, capacity_w, len(rows), found)


def told_by(row: ForecastRow) -> list[Told]:
    """Return what a forecast said at each lead that it reaches, from the first slot that began with or after it."""
    issue = slot_number(row.issued_at)
    name = row.source if row.method == "pushed" else f"{row.source} {row.method}"
    found = []
    for lead in LEADS:
        middle_at = slot_start(issue + lead - 1) + (slot_start(1) - slot_start(0)) / 2
        place = (middle_at - row.starts_at) // row.step
        if 0 <= place < len(row.pv_w):
            bands = [None if band is None else band[place] for band in (row.pv_p10_w, row.pv_p90_w)]
            found.append(Told(name, issue, lead, row.pv_w[place], *bands))
    return found
