from datetime import UTC, datetime, timedelta

import pytest

from app.backtest.foresight import ForesightCar, alone_wh, fillable_wh, least_limit_w, perfect_foresight

START_AT = datetime(2026, 4, 1, 7, tzinfo=UTC)
STEP = timedelta(minutes=5)
HOUR = timedelta(hours=1)


def car(first_h: float, last_h: float, need_wh: float, **more: object) -> ForesightCar:
    return ForesightCar(START_AT + first_h * HOUR, START_AT + last_h * HOUR, need_wh, 6000.0, **more)


def test_the_sun_is_used_where_the_car_can_wait_for_it():
    best = perfect_foresight([car(0, 2, 6000)], [0.0] * 12 + [6000.0] * 12, starts_at=START_AT, step=STEP, limit_w=1e5)
    assert best.delivered_wh == pytest.approx(6000)
    assert best.solar_wh == pytest.approx(6000)


def test_delivery_comes_before_sun():
    best = perfect_foresight([car(0, 1, 6000)], [0.0] * 12 + [6000.0] * 12, starts_at=START_AT, step=STEP, limit_w=1e5)
    assert (best.delivered_wh, best.solar_wh) == (pytest.approx(6000), pytest.approx(0))


def test_the_site_limit_is_shared():
    cars = [car(0, 1, 6000), car(0, 1, 6000)]
    assert perfect_foresight(
        cars, [0.0] * 12, starts_at=START_AT, step=STEP, limit_w=8000
    ).delivered_wh == pytest.approx(8000)
    assert least_limit_w(cars, starts_at=START_AT, step=STEP, steps=12) == pytest.approx(12_000, abs=5)
    assert sum(fillable_wh(cars, starts_at=START_AT, step=STEP, steps=12, limit_w=8000)) == pytest.approx(8000)


def test_taper_slows_the_end_of_a_charge():
    slow = car(0, 1, 6000, taper=((-2.0, 13_000.0),))
    (full_wh,) = alone_wh([slow], starts_at=START_AT, step=STEP, steps=12)
    assert 5000 < full_wh < 6000
    (alone,) = alone_wh([car(0, 1, 6000)], starts_at=START_AT, step=STEP, steps=12)
    assert alone == pytest.approx(6000)


def test_presence_counts_in_fractions_of_a_step():
    (reach_wh,) = alone_wh([car(1 / 24, 1 / 12, 6000)], starts_at=START_AT, step=STEP, steps=12)
    assert reach_wh == pytest.approx(6000 / 24, rel=1e-6)
