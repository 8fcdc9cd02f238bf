"""Forecasts that the house issues itself, every quarter of an hour, where nobody else tells enough.

The planner takes the forecast that was issued last. Ours is issued only where no other source (pushed or fetched) has
issued one within the last 3 hours that reaches at least 2 hours ahead: who pays for a forecast is heard first, and one
that has stopped is not waited for. Where neither 3 days of readings nor a clear sky are known nothing is issued: the
planner's own fading of the newest reading is as good.

In three steps, so that no transaction is open while something is learnt: `look`, `told` (pure, in a thread), `issue`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from app.bus.subjects import site_changed
from app.domain.errors import NotFound
from app.domain.intervals import PLAN_SLOT
from app.operations.forecasts import OUR_SOURCE
from app.operations.transaction import Tx
from app.scheduling.forecasting.arrivals import WEEKS_SLOTS, expected_arrivals
from app.scheduling.forecasting.building import building_forecast_w
from app.scheduling.forecasting.envelope import BEHIND_DAYS_COUNT, YOUNG_DAYS_COUNT, envelope_w
from app.scheduling.forecasting.learner import LEAST_DAYS_COUNT, MOST_DAYS_COUNT, LearntSun, learn
from app.scheduling.forecasting.series import SLOTS_PER_DAY, Series, series_of, slot_number, slot_start
from app.scheduling.forecasting.sun import LEAST_DAYS_COUNT as LEAST_SUN_DAYS_COUNT
from app.scheduling.forecasting.sun import SunForecast, sun_forecast
from app.sources.clear_sky import Panels, clear_sky_w
from app.store import forecast_queries, site_queries
from app.store.site import ForecastRow, SiteRow

log = structlog.get_logger()

AHEAD_COUNT = 144
FRESH = timedelta(hours=3)
REACH = timedelta(hours=2)
HISTORY = timedelta(days=MOST_DAYS_COUNT + 30)
LATE_SLOTS = SLOTS_PER_DAY
TRUSTED_DAYS_COUNT = 10
MOST_FORECASTS_COUNT = 50
NEIGHBOURS_COUNT = 2


@dataclass(frozen=True, slots=True)
class History:
    """What a site's meter told by slot; kept between issues, so that only the newest day is read again."""

    pv: Series
    building: Series


@dataclass(frozen=True, slots=True)
class Question:
    """What a forecast is made of: everything known when slot `issue` began."""

    site_id: str
    zone: str
    issue: int
    history: History
    panels: Panels | None
    arrived_at: tuple[datetime, ...]
    booked_at: tuple[datetime, ...]
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A forecast to be stored; what was learnt meanwhile is kept for the next one."""

    sun: SunForecast
    building_w: tuple[float, ...]
    arrivals_count: tuple[float, ...]


def panels_of(site: SiteRow) -> Panels | None:
    """Return where the site's panels are; None where coordinates or peak power are not known."""
    if site.latitude_deg is None or site.longitude_deg is None or site.pv_peak_w is None:
        return None
    where = Panels(site.latitude_deg, site.longitude_deg, site.pv_peak_w)
    tilt_deg = where.tilt_deg if site.pv_tilt_deg is None else site.pv_tilt_deg
    azimuth_deg = where.azimuth_deg if site.pv_azimuth_deg is None else site.pv_azimuth_deg
    return Panels(where.latitude_deg, where.longitude_deg, where.peak_w, tilt_deg, azimuth_deg)


async def look(tx: Tx, site_id: str, known: History | None = None) -> Question:
    """Read what a forecast of now is made of; `known` is the history of the look before. Raises NotFound."""
    site = await site_queries.site(tx.session, site_id)
    if site is None:
        raise NotFound(f"there is no site {site_id}")
    issue = slot_number(tx.now)
    is_wanted = not await _is_told(tx, site_id)
    history = await _history(tx, site_id, known) if is_wanted else (known or History(series_of(()), series_of(())))
    starts_at = slot_start(issue)
    return Question(
        site_id=site_id,
        zone=site.zone,
        issue=issue,
        history=history,
        panels=panels_of(site),
        arrived_at=tuple(
            await forecast_queries.arrivals_since(tx.session, site_id, starts_at - WEEKS_SLOTS * PLAN_SLOT)
        ),
        booked_at=tuple(
            await forecast_queries.booked_arrivals(tx.session, site_id, starts_at, starts_at + AHEAD_COUNT * PLAN_SLOT)
        ),
        is_wanted=is_wanted,
    )


