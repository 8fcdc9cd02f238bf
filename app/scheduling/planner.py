"""`plan(snapshot, now)`: every car gets its energy by departure when feasible, sun first, limits always.

Ordered soft goals as costs of one min-cost flow: promised energy of plugged-in cars, then of bookings, then sun, then
being done before the departure buffer, then grid late and sun early, then leaving limits as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.intervals import PLAN_SLOT, Interval, ceil_slot, floor_slot, slots_between
from app.domain.plan import ChargingPlan, ExpectedLine, PlanLine
from app.domain.snapshot import Demand, ExpectedDemand, SiteSnapshot
from app.domain.units import energy_wh, mean_power_w
from app.scheduling.branches import Branch, branches_of, default_w
from app.scheduling.feeders import Grid, grid_of
from app.scheduling.flow import UNMET_COST, CarArc, Problem, Solution, Supply, Trunk, solve
from app.scheduling.rounding import Wish, round_targets

HORIZON = timedelta(hours=36)
SHORTEST_FIRST_SLOT = timedelta(minutes=2)
GRID_COST = 20_000
BUFFER_COST = 4_000
CROWDED_BUFFER_COST = 40_000
CROWDED_SITE_COST = 10
CROWDED_SITE_SHARE = 0.15
STEP_COST = 4
CHANGE_COST = 2
BOOKING_UNMET_COST = UNMET_COST // 10
BUFFER_SHARE = 0.35


@dataclass(frozen=True, slots=True)
class _Car:
    """A plugged-in or expected car, in the planner's terms; `branch` is the first scarce feeder above it."""

    key: str
    window: Interval
    need_wh: int
    max_power_w: float
    free_power_w: float
    limit_w: float | None
    is_plugged_in: bool
    branch: int | None


def plan(snapshot: SiteSnapshot, now: datetime) -> ChargingPlan:
    """Return the plan from `now` on: 15-min slots until the last departure, at most 36 h.

    Deterministic and independent of the order of sessions; never infeasible: what cannot be delivered by departure is
    `unmet_wh` with its reason.
    """
    grid = grid_of(snapshot.site, snapshot.evses)
    branches, branch_of = branches_of(snapshot, grid)
    cars = _cars(snapshot, now, branch_of)
    ends_at = min(max((car.window.end_at for car in cars), default=now + PLAN_SLOT), now + HORIZON)
    slots = planning_slots(now, max(ends_at, now + PLAN_SLOT))
    surplus_w = _surplus(snapshot, slots)
    solution = solve(_problem(snapshot, grid, branches, cars, slots, surplus_w))
    powers = _powers(cars, slots, solution)
    targets = round_targets(
        [_wish(demand, powers[demand.session_id][0], snapshot, now) for demand in _by_session(snapshot.demands)],
        room_w=_above_defaults_w(snapshot, grid, free=False),
        now=now,
    )
    unmet = {car.key: float(wh) for car, wh in zip(cars, solution.unmet_wh, strict=True)}
    first_w = {demand.session_id: powers[demand.session_id][0] for demand in snapshot.demands}
    must = _must_w(snapshot, first_w, slots[0], mean_power_w(solution.grid_wh[0], slots[0].span), now)
    lines = tuple(
        PlanLine(
            demand.session_id,
            demand.evse_id,
            powers[demand.session_id],
            targets[demand.session_id],
            unmet[demand.session_id],
            _why_unmet(demand, unmet[demand.session_id], now),
            must[demand.session_id],
            demand.max_power_w if demand.need_wh > 0 else 0.0,
        )
        for demand in _by_session(snapshot.demands)
    )
    expected = tuple(
        ExpectedLine(each.booking_id, each.evse_id, powers[each.booking_id], unmet[each.booking_id])
        for each in sorted(snapshot.expected, key=lambda each: each.booking_id)
    )
    return ChargingPlan(snapshot.site.site_id, now, slots, surplus_w, lines, expected)


def planning_slots(now: datetime, ends_at: datetime) -> tuple[Interval, ...]:
    """Return the slots; a first slot under 2 minutes is joined with the next, the last one is a whole grid slot."""
    slots = tuple(slots_between(now, ceil_slot(ends_at)))
    if len(slots) > 1 and slots[0].span < SHORTEST_FIRST_SLOT:
        return (Interval(slots[0].start_at, slots[1].end_at), *slots[2:])
    return slots


