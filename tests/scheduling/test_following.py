from dataclasses import replace
from datetime import timedelta

import pytest
from grids import NOW, SAFE_W, claim, evse, moments
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.snapshot import SiteSpec
from app.domain.wiring import Feeder, Wiring
from app.scheduling.feeders import grid_of
from app.scheduling.following import Room, Sun, follow, share_out, total_w

MANY = settings(max_examples=300, deadline=None)


def shares_of(moment: dict) -> dict[int, float]:
    ready = [each for each in moment["claims"] if each.is_steerable]
    return share_out(ready, moment["room"], moment["sun"], moment["now"])


@MANY
@given(moments())
def test_no_row_is_loaded_beyond_its_capacity_by_what_is_above_the_floors(moment):
    steerable = {each.evse_id for each in moment["claims"] if each.is_steerable}
    floors_w, grid = moment["room"].floors_w, moment["room"].grid
    for powers_w in (follow(**moment), shares_of(moment)):
        counted_w = {
            key: max(floor_w, powers_w.get(key, 0.0)) if key in steerable else floor_w
            for key, floor_w in floors_w.items()
        }
        for row, floor, load in zip(grid.rows, grid.loads(floors_w), grid.loads(counted_w), strict=True):
            assert load <= max(row.capacity, floor) + 1e-3


@MANY
@given(moments())
def test_a_target_is_zero_or_between_minimum_and_maximum_and_all_stay_under_the_cap(moment):
    targets_w = follow(**moment)
    ready = [each for each in moment["claims"] if each.is_steerable]
    for each in ready:
        target_w = targets_w[each.evse_id]
        assert target_w == 0 or each.min_power_w - 1e-2 <= target_w <= each.highest_w + 1e-6
    assert sum(targets_w[each.evse_id] for each in ready) <= moment["room"].most_w + 1e-3


@MANY
@given(moments(), st.randoms())
def test_the_order_of_the_claims_does_not_matter(moment, chance):
    shuffled = list(moment["claims"])
    chance.shuffle(shuffled)
    assert follow(**(moment | {"claims": shuffled})) == follow(**moment)


@MANY
@given(moments(), st.floats(0, 30_000))
def test_more_measured_sun_lowers_nobody(moment, more_w):
    sun = replace(moment["sun"], measured_w=moment["sun"].measured_w or 0.0)
    darker = shares_of(moment | {"sun": sun})
    brighter = shares_of(moment | {"sun": replace(sun, measured_w=sun.measured_w + more_w)})
    assert all(brighter[key] >= darker[key] - 1e-3 for key in darker)


@MANY
@given(moments())
def test_what_a_departure_depends_on_is_given_whatever_the_sun_does(moment):
    """Where rows and cap have room for everybody's must, everybody whose must is a usable limit gets at least that."""
    moment["room"] = replace(moment["room"], most_w=float("inf"))
    ready = [each for each in moment["claims"] if each.is_steerable]
    floors_w, grid = moment["room"].floors_w, moment["room"].grid
    must_w = {each.evse_id: min(each.must_w, each.max_power_w) for each in ready}
    levels_w = shares_of(moment)
    if not grid.excesses({key: max(floor_w, must_w.get(key, 0.0)) for key, floor_w in floors_w.items()}):
        assert all(levels_w[key] >= power_w - 1e-3 for key, power_w in must_w.items())
    targets_w = follow(**moment)
    for each in ready:
        if levels_w[each.evse_id] >= each.must_w >= each.min_power_w:
            assert targets_w[each.evse_id] >= min(each.must_w, levels_w[each.evse_id]) - 1e-2


@pytest.mark.parametrize(
    ("planned_w", "expected_w", "measured_w", "followed_w"),
    [
        (6000.0, 4000.0, None, 6000.0),  # nothing measured: the plan
        (6000.0, 4000.0, 4000.0, 6000.0),
        (6000.0, 4000.0, 1000.0, 3000.0),  # 2 kW are bought on purpose
        (6000.0, 4000.0, 0.0, 2000.0),
        (6000.0, 4000.0, 6000.0, 6000.0),  # more sun replaces the grid first
        (6000.0, 4000.0, 9000.0, 9000.0),
        (3000.0, 8000.0, 5000.0, 5000.0),
        (3000.0, 8000.0, 2000.0, 2000.0),
    ],
)
def test_the_total_follows_the_sun_but_what_is_bought_on_purpose(planned_w, expected_w, measured_w, followed_w):
    assert total_w(planned_w, Sun(expected_w, measured_w)) == followed_w


