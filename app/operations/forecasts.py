"""Forecasts of PV power and building load, issued by whoever forecasts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.bus.subjects import site_changed
from app.domain.errors import Invalid, NotFound
from app.operations import sites
from app.operations.readings import check_time
from app.operations.transaction import Tx
from app.sources.forecast_csv import read_forecast
from app.store import site_queries
from app.store.site import ForecastRow

LONGEST = timedelta(days=4)
STEPS = frozenset(timedelta(minutes=count) for count in (5, 15, 30, 60))
START = timedelta(days=7)
OUR_SOURCE = "sunslot"


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
    pv_p10_w: Sequence[float] | None = None,
    pv_p90_w: Sequence[float] | None = None,
    method: str = "pushed",
) -> ForecastRow:
    """Store a forecast: mean powers in W of the steps from `starts_at`; raises NotFound, Invalid naming the field.

    The band (P10, P90) is given whole or not at all, and holds `pv_w` (P50).
    """
    await sites.get(tx, site_id)
    check_time(issued_at, tx.now, "issued_at")
    if abs(starts_at - tx.now) > START:
        raise Invalid("is more than 7 days away", field="starts_at")
    if step not in STEPS:
        raise Invalid("must be 5, 15, 30 or 60", field="step_minutes")
    if len(pv_w) != len(building_w):
        raise Invalid(f"has {len(building_w)} values, pv_kw has {len(pv_w)}", field="building_kw")
    _check_band(pv_w, pv_p10_w, pv_p90_w)
    if source == OUR_SOURCE:
        raise Invalid(f"must not be {OUR_SOURCE}, which is our own forecasts' name", field="source")
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
        pv_p10_w=None if pv_p10_w is None else list(pv_p10_w),
        pv_p90_w=None if pv_p90_w is None else list(pv_p90_w),
        method=method,
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.ring(site_changed(site_id))
    return row


async def record_csv(tx: Tx, site_id: str, *, source: str, issued_at: datetime, text: str) -> ForecastRow:
    """Store a forecast told as CSV (see `app.sources.forecast_csv`); raises NotFound, Invalid naming line or field."""
    table = read_forecast(text)
    return await record(
        tx,
        site_id,
        source=source,
        issued_at=issued_at,
        starts_at=table.starts_at,
        step=table.step,
        pv_w=table.pv_w,
        building_w=table.building_w,
        pv_p10_w=table.p10_w,
        pv_p90_w=table.p90_w,
    )


def _check_band(pv_w: Sequence[float], p10_w: Sequence[float] | None, p90_w: Sequence[float] | None) -> None:
    if p10_w is None and p90_w is None:
        return
    if p10_w is None or len(p10_w) != len(pv_w):
        raise Invalid(f"must have {len(pv_w)} values, as pv_kw", field="pv_p10_kw")
    if p90_w is None or len(p90_w) != len(pv_w):
        raise Invalid(f"must have {len(pv_w)} values, as pv_kw", field="pv_p90_kw")
    if any(not low_w <= middle_w <= high_w for low_w, middle_w, high_w in zip(p10_w, pv_w, p90_w, strict=True)):
        raise Invalid("must lie at or below pv_kw, and pv_p90_kw at or above it", field="pv_p10_kw")


async def newest(tx: Tx, site_id: str) -> ForecastRow:
    """Return the forecast issued last; raises NotFound."""
    await sites.get(tx, site_id)
    row = await site_queries.newest_forecast(tx.session, site_id)
    if row is None:
        raise NotFound("the site has no forecast yet")
    return row
