from datetime import timedelta
from itertools import pairwise

import pytest

from app.scheduling.demand import observed_cap_w
from app.scheduling.surplus import Told, expected_surplus, measured_surplus_w
from tests.scheduling.fleets import NOW, QUARTER

MINUTE = timedelta(minutes=1)


def expected(readings, pv_w=(4000.0,) * 16, building_w=(1000.0,) * 16):
    slots = expected_surplus(
        Told(NOW, QUARTER, pv_w, building_w),
        readings=readings,
        now=NOW + 5 * MINUTE,
        until_at=NOW + timedelta(hours=3),
    )
    assert all(one.interval.end_at == other.interval.start_at for one, other in pairwise(slots))
    return [slot.surplus_w for slot in slots]


def test_without_readings_the_surplus_is_the_forecast_minus_the_building():
    assert expected([]) == [3000.0] * 12


def test_the_current_slot_is_the_newest_reading_and_a_dull_hour_dims_the_next_ones():
    powers_w = expected([(NOW + 4 * MINUTE, 2000.0, 500.0)])
    assert powers_w[0] == 1500.0
    assert 1000.0 < powers_w[1] < powers_w[-1] < 3000.0


def test_without_a_forecast_the_newest_reading_fades():
    powers_w = expected([(NOW + 4 * MINUTE, 2000.0, 500.0)], pv_w=(), building_w=())
    assert powers_w == sorted(powers_w, reverse=True)
    assert powers_w[-1] > 0


def test_a_reading_older_than_five_minutes_is_not_the_present():
    assert measured_surplus_w([(NOW, 2000.0, 500.0)], NOW + 5 * MINUTE) == 1500.0
    assert measured_surplus_w([(NOW, 2000.0, 500.0)], NOW + 6 * MINUTE) is None


def cap_w(power_w, limit_w=6000.0, settled=2 * MINUTE, age=MINUTE):
    return observed_cap_w(
        limit_w=limit_w, limit_since_at=NOW, power_w=power_w, metered_at=NOW + settled, now=NOW + settled + age
    )


def test_a_car_that_draws_clearly_less_than_allowed_is_capped_ten_percent_above_what_it_draws():
    assert cap_w(3000.0) == pytest.approx(3300.0)


@pytest.mark.parametrize(
    "case",
    [
        {"power_w": 5700.0},
        {"power_w": 0.0, "limit_w": 0.0},
        {"power_w": 0.0},
        {"power_w": 3000.0, "settled": 30 * timedelta(seconds=1)},
        {"power_w": 3000.0, "age": 6 * MINUTE},
        {"power_w": None},
    ],
)
def test_nothing_is_learnt_from_a_car_that_is_full_paused_settling_or_unmetered(case):
    assert cap_w(**case) is None
