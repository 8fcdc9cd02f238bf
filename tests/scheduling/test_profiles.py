from datetime import timedelta

import pytest

from app.domain.commands import ProfilePurpose, RateUnit
from app.domain.limits import LimitOrder
from app.scheduling.profiles import default_profile, lease_profile
from tests.scheduling.fleets import NOW


def order(power_w: float, *, w_per_a: float = 200.0, phase_count: int = 1) -> LimitOrder:
    return LimitOrder(
        order_no=7,
        station_id="s1",
        evse_number=2,
        station_ref="ref",
        power_w=power_w,
        safe_power_w=6 * w_per_a,
        intended_at=NOW + timedelta(microseconds=5),
        lease_ends_at=NOW + timedelta(minutes=10, microseconds=5),
        w_per_a=w_per_a,
        phase_count=phase_count,
    )


def test_r6_a_lease_starts_in_the_past_and_falls_back_to_the_safe_current_by_itself():
    profile = lease_profile(order(3333.0), RateUnit.A)
    assert profile.purpose is ProfilePurpose.SESSION
    assert profile.start_at == NOW
    assert [(period.offset_s, period.limit) for period in profile.periods] == [(0, 16.6), (600, 6.0)]
    assert profile.station_ref == "ref"


@pytest.mark.parametrize(("power_w", "limit_a"), [(1200.0, 6.0), (0.0, 0.0), (5999.9, 29.9), (6000.0, 30.0)])
def test_amperes_are_rounded_down_to_one_decimal(power_w, limit_a):
    assert lease_profile(order(power_w), RateUnit.A).periods[0].limit == limit_a


def test_amperes_are_per_phase():
    three = lease_profile(order(6900.0, w_per_a=690.0, phase_count=3), RateUnit.A)
    assert (three.periods[0].limit, three.phase_count) == (10.0, 3)


def test_a_station_that_knows_only_watts_gets_whole_watts_rounded_down():
    assert lease_profile(order(3333.9), RateUnit.W).periods[0].limit == 3333.0


def test_the_default_stands_without_a_start_and_replaces_no_lease():
    standing = default_profile(2, 1200.0, 200.0, 1, RateUnit.A)
    assert standing.start_at is None
    assert standing.periods[0].limit == 6.0
    assert standing.profile_id != lease_profile(order(0.0), RateUnit.A).profile_id