def _by_session(demands: Sequence[Demand]) -> list[Demand]:
    return sorted(demands, key=lambda demand: demand.session_id)


def _cars(snapshot: SiteSnapshot, now: datetime, branch_of: Mapping[int, int]) -> list[_Car]:
    free_w = {evse.evse_id: default_w(evse) for evse in snapshot.evses}
    cars = [
        _plugged_in(demand, free_w.get(demand.evse_id, 0.0), branch_of.get(demand.evse_id), now)
        for demand in _by_session(snapshot.demands)
    ]
    cars += [
        _expected(each, free_w.get(each.evse_id, 0.0), branch_of.get(each.evse_id), now)
        for each in sorted(snapshot.expected, key=lambda each: each.booking_id)
    ]
    return cars


def _plugged_in(demand: Demand, free_power_w: float, branch: int | None, now: datetime) -> _Car:
    window = Interval(now, max(demand.departs_at, now + timedelta(minutes=1)))
    need_wh = round(demand.need_wh)
    return _Car(demand.session_id, window, need_wh, demand.max_power_w, free_power_w, demand.limit_w, True, branch)


def _expected(each: ExpectedDemand, free_power_w: float, branch: int | None, now: datetime) -> _Car:
    start_at = max(each.period.start_at, now)
    window = Interval(start_at, max(each.period.end_at, start_at + timedelta(minutes=1)))
    return _Car(each.booking_id, window, round(each.need_wh), each.max_power_w, free_power_w, None, False, branch)


def _surplus(snapshot: SiteSnapshot, slots: Sequence[Interval]) -> tuple[float, ...]:
    """Return the surplus per planning slot: the newest measurement for the current grid slot, else the expected one."""
    known = {floor_slot(each.interval.start_at): each.surplus_w for each in snapshot.surplus}
    powers_w = [known.get(floor_slot(slot.start_at), 0.0) for slot in slots]
    if snapshot.measured_surplus_w is not None:
        powers_w[0] = snapshot.measured_surplus_w
    return tuple(powers_w)


def _above_defaults_w(snapshot: SiteSnapshot, grid: Grid, *, free: bool) -> float:
    """Return what all cars may take together: above the defaults of all EVSEs (`free`), or only of the empty ones."""
    plugged_in = {demand.evse_id for demand in snapshot.demands}
    reserved_w = sum(default_w(evse) for evse in snapshot.evses if free or evse.evse_id not in plugged_in)
    return max(0.0, grid.capacity_w() - reserved_w)


def _problem(
    snapshot: SiteSnapshot,
    grid: Grid,
    branches: Sequence[Branch],
    cars: Sequence[_Car],
    slots: Sequence[Interval],
    surplus_w: Sequence[float],
) -> Problem:
    problem = Problem([car.need_wh for car in cars])
    problem.unmet_cost = [UNMET_COST if car.is_plugged_in else BOOKING_UNMET_COST for car in cars]
    problem.trunks = [
        Trunk(each.parent, tuple(int(energy_wh(each.room_w, slot.span)) for slot in slots)) for each in branches
    ]
    above_w = _above_defaults_w(snapshot, grid, free=True)
    for number, slot in enumerate(slots):
        above_wh = int(energy_wh(above_w, slot.span))
        problem.slots.append(
            Supply(
                solar_wh=int(energy_wh(surplus_w[number], slot.span)),
                solar_cost=STEP_COST * number,
                grid_cost=GRID_COST + STEP_COST * (len(slots) - number),
                above_wh=above_wh,
                last_tier_wh=int(above_wh * CROWDED_SITE_SHARE),
                last_tier_cost=CROWDED_SITE_COST,
            )
        )
    for index, car in enumerate(cars):
        for number, slot in enumerate(slots):
            problem.arcs += _arcs(index, car, number, slot, snapshot.site.departure_buffer)
    return problem


def _arcs(index: int, car: _Car, number: int, slot: Interval, buffer: timedelta) -> list[CarArc]:
    """Return a car's arcs into a slot: free of site capacity and above, calm and within the departure buffer."""
    arcs: list[CarArc] = []
    calm_until_at = car.window.end_at - buffer
    for is_buffer, part in (
        (False, _cut(slot, car.window.start_at, calm_until_at)),
        (True, _cut(slot, max(calm_until_at, car.window.start_at), car.window.end_at)),
    ):
        if part <= timedelta(0):
            continue
        tiers = [(BUFFER_SHARE, BUFFER_COST), (1 - BUFFER_SHARE, CROWDED_BUFFER_COST)] if is_buffer else [(1.0, 0)]
        for share, cost in tiers:
            free_w = min(car.free_power_w, car.max_power_w) * share
            above_w = max(0.0, car.max_power_w - car.free_power_w) * share
            arcs.append(CarArc(index, number, int(energy_wh(free_w, part)), cost, False))
            arcs += _above(index, car, number, part, above_w, cost, share)
    return arcs


