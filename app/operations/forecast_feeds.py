"""Forecasts that are fetched for a site: where from, when, and what went wrong. The key is never given out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import structlog

from app.domain.errors import Invalid, NotFound
from app.domain.intervals import PLAN_SLOT
from app.operations import forecasts, sites
from app.operations.forecasting import panels_of
from app.operations.transaction import Transactions, Tx
from app.scheduling.forecasting.building import building_forecast_w
from app.scheduling.forecasting.series import series_of, slot_number, slot_start
from app.sources.feeds import FEEDS, Place, check
from app.sources.fetching import fetch
from app.sources.steps import SunSteps
from app.store import forecast_queries
from app.store.site import ForecastFeedRow

log = structlog.get_logger()

LONGEST_PAUSE = timedelta(hours=6)
MOST_DOUBLINGS_COUNT = 6
BUILDING_HISTORY = timedelta(days=28)
MOST_TEXT_COUNT = 300


@dataclass(frozen=True, slots=True)
class Due:
    """A fetch that is to be done now."""

    kind: str
    place: Place
    changed_at: datetime


async def put(
    tx: Tx, site_id: str, *, kind: str, resource: str | None, key: str | None, every: timedelta
) -> ForecastFeedRow:
    """Set where the site's forecasts are fetched from; it is asked at the next quarter. Raises NotFound, Invalid.

    Without `key` the one of before is kept where the kind stays the same.
    """
    site = await sites.get(tx, site_id)
    row = await forecast_queries.feed(tx.session, site_id)
    kept_key = key if key is not None or row is None or row.kind != kind else row.key
    feed = check(kind, Place(panels_of(site), resource, kept_key))
    if every < feed.shortest:
        raise Invalid("is shorter than the service's own forecasts change", field="every_minutes")
    if row is None:
        row = ForecastFeedRow(site_id=site_id)
        tx.session.add(row)
    row.kind, row.resource, row.key, row.every = kind, resource, kept_key, every
    row.changed_at, row.tried_at, row.failures_count, row.problem = tx.now, None, 0, None
    await tx.session.flush()
    return row


async def get(tx: Tx, site_id: str) -> ForecastFeedRow:
    """Return the site's feed; raises NotFound."""
    await sites.get(tx, site_id)
    row = await forecast_queries.feed(tx.session, site_id)
    if row is None:
        raise NotFound("the site has no forecast feed")
    return row


async def remove(tx: Tx, site_id: str) -> None:
    """Forget the feed and its key; raises NotFound."""
    await get(tx, site_id)
    await forecast_queries.remove_feed(tx.session, site_id)


async def fetch_due(transactions: Transactions, web: httpx.AsyncClient, site_id: str) -> bool:
    """Ask the site's service where that is due, and store what it tells; return whether a forecast was stored.

    What goes wrong is a value: it is noted at the feed and tried again later and later (twice the pause each time, 6
    hours at most). The forecasts that are there stay.
    """
    async with transactions() as tx:
        due = await _due(tx, site_id)
    if due is None:
        return False
    try:
        answer = await fetch(web, FEEDS[due.kind].ask(due.place))
        steps = FEEDS[due.kind].read(answer, due.place, transactions.clock.now())
    except Invalid as broken:
        where = f"{broken.field} " if broken.field else ""
        await _note(transactions, site_id, due, f"{where}{broken.detail}")
        return False
    async with transactions() as tx:
        await _store(tx, site_id, due, steps)
    return True


async def _due(tx: Tx, site_id: str) -> Due | None:
    """Return the fetch that is due, and note that it is tried: one house at a time."""
    await forecast_queries.lock_forecasts(tx.session, site_id)
    row = await forecast_queries.feed(tx.session, site_id)
    if row is None:
        return None
    pause = min(row.every * 2 ** min(row.failures_count, MOST_DOUBLINGS_COUNT), max(LONGEST_PAUSE, row.every))
    if row.tried_at is not None and tx.now < row.tried_at + pause - PLAN_SLOT / 2:
        return None
    row.tried_at = tx.now
    site = await sites.get(tx, site_id)
    await tx.session.flush()
    return Due(row.kind, Place(panels_of(site), row.resource, row.key), row.changed_at)


async def _note(transactions: Transactions, site_id: str, due: Due, problem: str) -> None:
    log.warning("forecast_feed_failed", site_id=site_id, kind=due.kind, problem=problem[:MOST_TEXT_COUNT])
    async with transactions() as tx:
        row = await forecast_queries.feed(tx.session, site_id)
        if row is not None and row.changed_at == due.changed_at:
            row.failures_count += 1
            row.problem = problem[:MOST_TEXT_COUNT]


async def _store(tx: Tx, site_id: str, due: Due, steps: SunSteps) -> None:
    """Store what was told, with our own forecast of the building beside it."""
    first = slot_number(steps.starts_at)
    means = await forecast_queries.slot_means(
        tx.session, site_id, steps.starts_at - BUILDING_HISTORY, slot_start(first)
    )
    building = series_of((slot, building_w) for slot, _, building_w in means)
    zone = ZoneInfo((await sites.get(tx, site_id)).zone)
    await forecasts.record(
        tx,
        site_id,
        source=due.kind,
        issued_at=tx.now,
        starts_at=steps.starts_at,
        step=PLAN_SLOT,
        pv_w=steps.pv_w,
        building_w=building_forecast_w(building, first, len(steps.pv_w), zone).tolist(),
        pv_p10_w=steps.p10_w,
        pv_p90_w=steps.p90_w,
        method="fetched",
    )
    row = await forecast_queries.feed(tx.session, site_id)
    if row is not None and row.changed_at == due.changed_at:
        row.fetched_at, row.failures_count, row.problem = tx.now, 0, None