SPECS = tuple(evse(number, feeder_id="panel" if number < 3 else None) for number in (1, 2, 3))
WIDE = SiteSpec("site", "Asia/Tokyo", 40_000.0, 0.0, 0.0, feeders=(Feeder("panel", limit_w=30_000.0),))
FLOORS = {spec.evse_id: SAFE_W for spec in SPECS}


def followed_w(*claims, sun, site=WIDE, cap_w=float("inf"), now=NOW):
    return follow(claims, Room(grid_of(site, SPECS), FLOORS, cap_w), sun, now)


def test_free_sun_goes_to_those_who_need_it_soonest():
    late, early = claim(1, departs_at=NOW + timedelta(hours=8)), claim(2, departs_at=NOW + timedelta(hours=2))
    targets_w = followed_w(late, early, sun=Sun(0.0, 7500.0))
    assert targets_w == pytest.approx({1: 1500.0, 2: 6000.0})


def test_a_full_panel_leaves_its_sun_to_the_others():
    site = replace(WIDE, feeders=(Feeder("panel", limit_w=5000.0),))
    targets_w = followed_w(*(claim(number) for number in (1, 2, 3)), sun=Sun(0.0, 11_000.0), site=site)
    assert targets_w == pytest.approx({1: 2500.0, 2: 2500.0, 3: 6000.0})


def test_a_dark_minute_takes_the_sun_back_and_leaves_what_is_bought():
    bought, sunny = claim(1, planned_w=3000.0, must_w=3000.0), claim(2, planned_w=4000.0)
    assert followed_w(bought, sunny, sun=Sun(4000.0, 0.0)) == {1: 3000.0, 2: 0.0}


def test_less_than_a_minimum_each_goes_round():
    claims = [claim(number, planned_w=600.0) for number in (1, 2, 3)]
    targets_w = followed_w(*claims, sun=Sun(1800.0, 1800.0))
    assert sorted(targets_w.values()) == [0.0, 0.0, 1800.0]


def test_noise_of_the_meter_sends_nothing():
    claims = [claim(number, planned_w=3000.0, limit_w=3000.0) for number in (1, 2, 3)]
    for measured_w in (8850.0, 9000.0, 9150.0):
        assert followed_w(*claims, sun=Sun(9000.0, measured_w)) == {1: 3000.0, 2: 3000.0, 3: 3000.0}


def test_a_small_change_of_the_sun_changes_one_limit():
    claims = [claim(number, planned_w=3000.0, limit_w=3000.0) for number in (1, 2, 3)]
    targets_w = followed_w(*claims, sun=Sun(9000.0, 8400.0))
    assert sorted(targets_w.values()) == pytest.approx([2400.0, 3000.0, 3000.0])


def test_a_fresh_order_is_not_followed_by_another_one_but_for_the_cap():
    claims = [claim(1, planned_w=6000.0, limit_w=6000.0, sent_at=NOW - timedelta(seconds=5))]
    assert followed_w(*claims, sun=Sun(6000.0, 1500.0)) == {1: 6000.0}
    assert followed_w(*claims, sun=Sun(6000.0, 1500.0), cap_w=2000.0) == {1: 1500.0}


def test_a_contactor_stays_for_five_minutes_as_it_is():
    minute_ago = NOW - timedelta(minutes=1)
    on = claim(1, planned_w=3000.0, limit_w=3000.0, switched_at=minute_ago)
    off = claim(2, planned_w=3000.0, limit_w=0.0, switched_at=minute_ago)
    assert followed_w(on, off, sun=Sun(6000.0, 0.0)) == {1: 1200.0, 2: 0.0}
    assert followed_w(on, off, sun=Sun(6000.0, 12_000.0))[2] == 0.0
    assert followed_w(on, off, sun=Sun(6000.0, 12_000.0), now=NOW + timedelta(minutes=4))[2] == 6000.0


def test_who_cannot_be_steered_keeps_its_limit_and_its_sun():
    away = claim(1, planned_w=3000.0, limit_w=3000.0, is_steerable=False)
    assert followed_w(away, claim(2), sun=Sun(3000.0, 5000.0)) == pytest.approx({1: 3000.0, 2: 2000.0})


def test_a_fast_charger_starts_at_its_own_minimum():
    site = replace(WIDE, feeders=())
    fast = evse(1, wiring=Wiring.L1_L2_L3, nameplate_w=50_000.0, min_power_w=5000.0, w_per_a=600.0, phase_count=3)
    one = claim(1, min_power_w=5000.0, max_power_w=50_000.0)
    for measured_w, target_w in ((3000.0, 0.0), (4000.0, 5000.0), (20_000.0, 20_000.0)):
        targets_w = follow([one], Room(grid_of(site, [fast]), {1: 1200.0}), Sun(0.0, measured_w), NOW)
        assert targets_w == pytest.approx({1: target_w})