def _above(
    index: int, car: _Car, number: int, part: timedelta, above_w: float, cost: int, share: float
) -> list[CarArc]:
    """Return the arcs above the default; in the current slot more than the limit in force costs a little (calm)."""
    if number > 0 or not car.is_plugged_in:
        return [CarArc(index, number, int(energy_wh(above_w, part)), cost, True, car.branch)]
    kept_w = min(above_w, max(0.0, (car.limit_w or 0.0) - car.free_power_w) * share)
    return [
        CarArc(index, number, int(energy_wh(kept_w, part)), cost, True, car.branch),
        CarArc(index, number, int(energy_wh(above_w - kept_w, part)), cost + CHANGE_COST, True, car.branch),
    ]


def _cut(slot: Interval, start_at: datetime, end_at: datetime) -> timedelta:
    return min(slot.end_at, end_at) - max(slot.start_at, start_at)


def _powers(cars: Sequence[_Car], slots: Sequence[Interval], solution: Solution) -> dict[str, tuple[float, ...]]:
    return {
        car.key: tuple(
            mean_power_w(solution.energy_wh.get((index, number), 0), slot.span) for number, slot in enumerate(slots)
        )
        for index, car in enumerate(cars)
    }


def _wish(demand: Demand, power_w: float, snapshot: SiteSnapshot, now: datetime) -> Wish:
    """Return what a session should get now: within the departure buffer all it can take, for charging slows down."""
    power_w = demand.max_power_w if _is_due(demand, snapshot, now) else power_w
    return Wish(
        key=demand.session_id,
        power_w=power_w,
        min_power_w=demand.min_power_w,
        max_power_w=max(demand.max_power_w, demand.min_power_w),
        limit_w=demand.limit_w,
        switched_at=demand.switched_at,
        need_wh=demand.need_wh,
        departs_at=demand.departs_at,
    )


def _is_due(demand: Demand, snapshot: SiteSnapshot, now: datetime) -> bool:
    return demand.departs_at - now <= snapshot.site.departure_buffer and demand.need_wh > 0


def _must_w(
    snapshot: SiteSnapshot, planned_w: Mapping[str, float], slot: Interval, grid_w: float, now: datetime
) -> dict[str, float]:
    """Return what of everybody's power in the first slot does not wait for sun.

    Within the departure buffer that is all it can take; before, what its stay would be too short for later, and of what
    the plan buys from the grid so much that it adds up: those with the least to spare first.
    """
    must: dict[str, float] = {}
    spare_wh = {each.session_id: _spare_wh(each, now) for each in snapshot.demands}
    for demand in _by_session(snapshot.demands):
        later_wh = energy_wh(demand.max_power_w, max(timedelta(0), demand.departs_at - slot.end_at))
        late_w = mean_power_w(max(0.0, demand.need_wh - later_wh), slot.span)
        must[demand.session_id] = (
            demand.max_power_w if _is_due(demand, snapshot, now) else min(planned_w[demand.session_id], late_w)
        )
    left_w = grid_w - sum(must.values())
    for session_id in sorted(must, key=lambda each: (spare_wh[each], each)):
        more_w = min(max(0.0, left_w), max(0.0, planned_w[session_id] - must[session_id]))
        must[session_id] += more_w
        left_w -= more_w
    return must


def _spare_wh(demand: Demand, now: datetime) -> float:
    """Return how much more the session could still take by departure than it needs."""
    return energy_wh(demand.max_power_w, max(timedelta(0), demand.departs_at - now)) - demand.need_wh


def _why_unmet(demand: Demand, unmet_wh: float, now: datetime) -> str:
    if unmet_wh < 1:
        return ""
    reach_wh = energy_wh(demand.max_power_w, max(timedelta(0), demand.departs_at - now))
    return "the stay is too short" if reach_wh < demand.need_wh else "the site limit is shared with other cars"
