"""The electrical tree as rows: what an EVSE loads, and what is kept free for stations that forget their limits."""

from dataclasses import replace

import pytest

from app.domain.commands import RateUnit
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Conductor, Feeder, Wiring
from app.scheduling.feeders import Sums, grid_of

L1, L2, L3 = Conductor
FEEDERS = (
    Feeder("main", rating_a=100.0, margin_a=5.0, reserve_a=10.0),
    Feeder("panel", "main", rating_a=40.0, limit_w=9000.0, margin_w=500.0, reserve_w=500.0),
)
SITE = SiteSpec("site", "Asia/Tokyo", 40_000.0, 1000.0, 4000.0, feeders=FEEDERS)


def evse(number: int, wiring: Wiring = Wiring.L1_L2, feeder_id: str | None = "panel", **more: object) -> EvseSpec:
    return EvseSpec(
        number,
        f"s{number}",
        1,
        6000.0,
        1200.0,
        1200.0,
        200.0,
        1,
        True,
        True,
        wiring=wiring,
        feeder_id=feeder_id,
        **more,
    )


def loads(spec: EvseSpec, power_w: float, site: SiteSpec = SITE) -> dict:
    grid = grid_of(site, [spec])
    return {row.key: load for row, load in zip(grid.rows, grid.loads({spec.evse_id: power_w}), strict=True) if load}


def test_a_line_to_line_evse_loads_two_conductors_of_every_feeder_above_it():
    assert loads(evse(1), 4000.0) == {
        (None, None): 4000.0,
        ("panel", None): 4000.0,
        ("panel", L1): 20.0,
        ("panel", L2): 20.0,
        ("main", L1): 20.0,
        ("main", L2): 20.0,
    }


def test_an_evse_of_unknown_wiring_may_load_every_conductor():
    assert {key for key in loads(evse(1, Wiring.UNKNOWN), 4000.0) if key[0] == "main"} == {
        ("main", each) for each in Conductor
    }


def test_a_limit_in_watts_bounds_a_phase_only_at_the_lowest_voltage_on_one_phase():
    three_phase = replace(evse(1, Wiring.L1_L2_L3), nameplate_w=18_000.0, w_per_a=600.0, phase_count=3)
    assert loads(three_phase, 3600.0)["main", L3] == pytest.approx(6.0)
    in_watts = replace(three_phase, rate_unit=RateUnit.W)
    assert loads(in_watts, 3600.0)["main", L3] == pytest.approx(20.0)
    assert loads(in_watts, 9000.0)["main", L3] == pytest.approx(30.0)  # its nameplate


def test_margins_and_uncontrolled_load_are_taken_off_and_a_measured_load_replaces_the_reserve():
    grid = grid_of(SITE, [evse(1)])
    capacities = {row.key: row.capacity for row in grid.rows}
    assert capacities[None, None] == 35_000.0
    assert capacities["panel", None] == 8000.0
    assert capacities["main", L2] == 85.0
    measured = grid_of(SITE, [evse(1)], {("main", L2): 4.0})
    assert {row.key: row.capacity for row in measured.rows}["main", L2] == 91.0


def test_the_margin_covers_what_the_k_largest_stations_could_draw_beyond_their_safe_current():
    evses = [evse(1), evse(2), replace(evse(3, Wiring.L3_L1), nameplate_w=4000.0), replace(evse(4), is_verified=False)]
    capacities = {row.key: row.capacity for row in grid_of(replace(SITE, surprised_count=1), evses).rows}
    assert capacities["main", L1] == 85.0 - 24.0
    assert capacities["main", L3] == 85.0 - 14.0
    assert capacities[None, None] == 35_000.0 - 4800.0
    twice = {row.key: row.capacity for row in grid_of(replace(SITE, surprised_count=2), evses).rows}
    assert twice["main", L1] == 85.0 - 48.0


def test_a_row_rests_where_nobody_counts_with_more_than_without_any_limit():
    grid = grid_of(SITE, [evse(1), evse(2, Wiring.L3_N)])
    resting = grid.resting({1: 1200.0, 2: 3000.0}, {1: 1200.0, 2: 1200.0})
    assert {("main", L1), ("panel", L2)} <= resting
    assert not {("main", L3), ("panel", None), (None, None)} & resting


def test_all_evses_of_one_station_are_surprised_together():
    evses = [replace(evse(number), station_id="s1", evse_number=number) for number in (1, 2)]
    capacities = {row.key: row.capacity for row in grid_of(replace(SITE, surprised_count=1), evses).rows}
    assert capacities["main", L1] == 85.0 - 48.0


def test_a_raise_needs_room_in_every_row_and_what_is_counted_already_needs_none():
    sums = Sums(grid_of(SITE, [evse(1), evse(2)]), {1: 1200.0, 2: 1200.0})
    assert sums.highest_w(1) >= 6000.0  # all that it can draw
    sums.count(1, 6000.0)
    assert sums.highest_w(2) == pytest.approx(2000.0)
    full = Sums(grid_of(SITE, [evse(1), evse(2)]), {1: 6000.0, 2: 6000.0})
    assert full.highest_w(1) == 6000.0
    assert full.is_tight(1)
    assert grid_of(SITE, [evse(1), evse(2)]).excesses({1: 6000.0, 2: 6000.0})["panel", L1] == pytest.approx(20.0)
