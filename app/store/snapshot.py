"""One consistent reading of a site's rows as the value that a plan is made of."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.facts import Activity
from app.domain.intervals import PLAN_SLOT, Interval, ceil_slot
from app.domain.snapshot import Demand, EvseSpec, ExpectedDemand, IntentSource, SiteSnapshot, SurplusSlot
from app.domain.tariff import tariff_of
from app.scheduling.surplus import Told, expected_surplus, measured_surplus_w
from app.scheduling.tariff import grid_slots
from app.store.driver import BookingRow, VehicleRow
from app.store.electrical import feeders_of
from app.store.plan import LimitRow, accepted_limits
from app.store.session import SessionRow, replayed_sessions, running_sessions_of_site
from app.store.site import newest_forecast_row, readings_since
from app.store.specs import read_site, site_spec
from app.store.station import EvseRow

LOOK_AHEAD = timedelta(hours=24)
HORIZON = timedelta(hours=36)
LOOK_BACK = timedelta(hours=1)
REPLAY = timedelta(minutes=1)
OVERSTAY = timedelta(minutes=15)
LIMIT_HISTORY = timedelta(minutes=30)
SAME_LIMIT_SHARE = 0.9
FULL_AFTER = timedelta(minutes=2)
DRAWING_W = 100.0
LEAST_NEED_WH = 1.0
UNSAID = (IntentSource.ASSUMED, IntentSource.LEARNT)


@dataclass(frozen=True, slots=True)
class LimitHistory:
    """What a session was allowed lately.

    `limit_w` is the newest accepted limit in force (None: only the default holds); `floor_w` the least since
    `since_at`, while limits stayed near it; `switched_at` when they last went from or to zero.
    """

    limit_w: float | None = None
    floor_w: float | None = None
    since_at: datetime | None = None
    switched_at: datetime | None = None


async def read_snapshot(session: AsyncSession, site_id: str, now: datetime) -> SiteSnapshot:
    """Return what the planner may look at; raises NotFound for no such site.

    A session that a station has just told of from its offline time wants nothing for a minute: its end may come next.
    """
    site, pairs = await read_site(session, site_id)
    sessions = await running_sessions_of_site(session, site_id)
    limits = await limit_histories(session, sessions, now)
    by_id = {spec.evse_id: (evse, spec) for evse, spec in pairs}
    may_be_over = any(row.is_offline_replay for row in sessions)
    replayed = await replayed_sessions(session, site_id, now - REPLAY) if may_be_over else ()
    demands = [
        demand
        for row in sessions
        if row.session_id not in replayed
        and (demand := demand_of(row, *by_id[row.evse_id], limits[row.session_id], now)) is not None
    ]
    expected = await _expected(session, site_id, {spec.evse_id: spec for _, spec in pairs}, now)
    until_at = _until_at(demands, expected, now)
    surplus, measured_w = await _surplus(session, site_id, now, until_at)
    tariff = None if site.tariff is None else tariff_of(site.tariff)
    return SiteSnapshot(
        site=site_spec(site, await feeders_of(session, site_id)),
        evses=tuple(spec for _, spec in pairs),
        demands=tuple(demands),
        expected=expected,
        surplus=surplus,
        measured_surplus_w=measured_w,
        grid=() if tariff is None else grid_slots(tariff, ZoneInfo(site.zone), now, until_at),
    )


def demand_of(row: SessionRow, evse: EvseRow, spec: EvseSpec, limits: LimitHistory, now: datetime) -> Demand | None:
    """Return what a running session still wants; None when its car takes no more, or nobody said what it needs.

    A session that has got what was asked for wants nothing more (0 Wh), so that it does not go on at the safe power. A
    car that stays beyond its departure is taken to leave in a quarter of an hour.
    """
    need_wh = max(0.0, row.need_wh - row.delivered_wh)
    is_met = need_wh < LEAST_NEED_WH
    if (is_met and row.intent_source in UNSAID) or is_full(row, evse, spec, limits, now):
        return None
    caps_w = [cap_w for cap_w in (row.max_charge_w, row.learnt_cap_w) if cap_w is not None]
    return Demand(
        session_id=str(row.session_id),
        evse_id=row.evse_id,
        arrived_at=row.started_at,
        departs_at=row.departs_at if row.departs_at > now else now + OVERSTAY,
        need_wh=0.0 if is_met else need_wh,
        max_power_w=min([spec.usable_w, *caps_w]),
        min_power_w=spec.min_power_w,
        source=IntentSource(row.intent_source),
        power_w=evse.power_w,
        limit_w=limits.limit_w,
        switched_at=limits.switched_at,
    )


def is_full(row: SessionRow, evse: EvseRow, spec: EvseSpec, limits: LimitHistory, now: datetime) -> bool:
    """Whether the car says that it takes no more, has been allowed to for two minutes, and draws nothing since."""
    if evse.activity != Activity.PAUSED_BY_EV or evse.status_at is None:
        return False
    if limits.limit_w is not None and limits.limit_w < spec.min_power_w:
        return False
    draws_again = evse.power_w is not None and evse.power_w >= DRAWING_W
    if draws_again and evse.metered_at is not None and evse.metered_at > evse.status_at:
        return False
    times = [evse.status_at, row.started_at] + ([] if limits.switched_at is None else [limits.switched_at])
    return now - max(times) >= FULL_AFTER


async def limit_histories(
    session: AsyncSession, sessions: Sequence[SessionRow], now: datetime
) -> Mapping[uuid.UUID, LimitHistory]:
    """Return what each session was allowed in the last half hour."""
    rows = await accepted_limits(session, [row.session_id for row in sessions], now - LIMIT_HISTORY)
    return {
        row.session_id: limit_history([each for each in rows if each.session_id == row.session_id], now)
        for row in sessions
    }


def limit_history(rows: Sequence[LimitRow], now: datetime) -> LimitHistory:
    """Return the history that these accepted entries of one session (in their order) make."""
    switched_at = None
    for before, after in pairwise(rows):
        if (before.power_w == 0) != (after.power_w == 0):
            switched_at = after.outcome_at
    if rows and rows[0].power_w == 0 and switched_at is None:
        switched_at = rows[0].outcome_at
    if not rows or (rows[-1].lease_ends_at or rows[-1].ends_at) <= now:
        return LimitHistory(switched_at=switched_at)
    newest_w, floor_w, since_at = rows[-1].power_w, rows[-1].power_w, rows[-1].outcome_at
    for row in reversed(rows):
        if row.power_w < SAME_LIMIT_SHARE * newest_w:
            break
        floor_w, since_at = min(floor_w, row.power_w), row.outcome_at
    return LimitHistory(newest_w, floor_w, since_at, switched_at)


async def _expected(
    session: AsyncSession, site_id: str, evses: Mapping[int, EvseSpec], now: datetime
) -> tuple[ExpectedDemand, ...]:
    window = Range(now, now + LOOK_AHEAD, bounds="[)")
    query = (
        select(BookingRow, VehicleRow.max_charge_w)
        .outerjoin(VehicleRow, VehicleRow.vehicle_id == BookingRow.vehicle_id)
        .where(BookingRow.site_id == site_id, BookingRow.state == "booked")
        .where(or_(BookingRow.period.op("&&")(window), func.lower(BookingRow.period) == now))
        .order_by(BookingRow.evse_id, func.lower(BookingRow.period))
        .execution_options(populate_existing=True)
    )
    found = []
    for row, max_charge_w in await session.execute(query):
        if row.period.lower is None or row.period.upper is None:
            continue
        spec = evses[row.evse_id]
        found.append(
            ExpectedDemand(
                booking_id=str(row.booking_id),
                evse_id=row.evse_id,
                period=Interval(row.period.lower, row.period.upper),
                need_wh=row.need_wh,
                max_power_w=spec.usable_w if max_charge_w is None else min(spec.usable_w, max_charge_w),
                min_power_w=spec.min_power_w,
            )
        )
    return tuple(found)


def _until_at(demands: Sequence[Demand], expected: Sequence[ExpectedDemand], now: datetime) -> datetime:
    """Return the end of what is looked at: everybody's departure, at least a day, never more than the horizon."""
    ends_at = [demand.departs_at for demand in demands] + [each.period.end_at for each in expected]
    return ceil_slot(min(max([*ends_at, now + LOOK_AHEAD]), now + HORIZON))


async def _surplus(
    session: AsyncSession, site_id: str, now: datetime, until_at: datetime
) -> tuple[tuple[SurplusSlot, ...], float | None]:
    forecast = await newest_forecast_row(session, site_id, now)
    readings = [each for each in await readings_since(session, site_id, now - LOOK_BACK) if each[0] <= now]
    told = (
        Told(now, PLAN_SLOT, (), ())
        if forecast is None
        else Told(
            forecast.starts_at, forecast.step, forecast.pv_w, forecast.building_w, forecast.pv_p10_w, forecast.pv_p90_w
        )
    )
    return expected_surplus(told, readings=readings, now=now, until_at=until_at), measured_surplus_w(readings, now)
