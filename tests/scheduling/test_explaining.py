"""Every reason is given where it is the true cause, and goes away with the cause."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from fleets import NOW, QUARTER, demand, hedged_parks, parks, snapshot, wired_parks
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.explanation import Why
from app.domain.intervals import Interval, slots_between
from app.domain.snapshot import ExpectedDemand, GridSlot
from app.domain.stays import StayOutlook
from app.domain.wiring import Feeder, Wiring
from app.scheduling.explaining import explain, weighed_moves
from app.scheduling.planner import plan

DARK = [0.0] * 24
LATE_SUN = [0.0] * 8 + [5000.0] * 16


def explained(park, now=NOW, place=0):
    return explain(park, plan(park, now))[place]


def here(explanation):
    """The reasons of the spans in which it charges."""
    return {each.reason.code for each in explanation.spans if each.power_w > 0}


def elsewhere(explanation):
    """The reasons of the spans in which it does not charge."""
    return {each.reason.code for each in explanation.spans if each.power_w == 0}


def short(explanation):
    """The reasons for charging with less than it could."""
    return {each.why_not_more.code for each in explanation.spans if each.why_not_more is not None}


def codes(explanation):
    return {each.code for each in explanation.now}


def tariff(*told):
    """Six hours of prices and CO2, in parts as long as each other."""
    slots = list(slots_between(NOW, NOW + QUARTER * 24))
    return tuple(GridSlot(slot, *told[number * len(told) // 24]) for number, slot in enumerate(slots))


def test_it_waits_for_sun_and_charges_from_it_and_is_done_then():
    (before, sun, after) = explained(snapshot([demand(1, hours=6, need_wh=5000)], LATE_SUN)).spans
    assert (before.reason.code, before.power_w) == (Why.SUN, 0.0)
    assert before.reason.text == "09:00–11:00: not, there is sun for it between 11:00 and 12:00"
    assert (sun.reason.code, sun.reason.text) == (Why.SUN, "11:00–12:00: 5 kW, from the sun")
    assert (after.reason.code, after.reason.text) == (Why.DONE, "12:00–15:00: not, it has everything by then")
    without = explained(snapshot([demand(1, hours=6, need_wh=5000)], DARK))
    assert Why.SUN not in here(without) | elsewhere(without)


def test_the_grid_gives_what_was_promised_as_late_as_is_safe():
    told = explained(snapshot([demand(1, hours=6, need_wh=6000)], DARK))
    assert (here(told), elsewhere(told)) == ({Why.PROMISE}, {Why.LATE, Why.DONE})
    (promise,) = [each.reason.text for each in told.spans if each.power_w > 0]
    assert "as late as is safe: the sun alone does not give what was promised until 15:00" in promise
    assert Why.PROMISE not in here(explained(snapshot([demand(1, hours=6, need_wh=6000)], LATE_SUN)))


def test_where_no_other_time_is_left_the_promise_takes_all_there_is():
    told = explained(snapshot([demand(1, hours=2, need_wh=14_000)], DARK))
    (span,) = told.spans
    assert span.reason.text == (
        "09:00–11:00: 6 kW, from the grid: all other times until 11:00 are used up or too full for what was promised"
    )
    assert (told.missing_wh, told.missing_for, told.done_at) == (2000.0, "the stay is too short", None)
    assert told.now_instead is None


def test_grid_now_beats_sun_later_for_a_car_that_may_have_left_by_then():
    fading = StayOutlook(tuple(1 - 0.04 * number for number in range(24)), basis="31 stays of this driver")
    park = snapshot([demand(1, hours=6, need_wh=5000, outlook=fading)], [0.0] * 12 + [5000.0] * 12)
    told = explained(park)
    assert Why.RISK in here(told)
    assert "it has left by" in told.now[0].text
    assert told.stay_basis == "31 stays of this driver"
    careless = explained(replace(park, site=replace(park.site, miss_cost_ratio=0.0)))
    assert Why.RISK not in here(careless)
    assert here(careless) == {Why.SUN}


@pytest.mark.parametrize(
    ("cause", "told"),
    [(Why.PRICE, ((30.0, None), (10.0, None))), (Why.CO2, ((None, 500.0), (None, 300.0)))],
)
def test_it_waits_for_a_cheaper_or_cleaner_grid(cause, told):
    park = snapshot([demand(1, hours=6, need_wh=6000)], DARK)
    assert cause in elsewhere(explained(replace(park, grid=tariff(*told))))
    alike = explained(replace(park, grid=tariff(told[0])))
    assert cause not in here(alike) | elsewhere(alike)


def test_it_charges_before_the_grid_gets_dearer():
    park = snapshot([demand(1, hours=6, need_wh=6000)], DARK)
    assert Why.PRICE in here(explained(replace(park, grid=tariff((10.0, None), (30.0, None)))))


def test_a_contracts_demand_spreads_what_is_bought():
    park = snapshot([demand(1, hours=6, need_wh=6000), demand(2, hours=6, need_wh=6000)], DARK)
    bound = replace(park, site=replace(park.site, demand_target_w=4000.0))
    told = [explained(bound, place=place) for place in (0, 1)]
    assert Why.DEMAND in set().union(*(here(each) | elsewhere(each) for each in told))
    free = [explained(park, place=place) for place in (0, 1)]
    assert Why.DEMAND not in set().union(*(here(each) | elsewhere(each) for each in free))


def crowded(**more):
    """Two cars in a hurry share what would do for one."""
    return snapshot([demand(1, hours=2, need_wh=9000), demand(2, hours=2, need_wh=9000)], DARK, **more)


def test_a_car_that_gets_less_than_it_could_take_is_told_that_the_site_is_full():
    told = [explained(crowded(limit_w=6000.0), place=place) for place in (0, 1)]
    assert Why.SITE_LIMIT in set().union(*(short(each) for each in told))
    assert {each.missing_for for each in told} == {"the site limit is shared with other cars"}
    roomy = [explained(crowded(), place=place) for place in (0, 1)]
    assert Why.SITE_LIMIT not in set().union(*(short(each) | elsewhere(each) for each in roomy))


def booked_park(booking_need_wh):
    """A car that needs nearly all of its stay, and another EVSE that is booked for the first hour of it."""
    park = snapshot([demand(1, hours=4, need_wh=22_000)], DARK, limit_w=8000.0)
    other = replace(park.evses[0], evse_id=9, station_id="s9")
    period = Interval(NOW, NOW + timedelta(hours=1))
    booking = ExpectedDemand("b", 9, period, booking_need_wh, 6000.0, 1200.0)
    return replace(park, evses=(*park.evses, other), expected=(booking,) if booking_need_wh else ())


def test_room_that_is_kept_for_a_booking_is_said_to_be():
    assert Why.BOOKING in short(explained(booked_park(5000.0)))
    free = explained(booked_park(0.0))
    assert Why.BOOKING not in short(free) | elsewhere(free)


def test_a_full_feeder_is_named():
    park = crowded()
    feeders = (Feeder("panel 3", limit_w=6000.0),)
    evses = tuple(replace(each, feeder_id="panel 3", wiring=Wiring.L1_L2) for each in park.evses)
    narrow = replace(park, site=replace(park.site, feeders=feeders), evses=evses)
    told = [explained(narrow, place=place) for place in (0, 1)]
    assert all("panel 3" in each.missing_for for each in told)
    texts = {each.why_not_more.text for one in told for each in one.spans if each.why_not_more is not None}
    assert texts == {"not more, the limit of feeder panel 3 leaves no room: others need it then"}
    assert not set().union(*(short(explained(park, place=place)) for place in (0, 1))) & {Why.FEEDER_LIMIT}


def test_who_has_what_was_asked_for_wants_nothing_more():
    told = explained(snapshot([demand(1, hours=2, need_wh=0.0)], LATE_SUN))
    assert (elsewhere(told), here(told), told.done_at) == ({Why.FULL}, set(), NOW)


def first_slot(**more):
    """A car whose mean power in the first slot is too small to charge with."""
    return snapshot([demand(1, hours=6, need_wh=5000, **more)], [700.0] + [0.0] * 7 + [5000.0] * 16)


def test_small_powers_take_turns_and_rest_after_a_switch():
    waiting = explained(first_slot())
    assert Why.TURN in codes(waiting)
    now = NOW + timedelta(minutes=1)
    rested = first_slot(limit_w=0.0, switched_at=NOW)
    (resting,) = [each for each in explained(rested, now).now if each.code is Why.RESTING]
    assert resting.text == "it was switched off just now and stays so until 09:05"
    long_ago = first_slot(limit_w=0.0, switched_at=NOW - timedelta(minutes=10))
    assert Why.RESTING not in codes(explained(long_ago, now))


@pytest.mark.parametrize(
    ("cause", "changes"),
    [
        (Why.OFFLINE, {"is_online": False}),
        (Why.UNVERIFIED, {"is_verified": False}),
        (Why.NOT_STEERABLE, {"is_controllable": False}),
    ],
)
def test_a_station_that_cannot_be_steered_is_told_first(cause, changes):
    park = snapshot([demand(1, hours=6, need_wh=5000)], LATE_SUN)
    odd = replace(park, evses=(replace(park.evses[0], **changes),))
    assert explained(odd).now[0].code is cause
    assert cause not in codes(explained(park))


def test_a_car_that_takes_less_than_its_evse_gives_is_said_to_and_one_that_leaves_gets_all():
    slow = explained(snapshot([demand(1, hours=1, need_wh=6000, max_power_w=3300.0)], DARK))
    assert "the car takes at most 3.3 kW of the EVSE's 6 kW" in [each.text for each in slow.now]
    fast = explained(snapshot([demand(1, hours=1, need_wh=6000)], DARK))
    assert Why.CAR not in codes(fast)
    leaving = explained(snapshot([demand(1, hours=0.5, need_wh=1000)], [0.0] * 24))
    assert Why.LEAVES in codes(leaving)
    assert Why.LEAVES not in codes(explained(snapshot([demand(1, hours=2, need_wh=1000)], [0.0] * 24)))


def test_charging_now_instead_of_from_the_sun_later_costs_what_the_grid_takes():
    park = replace(snapshot([demand(1, hours=6, need_wh=5000)], LATE_SUN), grid=tariff((30.0, 400.0)))
    swap = explained(park).now_instead
    assert (swap.energy_wh, swap.grid_wh, swap.cost, swap.co2_g) == (1000.0, 1000.0, 30.0, 400.0)
    dark = replace(snapshot([demand(1, hours=6, need_wh=6000)], DARK), grid=tariff((30.0, None), (10.0, None)))
    swap = explained(dark).now_instead
    assert (swap.grid_wh, swap.cost, swap.co2_g) == (0.0, 20.0, None)


@settings(max_examples=40, deadline=None)
@given(hedged_parks())
def test_every_slot_until_departure_has_a_reason_and_the_energies_add_up(park):
    made = plan(park, NOW)
    for told, line in zip(explain(park, made), made.lines, strict=True):
        assert told.session_id == line.session_id
        assert told.spans[0].interval.start_at == NOW
        assert all(one.interval.end_at == other.interval.start_at for one, other in pairwise(told.spans))
        assert told.planned_wh == pytest.approx(told.sun_wh + told.grid_wh)
        assert told.planned_wh == pytest.approx(sum(line.power_w) / 4, abs=len(made.slots))
        assert -1e-6 <= told.grid_wh <= told.planned_wh + 1e-6
        spans_wh = sum(each.power_w * (each.interval.span / timedelta(hours=1)) for each in told.spans)
        assert spans_wh == pytest.approx(told.planned_wh)


@settings(max_examples=60, deadline=None)
@given(parks() | wired_parks(), st.booleans())
def test_no_exchange_that_was_weighed_would_have_made_the_plan_cheaper(park, is_roomy):
    """What explains a plan weighs as the planner did: a move that gains something would contradict its optimum.

    Scarce sites without a departure buffer, and roomy ones with it: both at once are weighed a little off.
    """
    site = (
        replace(park.site, limit_w=1e6, feeders=()) if is_roomy else replace(park.site, departure_buffer=timedelta(0))
    )
    evses = tuple(replace(each, feeder_id=None) for each in park.evses) if is_roomy else park.evses
    park = replace(park, site=site, evses=evses)
    for costs in weighed_moves(park, plan(park, NOW)):
        assert np.min(costs, initial=0.0) >= -1e-6


def test_only_the_sessions_that_are_asked_for_are_explained():
    park = crowded()
    made = plan(park, NOW)
    (one,) = explain(park, made, frozenset({"session 02"}))
    assert one == explain(park, made)[1]
