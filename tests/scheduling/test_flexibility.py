"""The offer against a linear programme over the same cars: every block is what can be sustained, no more."""

from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import highspy
import numpy as np
import pytest
from hypothesis import given, settings

from app.domain.intervals import MARKET_SLOT
from app.scheduling.flexibility import _car, _market_slots, offer
from app.scheduling.planner import plan
from tests.scheduling.fleets import NOW, demand, parks, snapshot


def fleet(park):
    charging = plan(park, NOW)
    slots = tuple(_market_slots(NOW, max(each.departs_at for each in park.demands), ZoneInfo("Asia/Tokyo")))
    lines = {line.session_id: line for line in charging.lines}
    return charging, slots, [_car(each, lines[each.session_id], charging, slots, NOW) for each in park.demands]


def extreme_w(cars, numbers, sign):
    """The largest constant change (by LP) of the covering cars' power over the window, in W."""
    highs = highspy.Highs()
    highs.silent()
    change = highs.addVariable(0.0, 1e7)
    totals = {number: [] for number in numbers}
    for car in cars:
        energy = [highs.addVariable(0.0, reach) for reach in car.reach_wh]
        highs.addConstr(sum(energy) >= car.low_wh)
        highs.addConstr(sum(energy) <= car.high_wh)
        for number in numbers:
            totals[number].append(energy[number])
    for number in numbers:
        baseline_wh = sum(car.baseline_wh[number] for car in cars)
        highs.addConstr(sum(totals[number]) - sign * 0.5 * change == baseline_wh)
    highs.maximize(change)
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(np.array(highs.getSolution().col_value)[0])


@settings(max_examples=60, deadline=None)
@given(parks())
def test_a_block_is_exactly_what_the_linear_programme_can_sustain_below_the_site_limit(park):
    charging, slots, cars = fleet(park)
    offered = offer(park, charging, NOW)
    for block in offered.blocks[:4]:
        numbers = [n for n, slot in enumerate(slots) if block.interval.overlap(slot) > timedelta(0)]
        covering = [car for car in cars if car.window.overlap(block.interval) == block.interval.span]
        assert block.decrease_w == pytest.approx(extreme_w(covering, numbers, -1), abs=2)
        assert block.increase_w <= extreme_w(covering, numbers, 1) + 2


@settings(max_examples=60, deadline=None)
@given(parks())
def test_no_increase_leads_above_the_site_limit(park):
    charging, _, _ = fleet(park)
    offered = offer(park, charging, NOW)
    for slot in offered.slots:
        assert slot.increase_w == 0 or slot.baseline_w + slot.increase_w <= park.site.limit_w + 1
    for block in offered.blocks:
        inside = [slot for slot in offered.slots if block.interval.overlap(slot.interval) > timedelta(0)]
        top_w = max(slot.baseline_w for slot in inside)
        assert block.increase_w == 0 or top_w + block.increase_w <= park.site.limit_w + 1


def test_slots_are_half_hours_of_the_sites_zone_without_gaps():
    park = snapshot([demand(1, hours=5, need_wh=10_000)], [3000.0] * 24)
    offered = offer(park, plan(park, NOW + timedelta(minutes=10)), NOW + timedelta(minutes=10))
    assert all(one.interval.end_at == other.interval.start_at for one, other in pairwise(offered.slots))
    assert all(slot.interval.span == MARKET_SLOT and slot.interval.start_at.minute % 30 == 0 for slot in offered.slots)
    assert offered.slots[0].interval.start_at.utcoffset() == timedelta(hours=9)
    assert offered.connected == 1


def test_a_car_with_time_to_spare_can_pause_and_one_without_cannot():
    relaxed = snapshot([demand(1, hours=6, need_wh=6000)], [8000.0] * 4 + [0.0] * 20)
    assert offer(relaxed, plan(relaxed, NOW), NOW).slots[0].decrease_w > 2000
    late = snapshot([demand(1, hours=2, need_wh=12_000)], [0.0] * 24)
    assert offer(late, plan(late, NOW), NOW).slots[0].decrease_w == pytest.approx(0, abs=30)


def test_an_empty_park_offers_nothing():
    park = snapshot([], [1000.0] * 4)
    assert offer(park, plan(park, NOW), NOW).slots == ()
