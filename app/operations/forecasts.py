"""Forecasts of PV power and building load, issued by whoever forecasts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.bus.subjects import site_changed
from app.domain.errors import Invalid, NotFound
from app.operations import sites
from app.operations.readings import check_time
from app.operations.transaction import Tx
from app.store import site_queries
from app.store.site import ForecastRow

LONGEST = timedelta(days=4)
STEPS = frozenset(timedelta(minutes=count) for count in (5, 15, 30, 60))
START = timedelta(days=7)


async def record(
    tx: Tx,
    site_id: str,
    *,
    source: str,
    issued_at: datetime,
    starts_at: datetime,
    step: timedelta,
    pv_w: Sequence[float],
    building_w: Sequence[float],
) -> ForecastRow:
    """Store a forecast: mean powers in W of the steps from `starts_at`; raises NotFound, Invalid naming the field."""
    await sites.get(tx, site_id)
    check_time(issued_at, tx.now, "issued_at")
    if abs(starts_at - tx.now) > START:
        raise Invalid("is more than 7 days away", field="starts_at")
    if step not in STEPS:
        raise Invalid("must be 5, 15, 30 or 60", field="step_minutes")
    if len(pv_w) != len(building_w):
        raise Invalid(f"has {len(building_w)} values, pv_kw has {len(pv_w)}", field="building_kw")
    if len(pv_w) * step > LONGEST:
        raise Invalid("covers more than 4 days", field="pv_kw")
    row = ForecastRow(
        site_id=site_id,
        source=source,
        issued_at=issued_at,
        received_at=tx.now,
        starts_at=starts_at,
        step=step,
        pv_w=list(pv_w),
        building_w=list(building_w),
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.ring(site_changed(site_id))
    return row


async def newest(tx: Tx, site_id: str) -> ForecastRow:
    """Return the forecast issued last; raises NotFound."""
    await sites.get(tx, site_id)
    row = await site_queries.newest_forecast(tx.session, site_id)
    if row is None:
        raise NotFound("the site has no forecast yet")
    return row
