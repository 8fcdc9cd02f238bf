"""The meter at the connection: when it can be meant, what was drawn, and the load that it gives away."""

import csv
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from app.domain.snapshot import SiteSpec
from app.scheduling.demand_guard import Cars, guarded
from app.scheduling.grid_meter import agrees, drawn, grid_trouble, with_grid
from app.scheduling.uncontrolled import SITE, MeterReading, bounds

RECORDS = Path(__file__).resolve().parents[3] / "shared" / "data" / "load"
NOW = datetime(2026, 4, 1, 7, tzinfo=UTC)
SPEC = SiteSpec("north", "Asia/Tokyo", limit_w=100_000.0, margin_w=0.0, reserve_w=40_000.0, rise_w=8_000.0)


def reading(ago_s, grid_w, building_w=20_000.0, pv_w=0.0):
    at = NOW - timedelta(seconds=ago_s)
    return MeterReading(at, at, pv_w, building_w - ago_s, grid_w)


def steady(grid_w, **others):
    return [reading(ago_s, grid_w + ago_s / 10, **others) for ago_s in range(40, -1, -5)]


def looked(readings, cars_w=20_000.0, spec=SPEC):
    return with_grid(spec, bounds(spec, readings, NOW), readings, cars_w, NOW)


TROUBLES = {
    "agreeing": (steady(30_000.0), None),
    "feeding in what the sun leaves": (steady(-30_000.0, pv_w=50_000.0), None),
    "the wrong way round": (steady(-30_000.0), "sign-flipped"),
    "showing too little either way": (steady(5_000.0), "contradicts the building"),
    "stuck": ([reading(ago_s, 30_000.0) for ago_s in range(40, -1, -5)], "frozen"),
    "no number": ([*steady(30_000.0)[:-1], reading(0, math.nan)], "nan"),
    "silent": (steady(30_000.0)[:-3], "stale"),
}


@pytest.mark.parametrize(("readings", "reason"), TROUBLES.values(), ids=TROUBLES)
def test_the_meter_at_the_connection_has_to_move_and_to_agree_with_the_building(readings, reason):
    assert grid_trouble(SPEC, readings, NOW) == reason
    assert looked(readings).troubles.get("site grid") == reason


def test_a_site_without_that_meter_is_in_no_trouble_unless_its_target_needs_it():
    unmetered = [replace(each, grid_w=None) for each in steady(0.0)]
    assert looked(unmetered).troubles == {}
    guarded_spec = replace(SPEC, demand_target_w=50_000.0)
    assert looked(unmetered, spec=guarded_spec).troubles == {"site grid": "stale"}


def test_what_is_drawn_beyond_all_that_cars_may_draw_is_uncontrolled_load():
    found = looked(steady(75_000.0), cars_w=20_000.0)
    assert found.loads[SITE] == pytest.approx(55_000.0)
    assert found.troubles == {"site building": "load beyond what it shows"}
    assert looked(steady(45_000.0), cars_w=20_000.0).loads == bounds(SPEC, steady(45_000.0), NOW).loads


def test_cars_that_still_come_down_are_no_uncontrolled_load():
    falling = [*steady(45_000.0)[:3], *steady(75_000.0)[3:]]
    assert looked(falling, cars_w=20_000.0).troubles == {}


def test_what_cannot_be_meant_is_a_gap_of_what_was_drawn():
    assert [power_w for _, power_w in drawn([reading(10, -30_000.0), reading(5, math.nan), reading(0, 25_000.0)])] == [
        25_000.0
    ]
    stuck = [reading(ago_s, 30_000.0) for ago_s in range(60, -1, -5)]
    assert [at for at, _ in drawn(stuck)] == [each.at for each in stuck[:6]]
    assert not agrees(replace(reading(0, 0.0), grid_w=None))


@pytest.mark.skipif(not RECORDS.is_dir(), reason="the office's load record is not shipped")
def test_half_hours_over_a_recorded_morning_end_just_below_the_target():
    """A reading every 5 s, reductions in force after 20 s, cars that take all they may; the load climbs as recorded."""
    with (RECORDS / "doe_medium_office_los_angeles_hourly.csv").open() as file:
        hourly_w = [float(row["power_kw"]) * 1000 for row in csv.DictReader(file)]
    morning = slice(24 * 12 + 6, 24 * 12 + 11)
    step, floor_w, most_w = timedelta(seconds=5), 10_000.0, 150_000.0
    spec = replace(SPEC, limit_w=400_000.0, reserve_w=230_000.0, rise_w=25_000.0, demand_target_w=260_000.0)
    load = [low + (high - low) * number / 720 for low, high in pairwise(hourly_w[morning]) for number in range(720)]
    readings, allowed_w, drawn_wh = [], [floor_w], [0.0] * (len(load) // 360)
    for number, load_w in enumerate(load):
        now = NOW + number * step
        found = bounds(spec, readings[-9:], now)
        samples = drawn(readings[-(number % 360) :] if number % 360 else [])
        busy_w = max(allowed_w[-5:])
        made = guarded(spec, samples, Cars(busy_w, floor_w, 0.0), found.loads[SITE], found.expected_w, now)
        allowed_w.append(max(floor_w, min(most_w, made.cap_w)))
        grid_w = load_w + busy_w
        drawn_wh[number // 360] += grid_w * 5 / 3600
        readings.append(MeterReading(now + step, now + step, 0.0, load_w, grid_w))
    means_w = [2 * energy_wh for energy_wh in drawn_wh]
    assert 0.95 * 260_000.0 < max(means_w) <= 260_000.0
    assert min(means_w) > 0.9 * min(260_000.0, min(load) + most_w)
