"""The planner against formulations of its problem that share no code with it; `pytest -s` prints the counts.

Only what a plan publishes is judged: its energies are held in the linear programme, and nothing may be cheaper than the
plan then is. Instances come from seeds, and are whole: the optimum with real-valued energies is one in whole Wh, so
"equal" means equal.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from random import Random

import numpy as np
import pytest

from app.domain.plan import ChargingPlan
from app.scheduling.planner import plan
from app.scheduling.rounding import Wish, round_targets
from tests.scheduling.drawn_parks import MORNING, park
from tests.scheduling.reference_lp import (
    TIGHT,
    Programme,
    Solver,
    energies_of,
    least_gap_w,
    programme_of,
    weights_of,
)

INSTANCES_COUNT, SEQUENCES_COUNT, ROUNDINGS_COUNT = 2000, 300, 250
SEED = 20_261_124
PROMISES = ("promised", "booked")
ORDER = (*PROMISES, "grid", "over", "tariff")
"""The goals in order where nobody may leave early: then they are not exchanged for each other."""


@pytest.fixture(scope="module")
def told() -> Iterator[list[str]]:
    """What was counted; printed at the end."""
    lines: list[str] = []
    yield lines
    print("", *lines, sep="\n")  # noqa: T201 - the counts are what a reader wants to see


def whole(columns: np.ndarray) -> np.ndarray:
    """The columns as whole Wh, which those of a basic solution are where all capacities are."""
    found = np.round(columns)
    assert np.abs(columns - found).max(initial=0.0) < TIGHT
    return found


def whole_energies_wh(made: ChargingPlan) -> dict[tuple[str, int], float]:
    energies_wh = energies_of(made)
    assert all(abs(each - round(each)) < TIGHT for each in energies_wh.values())
    return {place: float(round(each)) for place, each in energies_wh.items()}


def objectives(programme: Programme, made: ChargingPlan, costs: np.ndarray) -> tuple[int, int | None]:
    """The least that is possible, and the least with what the plan gives (None: it breaks a limit)."""
    solver = Solver(programme)
    best = whole(solver.least(costs)) @ costs
    solver.hold_energies(whole_energies_wh(made))
    held = solver.least(costs)
    return round(best), None if held is None else round(whole(held) @ costs)


def test_no_plan_is_cheaper_than_the_one_that_is_made(told):
    wrong, seen = [], Counter()
    for number in range(INSTANCES_COUNT):
        snapshot, now = park(Random(SEED + number))
        made = plan(snapshot, now)
        programme = programme_of(snapshot, now, made)
        best, planned = objectives(programme, made, programme.goal(weights_of(snapshot)))
        if best != planned:
            wrong.append((SEED + number, best, planned))
        seen["cars"] += len(snapshot.demands)
        seen["bookings"] += len(snapshot.expected)
        seen["groups that are expected"] += len(snapshot.arrivals)
        seen["learnt stays"] += sum(each.outlook is not None for each in snapshot.demands)
        seen["sites with feeders"] += bool(snapshot.site.feeders)
        seen["demand targets"] += snapshot.site.demand_target_w is not None
        seen["tariffs"] += any(slot.price_per_kwh is not None for slot in snapshot.grid)
    told.append(f"objective: {INSTANCES_COUNT:,} instances, {len(wrong)} mismatches (seed {SEED} and up)")
    told.append("  among them " + ", ".join(f"{count:,} {name}" for name, count in seen.items()))
    assert wrong == []


def sequence(programme: Programme, made: ChargingPlan | None, order: tuple[str, ...]) -> list[int]:
    """What every goal is missed by, each minimised with all before it held where they are; no weights are used."""
    solver, missed = Solver(programme), []
    if made is not None:
        solver.hold_energies(whole_energies_wh(made))
    for name in order:
        costs = programme.goal({name: 1.0})
        columns = solver.least(costs)
        assert columns is not None
        missed.append(round(float(columns @ costs)))
        solver.hold_goal(costs, missed[-1] + TIGHT)
    return missed


def test_the_weights_keep_the_order_of_the_goals(told):
    wrong, missing = [], Counter()
    for number in range(SEQUENCES_COUNT):
        is_plain = number % 2 == 0
        snapshot, now = park(Random(SEED + number), plain=is_plain)
        made = plan(snapshot, now)
        order = ORDER if is_plain else PROMISES
        programme = programme_of(snapshot, now, made)
        best, planned = sequence(programme, None, order), sequence(programme, made, order)
        if best != planned:
            wrong.append((SEED + number, best, planned))
        missing.update(name for name, wh in zip(order, best, strict=True) if wh)
    told.append(f"order of goals: {SEQUENCES_COUNT} sequences of programmes without weights, {len(wrong)} mismatches")
    told.append("  not fully reached: " + ", ".join(f"{name} {missing[name]}x" for name in ORDER))
    assert wrong == []


def wishes(chance: Random) -> tuple[list[Wish], float]:
    """Sessions of all kinds with the power that a plan gives them, and the room that they have together."""
    made = []
    for number in range(chance.randint(1, 8)):
        min_w = chance.choice([1200.0, 1200.0, 1200.0, 1800.0, 4000.0])
        max_w = max(min_w, chance.choice([min_w, 2400.0, 3600.0, 6000.0, 18_000.0]))
        power_w = chance.choice([0.0, *(chance.uniform(0, most_w) for most_w in (min_w, min_w, max_w)), max_w])
        made.append(
            Wish(
                key=f"session {number}",
                power_w=power_w,
                min_power_w=min_w,
                max_power_w=max_w,
                limit_w=chance.choice([None, 0.0, min_w, chance.uniform(min_w, max_w)]),
                switched_at=chance.choice([None, None, MORNING - timedelta(minutes=2), MORNING - timedelta(hours=1)]),
                need_wh=chance.uniform(100, 20_000),
                departs_at=MORNING + timedelta(minutes=chance.randint(1, 600)),
                floor_w=chance.choice([0.0, 1200.0, 1200.0]),
            )
        )
    planned_w = sum(max(wish.power_w, wish.floor_w) for wish in made)
    return made, chance.choice([1e9, planned_w, planned_w, planned_w * 1.1, planned_w + 2000])


def kept_on_w(wish: Wish) -> float:
    """What somebody who was switched on just now, and stays so, counts for beyond the floor."""
    is_fresh = wish.switched_at is not None and MORNING - wish.switched_at < timedelta(minutes=5)
    is_on = wish.limit_w is not None and wish.limit_w >= wish.min_power_w
    return max(0.0, wish.min_power_w - wish.floor_w) if is_fresh and is_on else 0.0


def test_limits_follow_the_planned_sum_within_one_minimum_power_of_the_best_choice(told):
    """6 A or nothing, against a mixed-integer programme; see `least_gap_w`."""
    shares, as_good, forced = [], 0, 0
    for number in range(ROUNDINGS_COUNT):
        made, room_w = wishes(Random(SEED + number))
        targets_w = round_targets(made, room_w=room_w, now=MORNING)
        used_w = sum(max(targets_w[wish.key], wish.floor_w) for wish in made)
        assert used_w <= room_w + 2 or used_w - room_w <= sum(map(kept_on_w, made)), SEED + number
        assert all(targets_w[each.key] == 0 or targets_w[each.key] >= each.min_power_w for each in made)
        best_w = least_gap_w(made, room_w, MORNING)
        if best_w is None:
            forced += 1
            continue
        gap_w = abs(sum(targets_w.values()) - sum(wish.power_w for wish in made))
        shares.append((gap_w - best_w) / max(wish.min_power_w for wish in made))
        as_good += gap_w <= best_w + 2
    told.append(
        f"6 A floor: {len(shares)} choices against a MILP, {as_good} as good, the others at most {max(shares):.2f} and "
        f"on average {sum(shares) / len(shares):.3f} of a minimum power further from the planned sum; "
        f"{forced} where those that must stay on leave no choice"
    )
    assert max(shares) <= 1 + TIGHT
