"""Cars as classes and back: nothing is invented, nothing is lost, and with all levels nothing is worse."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.stays import StayOutlook
from app.scheduling import classes, planner
from app.scheduling.branches import rooms_of
from app.scheduling.cars import cars_of
from app.scheduling.classes import classes_of, risk_classes, spread
from app.scheduling.flow import solve
from app.scheduling.instance import gone_shares, instance, slots_of, takers_of
from tests.scheduling.fleets import NOW, QUARTER, demand, hedged_parks, snapshot

RELAXED = settings(max_examples=30, deadline=None)
CURVES = tuple(
    StayOutlook(tuple(max(0.0, 1 - max(0, slot - stays) / 8) for slot in range(24))) for stays in (4, 12, 30)
)


@st.composite
def fleets(draw: st.DrawFn):
    """A park of cars that are often alike, at some minute of a quarter, with a need that always fits the stay."""
    now = NOW + timedelta(minutes=draw(st.sampled_from([0, 5, 7, 12])))
    cars = []
    for number in range(1, draw(st.integers(2, 20)) + 1):
        quarters = draw(st.sampled_from([2, 4, 5, 9, 16, 24]))
        max_power_w = draw(st.sampled_from([3000.0, 6000.0]))
        reach_wh = max_power_w * ((NOW + QUARTER * quarters - now) / timedelta(hours=1))
        need_wh = reach_wh * draw(st.sampled_from([0.1, 0.3, 0.55, 0.8, 1.0]))
        cars.append(
            demand(
                number,
                hours=quarters / 4,
                need_wh=need_wh,
                max_power_w=max_power_w,
                limit_w=draw(st.sampled_from([None, 0.0, 3000.0])),
                outlook=draw(st.none() | st.sampled_from(CURVES)),
            )
        )
    surplus_w = [float(draw(st.integers(0, 30)) * 1000) for _ in range(24)]
    return snapshot(cars, surplus_w, float(draw(st.integers(len(cars) * 1200 + 3000, 90_000)))), now


def both_ways(park, now, grains):
    """Return the cars, the problem of single cars and of classes, the classes, their solution, and what it means."""
    rooms = rooms_of(park)
    cars = cars_of(park, now, rooms.branch_of)
    slots = planner.planning_slots(now, NOW + 24 * QUARTER)
    times = slots_of(slots, now)
    gone = gone_shares(cars.outlooks, times)
    made = classes_of(cars, gone, times, most_count=grains)
    surplus_w = [each.surplus_w for each in park.surplus]
    single, few = (
        instance(park, rooms.above_w, rooms.branches, takers, slots, surplus_w, now)
        for takers in (takers_of(cars, gone), made.takers)
    )
    solution = solve(few)
    return cars, times, single, few, made, solution, spread(made, planner._outcome(few))


@RELAXED
@given(fleets() | hedged_parks().map(lambda park: (park, NOW)), st.sampled_from([1, 10, 10_000]))
def test_no_car_is_above_its_power_or_need_and_classes_totals_are_kept(fleet, most_count):
    cars, times, _, _, made, solution, outcome = both_ways(*fleet, most_count)
    energy_wh, count = outcome.energy_wh.astype(float), len(cars.demands)
    window_s = np.clip(
        np.minimum(times.end_s, cars.end_s[:, None]) - np.maximum(times.start_s, cars.start_s[:, None]), 0, None
    )
    assert (energy_wh <= cars.max_w[:, None] * window_s / 3600 * (1 + 1e-6) + 1e-3).all()
    assert (energy_wh.sum(axis=1) <= cars.need_wh + 1e-2).all()
    assert energy_wh.sum(axis=0) == pytest.approx(solution.energy_wh.sum(axis=0), abs=0.1)
    missing_wh = cars.need_wh - energy_wh.sum(axis=1) - outcome.unmet_wh
    assert (np.abs(missing_wh[:count]) <= 2).all()
    for kind in range(made.count):
        mine = np.where(made.low == kind, made.low_share, 0) + np.where(made.high == kind, made.high_share, 0)
        assert mine.sum() == pytest.approx(1 if made.takers.max_w[kind] else 0)


@RELAXED
@given(fleets(), st.sampled_from([1, 10, 10_000]))
def test_what_is_planned_for_classes_exceeds_the_site_for_no_car(fleet, most_count):
    park, now = fleet
    *_, outcome = both_ways(park, now, most_count)
    slots = planner.planning_slots(now, NOW + 24 * QUARTER)
    hours = np.array([slot.span / timedelta(hours=1) for slot in slots])
    held_w = np.maximum(outcome.energy_wh / hours, 1200.0).sum(axis=0)
    assert (held_w <= park.site.limit_w + 1).all()


@RELAXED
@given(fleets())
def test_classes_with_all_levels_lose_nothing_where_no_power_is_free_and_ends_lie_on_the_grid(fleet):
    park, now = fleet
    bare = replace(park, evses=tuple(replace(evse, safe_power_w=0.0) for evse in park.evses))
    _, times, single, few, _, solution, _ = both_ways(bare, now, 10_000)
    exact = solve(single)
    # whole Wh are rounded per class and slot: that much may be unmet, and bought from elsewhere
    rounding_wh = 2 * (few.car_count + len(bare.demands)) * (len(times.end_s) + 2)
    assert abs(int(solution.unmet_wh.sum()) - int(exact.unmet_wh.sum())) <= rounding_wh
    assert abs(int(solution.grid_wh.sum()) - int(exact.grid_wh.sum())) <= rounding_wh


def test_many_alike_cars_are_few_classes_and_get_what_single_ones_get():
    cars = [demand(number, hours=4, need_wh=4000 + 500 * (number % 7), outlook=CURVES[1]) for number in range(1, 60)]
    park = snapshot(cars, [0.0] * 4 + [200_000.0] * 8 + [0.0] * 12, limit_w=400_000.0)
    _, _, single, _, made, solution, outcome = both_ways(park, NOW, 10_000)
    assert made.count <= 5
    exact = solve(single)
    assert solution.grid_wh.sum() == pytest.approx(exact.grid_wh.sum(), abs=200)
    assert outcome.unmet_wh.sum() <= 200


def test_curves_are_put_together_by_how_alike_they_are():
    gone = gone_shares(CURVES * 3, slots_of(planner.planning_slots(NOW, NOW + 24 * QUARTER), NOW))
    assert len(set(risk_classes(gone, 2)[gone.row])) == 2
    assert len(set(risk_classes(gone, 9)[gone.row])) == 3


@settings(max_examples=25, deadline=None)
@given(fleets(), st.randoms())
def test_a_plan_of_classes_does_not_depend_on_the_order_of_sessions(fleet, chance):
    park, now = fleet
    shuffled = list(park.demands)
    chance.shuffle(shuffled)

    def powers(of_park):
        rooms = rooms_of(of_park)
        cars = cars_of(of_park, now, rooms.branch_of)
        times = slots_of(planner.planning_slots(now, NOW + 24 * QUARTER), now)
        made = classes_of(cars, gone_shares(cars.outlooks, times), times, most_count=5)
        return made.takers.max_w.tolist(), made.takers.blocks.need_wh.tolist(), made.low.tolist()

    assert powers(park) == powers(replace(park, demands=tuple(shuffled)))


def test_the_coarsest_grain_is_taken_where_even_that_makes_more_classes_than_wanted():
    cars = [demand(number, hours=1 + number / 4, need_wh=3000) for number in range(1, 9)]
    park = snapshot(cars, [0.0] * 24)
    made = both_ways(park, NOW, 1)[4]
    assert made.count > 1
    assert classes.GRAINS[0].risk_count == 1