async def _history(tx: Tx, site_id: str, known: History | None) -> History:
    """Return the history until now: all of it, or what is known with its newest day read again."""
    oldest = slot_number(tx.now - HISTORY)
    if known is not None and known.pv.until - LATE_SLOTS > known.pv.first:
        from_slot = known.pv.until - LATE_SLOTS
        known = History(known.pv.window(oldest, from_slot), known.building.window(oldest, from_slot))
    else:
        first_at = await forecast_queries.first_reading_at(tx.session, site_id, slot_start(oldest))
        if first_at is None:
            return History(series_of(()), series_of(()))
        from_slot, known = slot_number(first_at - timedelta(microseconds=1)), None
    until_at = slot_start(slot_number(tx.now))
    means = await forecast_queries.slot_means(tx.session, site_id, slot_start(from_slot), until_at)
    pv = series_of((slot, pv_w) for slot, pv_w, _ in means)
    building = series_of((slot, building_w) for slot, _, building_w in means)
    return History(pv, building) if known is None else History(known.pv.then(pv), known.building.then(building))


async def _is_told(tx: Tx, site_id: str) -> bool:
    """Whether somebody else tells enough, or we have told in this slot."""
    rows = await forecast_queries.forecasts_issued(
        tx.session, site_id, tx.now - FRESH, tx.now + timedelta(microseconds=1), MOST_FORECASTS_COUNT
    )
    this_slot_at = slot_start(slot_number(tx.now))
    return any(
        row.issued_at >= this_slot_at
        if row.source == OUR_SOURCE
        else row.starts_at <= tx.now and row.starts_at + len(row.pv_w) * row.step >= tx.now + REACH
        for row in rows
    )


def clear_sky_of(pv: Series, panels: Panels | None, until: int) -> Series:
    """Return the clear sky of a history and on to `until`: the learnt one; before 10 days pvlib's, of known panels.

    On recorded suns the learnt one errs less than the modelled one of the true panels: it knows shades, soiling and the
    inverter, and follows the seasons.
    """
    first = pv.first if len(pv.powers_w) else until - AHEAD_COUNT - NEIGHBOURS_COUNT
    if panels is not None and pv.measured_days_count() < TRUSTED_DAYS_COUNT:
        return clear_sky_w(panels, first, until)
    is_young = pv.measured_days_count() < YOUNG_DAYS_COUNT
    return envelope_w(pv, first, until, 1 if is_young else BEHIND_DAYS_COUNT)


def told(question: Question, learnt: LearntSun | None) -> tuple[Answer | None, LearntSun | None]:
    """Return the forecast and what is learnt by now: learnt anew once a day, from 30 days on. Takes seconds then.

    None where nothing is known that a forecast could be made of.
    """
    pv = question.history.pv.before(question.issue)
    if question.panels is None and pv.measured_days_count() < LEAST_SUN_DAYS_COUNT:
        return None, learnt
    clear = clear_sky_of(pv, question.panels, question.issue + AHEAD_COUNT + NEIGHBOURS_COUNT)
    capacity_w = max(pv.highest_w(), clear.highest_w())
    if capacity_w <= 0:
        return None, learnt
    is_due = learnt is None or question.issue - learnt.learnt_until >= SLOTS_PER_DAY
    if is_due and pv.measured_days_count() >= LEAST_DAYS_COUNT:
        learnt = _learnt(question.site_id, pv, clear, capacity_w) or learnt
    sun = sun_forecast(pv, clear, capacity_w, question.issue, AHEAD_COUNT, learnt)
    if sun is None:
        return None, learnt
    zone = ZoneInfo(question.zone)
    building_w = building_forecast_w(question.history.building, question.issue, AHEAD_COUNT, zone)
    known_from = min([question.issue, *(slot_number(at) for at in question.arrived_at)])
    arrivals = expected_arrivals(question.arrived_at, question.booked_at, question.issue, AHEAD_COUNT, zone, known_from)
    return Answer(sun, tuple(building_w.tolist()), tuple(arrivals.tolist())), learnt


def _learnt(site_id: str, pv: Series, clear: Series, capacity_w: float) -> LearntSun | None:
    """Return what can be learnt; None, which is logged, where the learner's library cannot be loaded."""
    try:
        return learn(pv, clear, capacity_w)
    except (ImportError, OSError) as broken:
        log.warning("forecast_not_learnt", site_id=site_id, detail=str(broken)[:300])
        return None


async def issue(tx: Tx, question: Question, answer: Answer) -> ForecastRow | None:
    """Store the forecast, unless somebody told enough meanwhile; one house at a time."""
    await forecast_queries.lock_forecasts(tx.session, question.site_id)
    if await _is_told(tx, question.site_id):
        return None
    sun = answer.sun
    row = ForecastRow(
        site_id=question.site_id,
        source=OUR_SOURCE,
        method=sun.method,
        issued_at=max(slot_start(question.issue), min(tx.now, slot_start(question.issue + 1))),
        received_at=tx.now,
        starts_at=slot_start(question.issue),
        step=PLAN_SLOT,
        pv_w=sun.p50_w.tolist(),
        building_w=list(answer.building_w),
        pv_p10_w=None if sun.p10_w is None else sun.p10_w.tolist(),
        pv_p90_w=None if sun.p90_w is None else sun.p90_w.tolist(),
        arrivals_count=list(answer.arrivals_count),
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.ring(site_changed(question.site_id))
    return row
