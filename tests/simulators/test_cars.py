from hypothesis import given
from hypothesis import strategies as st

from simulators.car import TAPER_END_W, TAPER_WH, Car, fill_s, fillable_wh, taper_of
from simulators.evse import Evse


def plugged(need_wh: float = 10_000, max_power_w: float = 6600, limit_a: float = 30) -> Evse:
    evse = Evse(1, 30, 1, 200)
    evse.car = Car(need_wh, max_power_w, taper_of(need_wh, min(max_power_w, evse.nameplate_w)))
    evse.is_closed = True
    evse.offer(limit_a)
    return evse


def seconds(evse: Evse, count: int) -> list[float]:
    return [evse.tick() for _ in range(count)]


def test_the_power_rises_linearly_over_five_seconds_to_the_nameplate() -> None:
    evse = plugged()
    assert [round(power_w) for power_w in seconds(evse, 7)] == [600, 1800, 3000, 4200, 5400, 6000, 6000]


def test_the_power_falls_to_nothing_within_five_seconds() -> None:
    evse = plugged()
    seconds(evse, 10)
    evse.offer(0)
    powers_w = seconds(evse, 6)
    assert powers_w == sorted(powers_w, reverse=True)
    assert powers_w[4] > 0
    assert powers_w[5] == 0
    assert not evse.is_live


def test_a_limit_below_six_amperes_is_no_charging_at_all() -> None:
    for limit_a in (0, 0.1, 3, 5.9):
        evse = plugged(limit_a=limit_a)
        assert evse.offered_a == 0
        assert sum(seconds(evse, 20)) == 0
    assert plugged(limit_a=6).offered_a == 6
    assert plugged(limit_a=99).offered_a == 30


def test_nothing_flows_while_the_contactor_is_open() -> None:
    evse = plugged()
    evse.is_closed = False
    assert sum(seconds(evse, 20)) == 0


def test_the_onboard_charger_limits_the_power() -> None:
    evse = plugged(max_power_w=3600)
    assert seconds(evse, 20)[-1] == 3600


def test_the_power_falls_along_a_line_over_the_last_two_kilowatt_hours() -> None:
    car = Car(10_000, 6000, taper_of(10_000, 6000))
    car.delivered_wh = 10_000 - TAPER_WH
    assert abs(car.acceptable_w() - 6000) < 1e-6
    car.delivered_wh = 10_000 - TAPER_WH / 2
    assert abs(car.acceptable_w() - (6000 + TAPER_END_W) / 2) < 1e-6
    car.delivered_wh = 9_999.999
    assert abs(car.acceptable_w() - TAPER_END_W) < 0.1


def test_a_car_stops_exactly_when_it_is_full_and_the_register_shows_the_same() -> None:
    evse = plugged(need_wh=3000)
    seconds(evse, 3600)
    assert evse.car is not None
    assert evse.car.delivered_wh == 3000
    assert abs(evse.register_wh - 3000) < 1e-6
    assert evse.reading(0).register_wh == 3000
    assert not evse.is_live


@given(st.floats(300, 40_000), st.sampled_from([3600.0, 6000.0]), st.sampled_from([6.0, 10.0, 18.0, 30.0]))
def test_the_power_never_exceeds_offer_onboard_limit_and_taper(need_wh: float, power_w: float, limit_a: float) -> None:
    evse = plugged(need_wh, power_w, limit_a)
    car = evse.car
    assert car is not None
    for _ in range(120):
        allowed_w = car.acceptable_w()
        drawn_w = evse.tick()
        assert drawn_w <= min(limit_a * 200, power_w) + 1e-6
        assert drawn_w <= allowed_w + 5 or car.is_full  # the mean of a second lags behind the taper


@given(st.floats(300, 40_000), st.sampled_from([3600.0, 6000.0]))
def test_the_computed_time_to_fill_is_what_the_simulated_car_takes(need_wh: float, power_w: float) -> None:
    expected_s = fill_s(need_wh, power_w)
    whole_s = round(expected_s)
    delivered_wh, step_s = 0.0, max(1.0, expected_s / 2000)
    car = Car(need_wh, power_w, taper_of(need_wh, power_w))
    passed_s = 0.0
    while not car.is_full and passed_s < 2 * expected_s:
        car.delivered_wh = delivered_wh = delivered_wh + car.acceptable_w() * step_s / 3600
        passed_s += step_s
    assert abs(passed_s - whole_s) <= max(5.0, 0.01 * expected_s)


@given(st.floats(300, 60_000), st.floats(600, 36_000))
def test_what_is_fillable_fits_the_stay(wanted_wh: float, stay_s: float) -> None:
    need_wh = fillable_wh(wanted_wh, stay_s, 6000)
    assert need_wh <= wanted_wh
    assert need_wh == 0 or fill_s(need_wh, 6000) <= stay_s
    assert need_wh >= int(wanted_wh) or fill_s(need_wh + 2, 6000) > stay_s
