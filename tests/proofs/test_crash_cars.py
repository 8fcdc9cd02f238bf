from proofs.crash.cars import LAG_S, LateEvse
from simulators.car import Car

STEP_S = 0.1


def charging(limit_a=30.0, need_wh=5000.0):
    caught_up = []
    evse = LateEvse(1, 30.0, STEP_S, lambda: caught_up.append(1))
    evse.car, evse.is_closed = Car(need_wh, 6600.0), True
    evse.offer(limit_a)
    return evse, caught_up


def after(evse, seconds):
    currents = [evse.step_a(STEP_S) for _ in range(round(seconds / STEP_S))]
    return currents[-1]


def test_a_car_goes_up_at_once_and_comes_down_after_the_lag():
    evse, _ = charging(6.0)
    assert after(evse, 1) == 6.0
    evse.offer(30.0)
    assert after(evse, STEP_S) == 30.0
    evse.offer(6.0)
    assert after(evse, LAG_S - 2 * STEP_S) == 30.0
    assert after(evse, 3 * STEP_S) == 6.0


def test_a_contactor_that_opens_ends_the_current_at_once():
    evse, _ = charging()
    assert after(evse, 1) == 30.0
    evse.open()
    assert after(evse, STEP_S) == 0.0


def test_a_deaf_station_draws_its_rated_current_whatever_it_was_told():
    evse, _ = charging(6.0)
    evse.is_deaf = True
    assert after(evse, 1) == 30.0
    evse.is_deaf = False
    assert after(evse, LAG_S + 1) == 6.0


def test_what_was_measured_is_brought_up_to_now_before_a_limit_changes():
    evse, caught_up = charging()
    count = len(caught_up)
    evse.offer(10.0)
    evse.open()
    assert len(caught_up) == count + 2


def test_a_full_car_stops_and_the_register_has_what_it_took():
    evse, _ = charging(need_wh=10.0)
    assert after(evse, 60) == 0.0
    assert abs(evse.register_wh - 10.0) < 0.01
