"""What uncontrolled load is counted with: min(reserve, measured + ΔB) from healthy meters, else the reserve."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.snapshot import SiteSpec
from app.domain.wiring import Conductor, Feeder
from app.scheduling.uncontrolled import SITE, MeterReading, bounds

NOW = datetime(2026, 4, 1, 7, tzinfo=UTC)
PANEL = Feeder("panel", rating_a=100.0, reserve_a=30.0, rise_a=5.0)
SPEC = SiteSpec(
    "north", "Asia/Tokyo", limit_w=100_000.0, margin_w=0.0, reserve_w=40_000.0, rise_w=8_000.0, feeders=(PANEL,)
)
L1, L2 = ("panel", Conductor.L1), ("panel", Conductor.L2)


def reading(ago_s, building_w, **others):
    at = NOW - timedelta(seconds=ago_s)
    return MeterReading(at, at, 0.0, building_w, **others)


def steady(building_w=20_000.0, step_s=5, span_s=40, **others):
    """A meter that speaks every few seconds, moving by a watt each time."""
    return [reading(ago_s, building_w - ago_s, **others) for ago_s in range(span_s, -1, -step_s)]


def test_a_healthy_meter_counts_what_it_measured_and_how_much_it_may_rise():
    found = bounds(SPEC, steady(), NOW)
    assert found.loads[SITE] == 28_000.0
    assert (found.expected_w, found.troubles) == (
        20_000.0,
        {"panel L1": "stale", "panel L2": "stale", "panel L3": "stale"},
    )


def test_without_a_proven_rise_the_reserve_counts_whatever_the_meter_says():
    assert bounds(replace(SPEC, rise_w=None), steady(), NOW).loads[SITE] == 40_000.0


def test_never_more_than_the_reserve_counts_while_the_load_is_below_it():
    assert bounds(SPEC, steady(39_000.0), NOW).loads[SITE] == 40_000.0


def test_a_load_above_its_reserve_counts_as_measured_and_is_told():
    found = bounds(SPEC, [*steady()[:-1], reading(0, 45_000.0)], NOW)
    assert (found.loads[SITE], found.exceeded[SITE]) == (53_000.0, 5_000.0)
    unproven = bounds(replace(SPEC, rise_w=None), [reading(0, 45_000.0)], NOW)
    assert (unproven.loads[SITE], unproven.exceeded[SITE]) == (45_000.0, 5_000.0)


def test_a_fall_is_believed_after_half_a_minute_and_a_rise_at_once():
    fallen = [reading(ago_s, 20_000.0 + ago_s if ago_s > 10 else 5_000.0 + ago_s) for ago_s in range(40, -1, -5)]
    assert bounds(SPEC, fallen, NOW).loads[SITE] == 28_030.0
    risen = [*steady(5_000.0)[:-1], reading(0, 20_000.0)]
    assert bounds(SPEC, risen, NOW).loads[SITE] == 28_000.0


BROKEN = {
    "silent": ([], "stale"),
    "too old": ([reading(ago_s, 20_000.0 + ago_s) for ago_s in range(60, 10, -5)][:-1], "stale"),
    "with a gap": ([reading(ago_s, 20_000.0 + ago_s) for ago_s in (45, 40, 35, 30, 15, 10, 5, 0)], "sparse"),
    "just begun": (steady(span_s=20), "sparse"),
    "stuck": ([reading(ago_s, 20_000.0) for ago_s in range(40, -1, -5)], "frozen"),
    "stuck at a slow pace": ([reading(ago_s, 20_000.0) for ago_s in range(40, -1, -10)], "frozen"),
    "not a number": ([*steady()[:-2], reading(5, math.nan), reading(0, 20_000.0)], "nan"),
    "infinite": ([*steady()[:-1], reading(0, math.inf)], "nan"),
    "the wrong way round": ([*steady()[:-1], reading(0, -20_000.0)], "sign-flipped"),
    "impossible": ([*steady()[:-1], reading(0, 1e9)], "absurd"),
}


@pytest.mark.parametrize(("readings", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_meter_in_trouble_counts_the_reserve_and_is_told(readings, reason):
    found = bounds(SPEC, readings, NOW)
    assert (found.loads[SITE], found.troubles["site building"]) == (40_000.0, reason)
    assert found.expected_w == 40_000.0


def test_a_reading_that_was_refused_makes_everything_unreliable():
    found = bounds(SPEC, steady(), NOW, refused="pv_kw: must be a finite number")
    assert (found.loads[SITE], found.troubles["site reading"]) == (40_000.0, "pv_kw: must be a finite number")


def test_a_meter_whose_clock_is_ahead_does_not_look_fresh_once_it_is_silent():
    ahead = [replace(each, at=each.at + timedelta(minutes=4)) for each in steady()]
    assert bounds(SPEC, ahead, NOW).loads[SITE] == 28_000.0
    assert bounds(SPEC, ahead, NOW + timedelta(seconds=11)).troubles["site building"] == "stale"


def test_zeros_count_the_reserve_without_an_alarm():
    found = bounds(SPEC, [reading(ago_s, 0.0) for ago_s in range(40, -1, -5)], NOW)
    assert (found.loads[SITE], "site building" in found.troubles) == (40_000.0, False)


def test_a_slow_meter_is_no_trouble_where_nothing_relies_on_it_but_a_fast_one_that_falls_silent_is():
    unproven = replace(SPEC, rise_w=None, feeders=())
    assert bounds(unproven, [reading(300, 1.0), reading(240, 1.0)], NOW).troubles == {}
    assert bounds(unproven, [reading(300, 1.0), reading(297, 1.0)], NOW).troubles == {"site building": "stale"}


def test_every_conductor_of_a_feeder_is_counted_by_itself():
    readings = [replace(each, loads={L1: 10.0 + number / 100, L2: 12.0}) for number, each in enumerate(steady())]
    found = bounds(SPEC, readings, NOW)
    assert found.loads[L1] == pytest.approx(15.08)
    assert (found.loads[L2], found.troubles["panel L2"], found.troubles["panel L3"]) == (30.0, "frozen", "stale")


def test_ten_seconds_above_a_rating_are_told_a_shorter_peak_is_not():
    peak = [*steady(grid_w=90_000.0)[:-1], reading(0, 20_000.0, grid_w=115_000.0)]
    assert bounds(SPEC, peak, NOW).over == {}
    longer = [*steady(grid_w=110_000.0), reading(0, 20_000.0, grid_w=110_000.0, totals={L1: -130.0})]
    assert bounds(SPEC, longer, NOW).over == {SITE: 10_000.0, L1: 30.0}
    assert bounds(SPEC, longer, NOW + timedelta(seconds=11)).over == {}


VALUES_W = st.one_of(
    st.floats(0, 60_000), st.sampled_from([0.0, -1.0, math.nan, math.inf, -math.inf, 1e300, -20_000.0])
)
SERIES = st.lists(st.tuples(st.floats(0, 90), VALUES_W), max_size=30)


@given(SERIES, st.one_of(st.none(), st.floats(0, 20_000)))
def test_whatever_meters_say_the_count_is_the_reserve_or_what_was_measured_with_its_rise(series, rise_w):
    spec = replace(SPEC, rise_w=rise_w, feeders=())
    readings = [reading(ago_s, value) for ago_s, value in sorted(series, reverse=True)]
    counted_w = bounds(spec, readings, NOW).loads[SITE]
    fresh = [each.building_w for each in readings if NOW - each.at <= timedelta(seconds=10)]
    newest_w = readings[-1].building_w if readings and math.isfinite(readings[-1].building_w) else 0.0
    assert 0 < counted_w <= max(spec.reserve_w, newest_w + (rise_w or 0.0))
    if fresh and math.isfinite(fresh[-1]) and fresh[-1] < 2e6:
        assert counted_w >= min(spec.reserve_w, fresh[-1] + (rise_w or 0.0))


@given(SERIES, st.floats(10.001, 3600))
def test_whatever_was_said_ten_seconds_later_nothing_less_than_the_reserve_counts(series, later_s):
    readings = [reading(ago_s, value) for ago_s, value in sorted(series, reverse=True)]
    now = NOW + timedelta(seconds=later_s)
    found = bounds(SPEC, readings, now)
    last_w = readings[-1].building_w if readings and now - readings[-1].at <= timedelta(minutes=15) else 0.0
    is_beyond = math.isfinite(last_w) and SPEC.reserve_w < last_w < 2e6
    assert found.loads[SITE] == (last_w + SPEC.rise_w if is_beyond else 40_000.0)
    assert found.troubles["site building"] == "stale"


def test_a_slow_meter_that_measured_more_than_the_reserve_is_remembered_for_a_quarter_of_an_hour():
    """Else its alarm would come and go with every reading, and the cars with it."""
    spec = replace(SPEC, rise_w=None)
    beyond = [reading(120, 44_000.0), reading(60, 45_000.0)]
    assert bounds(spec, beyond, NOW).loads[SITE] == 45_000.0
    assert bounds(spec, beyond, NOW + timedelta(minutes=15)).loads[SITE] == 40_000.0
    assert bounds(spec, [*beyond, reading(0, 30_000.0)], NOW).exceeded == {}
