"""Following the sun against limits as the newest plan wants them, on one recorded cloudy day."""

from datetime import date
from functools import cache
from itertools import pairwise

import pytest
from cloudy_day import CloudyDay, Outcome

from app.scheduling.rounding import SHORTEST_TURN

DAY = date(2019, 5, 16)


@cache
def played(follows: bool) -> Outcome:
    return CloudyDay(follows=follows, day=DAY).play()


def test_following_uses_more_of_the_sun_and_every_car_leaves_with_what_it_needs():
    plan_only, followed = played(False), played(True)
    assert plan_only.unmet_wh == followed.unmet_wh == pytest.approx(0, abs=1)
    assert followed.delivered_wh == pytest.approx(plan_only.delivered_wh, rel=1e-6)
    assert followed.solar_wh >= 1.03 * plan_only.solar_wh


def test_messages_and_contactors_stay_sane():
    """Per EVSE and hour: at most twice the messages of the plan alone (leases take 15), and five switches."""
    followed = played(True)
    assert followed.messages_per_hour <= min(40, 2 * played(False).messages_per_hour)
    assert followed.switches_per_hour <= 5


def test_who_charges_does_so_for_a_turn_or_until_it_is_full():
    turns = []
    for car in played(True).cars:
        changes = [after for before, after in pairwise(car.entries) if (before.power_w > 0) != (after.power_w > 0)]
        for on, off in pairwise(changes):
            if on.power_w > 0 and (car.full_at is None or off.intended_at < car.full_at):
                turns.append(off.intended_at - on.intended_at)
    assert len(turns) > 50
    assert min(turns) >= SHORTEST_TURN


def test_all_cars_together_stay_under_the_site():
    assert played(True).highest_w <= 50_000.0
