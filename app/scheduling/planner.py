"""`plan(snapshot, now)`: every car gets its energy by departure when feasible, sun first, limits always.

Soft goals, in their order (`app.scheduling.goals`), are the costs of one min-cost flow. Where a car's stay was learnt,
energy is dearer the likelier the car has left by then: so grid now beats sun later once that is worth it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from app.domain.intervals import PLAN_SLOT, Interval, ceil_slot, floor_slot, slots_between
from app.domain.plan import ChargingPlan, ExpectedLine, PlanLine
from app.domain.snapshot import SiteSnapshot
from app.domain.units import mean_power_w
from app.scheduling.branches import rooms_of
from app.scheduling.cars import Cars, Floats, Outcome, cars_of
from app.scheduling.classes import classes_of, spread
from app.scheduling.flow import Problem, solve
from app.scheduling.instance import Slots, gone_shares, instance, slots_of, takers_of
from app.scheduling.lines import Reach, due, late_w, must_w, why_missing, wishes
from app.scheduling.rounding import round_powers
from app.scheduling.site_model import MOST_EVSES_COUNT
from app.scheduling.surplus import reckoned_w

EXACT_COUNT = MOST_EVSES_COUNT
"""Up to so many cars, all that a site can have, are planned one by one; as classes, plans of more are not the best."""
CHUNK_COUNT = 4096
HORIZON = timedelta(hours=36)
SHORTEST_FIRST_SLOT = timedelta(minutes=2)


def plan(snapshot: SiteSnapshot, now: datetime, *, exact_count: int = EXACT_COUNT) -> ChargingPlan:
    """Return the plan from `now` on: 15-min slots until the last departure, at most 36 h.

    Deterministic and independent of the order of sessions; never infeasible: what cannot be delivered by departure is
    `unmet_wh` with its reason. More than `exact_count` cars are planned as classes (`app.scheduling.classes`).
    """
    rooms = rooms_of(snapshot)
    cars = cars_of(snapshot, now, rooms.branch_of)
    stay = min(timedelta(seconds=float(cars.end_s.max(initial=0.0))), HORIZON)
    slots = planning_slots(now, now + max(stay, PLAN_SLOT))
    surplus_w, times = _surplus(snapshot, slots), slots_of(slots, now)
    gone = gone_shares(cars.outlooks, times)
    classes = classes_of(cars, gone, times) if len(cars.demands) > exact_count else None
    takers = takers_of(cars, gone) if classes is None else classes.takers
    problem = instance(snapshot, rooms.above_w, rooms.branches, takers, slots, surplus_w, now)
    outcome = _outcome(problem) if classes is None else spread(classes, _outcome(problem))
    reach = Reach(times.start_s, times.end_s, gone, rooms.branches)
    lines = _lines(snapshot, rooms.taken_w, cars, slots, outcome, reach, now)
    return ChargingPlan(snapshot.site.site_id, now, slots, surplus_w, lines, _expected(cars, times, outcome))


def planning_slots(now: datetime, ends_at: datetime) -> tuple[Interval, ...]:
    """Return the slots; a first slot under 2 minutes is joined with the next, the last one is a whole grid slot."""
    slots = tuple(slots_between(now, ceil_slot(ends_at)))
    if len(slots) > 1 and slots[0].span < SHORTEST_FIRST_SLOT:
        return (Interval(slots[0].start_at, slots[1].end_at), *slots[2:])
    return slots


def _surplus(snapshot: SiteSnapshot, slots: Sequence[Interval]) -> tuple[float, ...]:
    """Return the surplus per planning slot: the newest measurement now, then what is reckoned with."""
    is_sure = _is_every_stay_sure(snapshot)
    known = {floor_slot(each.interval.start_at): reckoned_w(each, is_stay_sure=is_sure) for each in snapshot.surplus}
    powers_w = [known.get(floor_slot(slot.start_at), 0.0) for slot in slots]
    if snapshot.measured_surplus_w is not None:
        powers_w[0] = snapshot.measured_surplus_w
    return tuple(powers_w)


def _is_every_stay_sure(snapshot: SiteSnapshot) -> bool:
    """Whether it is known of all cars, and there are some, that they stay until they leave: outlooks without a risk."""
    outlooks = [each.outlook for each in snapshot.demands]
    are_all_known = bool(outlooks) and not snapshot.expected and not snapshot.arrivals
    return are_all_known and all(each is not None and min(each.stays_share, default=0.0) >= 1.0 for each in outlooks)


def _outcome(problem: Problem) -> Outcome:
    solution = solve(problem)
    unmet_wh = np.bincount(problem.blocks.car, solution.unmet_wh, problem.car_count).astype(np.float64)
    most_wh = np.array([trunk.above_wh for trunk in problem.trunks]).reshape(solution.trunk_wh.shape)
    is_full, slack_wh = solution.trunk_wh >= most_wh, np.ones(problem.car_count)
    return Outcome(solution.energy_wh.astype(np.float64), unmet_wh, solution.grid_wh, is_full, slack_wh)


def _lines(
    snapshot: SiteSnapshot,
    room_w: float,
    cars: Cars,
    slots: Sequence[Interval],
    outcome: Outcome,
    reach: Reach,
    now: datetime,
) -> tuple[PlanLine, ...]:
    hours = (reach.end_s - reach.start_s) / 3600
    first_w = outcome.energy_wh[: len(cars.demands), 0] / hours[0]
    is_due = due(cars, snapshot, slots[0], now)
    targets_w = round_powers(wishes(cars, first_w, is_due, late_w(cars, slots[0]), now), room_w=room_w)
    grid_w = mean_power_w(int(outcome.grid_wh[0]), slots[0].span)
    must = must_w(cars, first_w, grid_w, is_due, reach.gone, slots[0])
    columns = zip(
        cars.demands,
        _rows(outcome.energy_wh[: len(cars.demands)], hours),
        targets_w.tolist(),
        outcome.unmet_wh.tolist(),
        why_missing(cars, outcome, reach),
        must.tolist(),
        np.where(cars.wanted_wh > 0, cars.max_w[: len(cars.demands)], 0.0).tolist(),
        strict=False,
    )
    return tuple([PlanLine(demand.session_id, demand.evse_id, *values) for demand, *values in columns])


def _rows(energy_wh: NDArray[np.floating], hours: Floats) -> Iterator[tuple[float, ...]]:
    """Yield the mean powers of each car; those of many in whole W, which are the same few numbers again and again."""
    if len(energy_wh) <= EXACT_COUNT:
        yield from map(tuple, (energy_wh / hours).tolist())
        return
    watts = np.arange(int(energy_wh.max(initial=0.0) / hours.min()) + 2).astype(float).astype(object)
    for start in range(0, len(energy_wh), CHUNK_COUNT):
        whole_w = np.rint(energy_wh[start : start + CHUNK_COUNT] / hours).astype(np.int64)
        yield from map(tuple, watts[whole_w].tolist())


def _expected(cars: Cars, times: Slots, outcome: Outcome) -> tuple[ExpectedLine, ...]:
    first = len(cars.demands)
    powers_w = (outcome.energy_wh[first : cars.promised_count] / times.hours).tolist()
    return tuple(
        ExpectedLine(each.booking_id, each.evse_id, tuple(powers_w[place]), float(outcome.unmet_wh[first + place]))
        for place, each in enumerate(cars.booked)
    )
