"""`plan(snapshot, now)`: every car gets its energy by departure when feasible, sun first, limits always.

Soft goals, in their order (`app.scheduling.goals`), are the costs of one min-cost flow. Where a car's stay was learnt,
energy is dearer the likelier the car has left by then: so grid now beats sun later once that is worth it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from app.domain.intervals import PLAN_SLOT, Interval, ceil_slot, floor_slot, slots_between
from app.domain.plan import ChargingPlan, ExpectedLine, PlanLine
from app.domain.snapshot import SiteSnapshot
from app.domain.units import mean_power_w
from app.scheduling.branches import branches_of, default_w
from app.scheduling.cars import Cars, Outcome, cars_of
from app.scheduling.feeders import Grid, grid_of
from app.scheduling.flow import Problem, solve
from app.scheduling.instance import Slots, gone_shares, instance, slots_of
from app.scheduling.lines import Reach, due, late_w, must_w, why_missing, wishes
from app.scheduling.rounding import round_targets
from app.scheduling.surplus import reckoned_w

HORIZON = timedelta(hours=36)
SHORTEST_FIRST_SLOT = timedelta(minutes=2)


def plan(snapshot: SiteSnapshot, now: datetime) -> ChargingPlan:
    """Return the plan from `now` on: 15-min slots until the last departure, at most 36 h.

    Deterministic and independent of the order of sessions; never infeasible: what cannot be delivered by departure is
    `unmet_wh` with its reason.
    """
    grid = grid_of(snapshot.site, snapshot.evses)
    branches, branch_of = branches_of(snapshot, grid)
    cars = cars_of(snapshot, now, branch_of)
    stay = min(timedelta(seconds=float(cars.end_s.max(initial=0.0))), HORIZON)
    slots = planning_slots(now, now + max(stay, PLAN_SLOT))
    surplus_w = _surplus(snapshot, slots)
    above_w = above_defaults_w(snapshot, grid, free=True)
    outcome = _outcome(cars, instance(snapshot, above_w, branches, cars, slots, surplus_w, now))
    times = slots_of(slots, now)
    reach = Reach(times.start_s, times.end_s, gone_shares(cars.outlooks, times), branches)
    room_w = above_defaults_w(snapshot, grid, free=False)
    lines, expected = _lines(snapshot, room_w, cars, slots, outcome, reach, now), _expected(cars, times, outcome)
    return ChargingPlan(snapshot.site.site_id, now, slots, surplus_w, lines, expected)


def planning_slots(now: datetime, ends_at: datetime) -> tuple[Interval, ...]:
    """Return the slots; a first slot under 2 minutes is joined with the next, the last one is a whole grid slot."""
    slots = tuple(slots_between(now, ceil_slot(ends_at)))
    if len(slots) > 1 and slots[0].span < SHORTEST_FIRST_SLOT:
        return (Interval(slots[0].start_at, slots[1].end_at), *slots[2:])
    return slots


def _surplus(snapshot: SiteSnapshot, slots: Sequence[Interval]) -> tuple[float, ...]:
    """Return the surplus per planning slot: the newest measurement now, then what is reckoned with."""
    known = {floor_slot(each.interval.start_at): reckoned_w(each) for each in snapshot.surplus}
    powers_w = [known.get(floor_slot(slot.start_at), 0.0) for slot in slots]
    if snapshot.measured_surplus_w is not None:
        powers_w[0] = snapshot.measured_surplus_w
    return tuple(powers_w)


def above_defaults_w(snapshot: SiteSnapshot, grid: Grid, *, free: bool) -> float:
    """Return what all cars may take together: above the defaults of all EVSEs (`free`), or only of the empty ones."""
    plugged_in = {demand.evse_id for demand in snapshot.demands}
    reserved_w = sum(default_w(evse) for evse in snapshot.evses if free or evse.evse_id not in plugged_in)
    return max(0.0, grid.capacity_w() - reserved_w)


def _outcome(cars: Cars, problem: Problem) -> Outcome:
    solution = solve(problem)
    unmet_wh = np.bincount(problem.blocks.car, solution.unmet_wh, len(cars)).astype(np.int64)
    most_wh = np.array([trunk.above_wh for trunk in problem.trunks]).reshape(solution.trunk_wh.shape)
    return Outcome(solution.energy_wh, unmet_wh, solution.grid_wh, solution.trunk_wh >= most_wh)


def _lines(
    snapshot: SiteSnapshot,
    room_w: float,
    cars: Cars,
    slots: Sequence[Interval],
    outcome: Outcome,
    reach: Reach,
    now: datetime,
) -> tuple[PlanLine, ...]:
    powers_w = outcome.energy_wh[: len(cars.demands)] * 3600 / (reach.end_s - reach.start_s)
    is_due = due(cars, snapshot, slots[0], now)
    wanted = wishes(cars, powers_w[:, 0], is_due, late_w(cars, slots[0]))
    targets_w = round_targets(wanted, room_w=room_w, now=now)
    grid_w = mean_power_w(int(outcome.grid_wh[0]), slots[0].span)
    must = must_w(cars, powers_w[:, 0], grid_w, is_due, reach.gone, slots[0])
    reasons = why_missing(cars, outcome, reach)
    return tuple(
        PlanLine(
            demand.session_id,
            demand.evse_id,
            tuple(powers_w[place].tolist()),
            targets_w[demand.session_id],
            float(outcome.unmet_wh[place]),
            reasons[place],
            float(must[place]),
            demand.max_power_w if demand.need_wh > 0 else 0.0,
        )
        for place, demand in enumerate(cars.demands)
    )


def _expected(cars: Cars, times: Slots, outcome: Outcome) -> tuple[ExpectedLine, ...]:
    first = len(cars.demands)
    powers_w = (outcome.energy_wh[first : cars.promised_count] / times.hours).tolist()
    return tuple(
        ExpectedLine(each.booking_id, each.evse_id, tuple(powers_w[place]), float(outcome.unmet_wh[first + place]))
        for place, each in enumerate(cars.booked)
    )
