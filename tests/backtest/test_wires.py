"""Plans over the limit ledger: what it costs is little, and what the site may take is never exceeded."""

from datetime import date

import numpy as np
import pytest

from app.backtest.days import Car, Day
from app.backtest.production import Setting, Sunslot
from app.backtest.replay import Rules, outcomes
from app.backtest.wires import Wires

EVSE_W, LEAST_W = 6656.0, 1248.0


def day(surplus_w: float) -> Day:
    early = [Car(32 + number, 52, 52, 9_000.0 + 500 * number, None, f"A{number}", "") for number in range(4)]
    cars = (*early, Car(60, 68, 68, 4_000.0, None, "A0", ""))
    sun_w = np.zeros(96)
    sun_w[36:66] = surplus_w
    return Day(date(2019, 5, 1), cars, sun_w, np.zeros(96), sun_w)


@pytest.mark.parametrize(("site_w", "surprised_count"), [(1e9, 0), (24_000.0, 0), (24_000.0, 1)])
def test_over_the_ledger_everybody_is_full_and_the_limit_holds(site_w, surprised_count):
    sunslot = Sunslot(Setting("true", site_w, surprised_count=surprised_count))
    rules = Rules(EVSE_W, LEAST_W, "true", site_w=site_w)
    one = day(15_000.0)
    (outcome,) = outcomes([one], [[one.pv_w]], sunslot, rules, delivery=Wires(sunslot))
    tally = outcome.tally()
    assert tally.highest_w <= site_w
    assert tally.delivered_wh == pytest.approx(tally.need_wh, rel=0.01)
    assert tally.solar_wh <= tally.delivered_wh + 1e-6
    assert tally.order_count > 0


def test_two_cars_at_one_station_at_once_have_an_evse_each():
    sun_w = np.zeros(96)
    cars = (Car(30, 50, 50, 5_000.0, None, "A", ""), Car(40, 60, 60, 5_000.0, None, "A", ""))
    one = Day(date(2019, 5, 1), cars, sun_w, np.zeros(96), sun_w)
    sunslot = Sunslot(Setting("true"))
    (outcome,) = outcomes([one], [[sun_w]], sunslot, Rules(EVSE_W, LEAST_W, "true"), delivery=Wires(sunslot))
    assert outcome.got_wh.sum() == pytest.approx(10_000, rel=0.01)
