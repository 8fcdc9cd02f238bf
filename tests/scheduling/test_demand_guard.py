"""INV-3: the half hour's mean stays under the contract's where that is feasible; else reduce and alarm, never raise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.snapshot import SiteSpec
from app.scheduling.demand_guard import Cars, guarded

SLOT_AT = datetime(2026, 4, 1, 7, tzinfo=UTC)
SPEC = SiteSpec("north", "Asia/Tokyo", limit_w=200_000.0, margin_w=0.0, reserve_w=60_000.0, demand_target_w=100_000.0)
CARS = Cars(busy_w=50_000.0, floor_w=12_000.0, idle_w=6_000.0)


def at(minutes):
    return SLOT_AT + timedelta(minutes=minutes)


def drawn(power_w, minutes, step_s=5):
    return [(SLOT_AT + timedelta(seconds=second), power_w) for second in range(step_s, int(minutes * 60) + 1, step_s)]


def guard(samples, minutes, cars=CARS, load_w=40_000.0, expected_w=40_000.0, **changes):
    return guarded(replace(SPEC, **changes), samples, cars, load_w, expected_w, at(minutes))


def test_a_site_without_a_target_has_no_guard():
    assert guard([], 0, demand_target_w=None) is None


def test_at_its_beginning_a_half_hour_leaves_the_target_less_the_load_and_a_hundredth():
    assert guard([], 0).cap_w == pytest.approx(59_000.0)


def test_what_was_saved_may_be_drawn_and_what_was_spent_may_not():
    assert guard(drawn(80_000.0, 15), 15).cap_w == pytest.approx(78_000.0)
    assert guard(drawn(110_000.0, 15), 15).cap_w == pytest.approx(48_000.0)


def test_a_station_with_a_slow_clock_may_end_its_lease_late_and_leaves_less():
    """What the cars may go on drawing until then is taken from the rest of the half hour."""
    samples, many = drawn(90_000.0, 10), replace(CARS, busy_w=80_000.0)
    prompt, slow = (guard(samples, 10, replace(many, slack=timedelta(seconds=each))).cap_w for each in (30, 360))
    assert slow < prompt


def test_feeding_in_takes_nothing_off_what_was_drawn():
    assert guard(drawn(-50_000.0, 15), 15).drawn_wh == 0.0


def test_the_end_of_a_half_hour_gives_no_burst():
    late = guard(drawn(50_000.0, 29), 29).cap_w
    assert 59_000.0 < late < 120_000.0


def test_without_readings_the_reserve_and_all_that_cars_may_draw_count_as_drawn():
    blind = guard([], 15, load_w=60_000.0, expected_w=60_000.0)
    assert blind.drawn_wh == pytest.approx(110_000.0 / 4)
    assert blind.cap_w == 0.0


def test_what_cars_may_go_on_drawing_until_a_reduction_is_certain_is_taken_from_the_rest():
    samples, half = drawn(90_000.0, 10), 18_000.0 + 40_000.0
    steady = guard(samples, 10, replace(CARS, busy_w=half - 40_000.0)).cap_w
    assert guard(samples, 10, replace(CARS, busy_w=70_000.0)).cap_w < steady - 5_000.0


def test_a_gap_between_readings_is_filled_with_the_worst():
    samples = [*drawn(70_000.0, 5), *[each for each in drawn(70_000.0, 10) if each[0] > at(9)]]
    gap_s = 240 + 5
    assert guard(samples, 10).drawn_wh == pytest.approx((70_000.0 * (600 - gap_s) + 110_000.0 * gap_s) / 3600)


def test_the_half_hour_is_that_of_the_sites_own_clock():
    assert guard([], 14, zone="Asia/Kathmandu").starts_at == at(-15)
    assert guard([], 16, zone="Asia/Kathmandu").starts_at == at(15)


def test_a_target_that_cannot_be_met_with_all_cars_at_their_safe_current_is_told_and_allows_nothing():
    over = guard(drawn(130_000.0, 25), 25)
    assert (over.is_feasible, over.cap_w) == (False, 0.0)
    assert over.least_mean_w == pytest.approx((130_000.0 * 25 + 52_000.0 * 5) / 30)
    assert guard(drawn(100_000.0, 25), 25).is_feasible


LOADS_W = st.lists(st.floats(0, 60_000) | st.just(60_000.0), min_size=24, max_size=24)


@settings(deadline=None)
@given(LOADS_W, st.integers(0, 66), st.sets(st.integers(0, 359), max_size=200))
def test_half_hours_whose_load_alone_is_feasible_end_below_the_target(loads_w, lag, lost):
    """Cars take all that they may; reductions take up to eleven minutes, readings are lost, the load is any."""
    step, floor_w = timedelta(seconds=10), 12_000.0
    samples, allowed_w, drawn_wh = [], [floor_w], [0.0, 0.0]
    for number in range(360):
        now = SLOT_AT + number * step
        load_w = loads_w[number // 15]
        cars = Cars(busy_w=max(allowed_w[-lag - 1 :]), floor_w=floor_w, idle_w=0.0)
        made = guarded(SPEC, samples, cars, SPEC.reserve_w, load_w, now)
        allowed_w.append(max(floor_w, min(150_000.0, made.cap_w)))
        drawing_w = load_w + max(allowed_w[-lag - 1 :])
        drawn_wh[number // 180] += drawing_w * 10 / 3600
        if number not in lost:
            samples.append((now + step, drawing_w))
    assert max(drawn_wh) * 2 <= 100_000.0 + 1e-6
