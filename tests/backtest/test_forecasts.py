from datetime import date, datetime, time, timedelta

import numpy as np
import pytest

from app.backtest.days import SLOTS_PER_DAY, Day
from app.backtest.foreseeing import foreseen, slotted
from app.backtest.records import Series

QUARTER = timedelta(minutes=15)
NOON, MORNING, EVENING = 48, 24, 76
FACTOR = 2.0
LOAD_W = 500.0


def clear_w(number: int) -> float:
    return 4000.0 * max(0.0, np.sin(np.pi * (number - MORNING) / (EVENING - MORNING)))


def brightness(day: date) -> float:
    return 1.0 if day.toordinal() % 3 else 0.4


def sun_file(first: date, days_count: int, dark_from: datetime | None = None) -> Series:
    """Every third day is dull; from `dark_from` on nothing shines."""
    powers_w = {}
    for number in range(days_count * SLOTS_PER_DAY):
        at = datetime.combine(first, time()) + number * QUARTER
        is_dark = dark_from is not None and at >= dark_from
        powers_w[at] = 0.0 if is_dark else clear_w(number % SLOTS_PER_DAY) * brightness(at.date())
    return Series(powers_w, QUARTER, is_yearless=False)


def day_of(solar: Series, on: date, shift_years: int) -> Day:
    midnight_at = datetime.combine(on.replace(year=on.year - shift_years), time())
    pv_w = FACTOR * np.array([solar.mean_w(midnight_at + number * QUARTER) for number in range(SLOTS_PER_DAY)])
    load_w = np.full(SLOTS_PER_DAY, LOAD_W)
    return Day(on, (), pv_w, load_w, np.maximum(pv_w - load_w, 0.0))


def foreseen_of(solar: Series, on: date, shift_years: int = 7):
    return foreseen([day_of(solar, on, shift_years)], solar, FACTOR, shift_years)[0]


def test_the_metered_slot_is_what_it_is_and_the_band_encloses_what_is_expected():
    solar = sun_file(date(2012, 5, 1), 40)
    seen = foreseen_of(solar, date(2019, 5, 25))
    day = day_of(solar, date(2019, 5, 25), 7)
    assert np.diag(seen.expected_w) == pytest.approx(day.surplus_w)
    ahead = np.triu_indices(SLOTS_PER_DAY, 1)
    assert (seen.low_w[ahead] <= seen.expected_w[ahead]).all()
    assert (seen.expected_w[ahead] <= seen.high_w[ahead]).all()
    assert not seen.expected_w[np.tril_indices(SLOTS_PER_DAY, -1)].any()


def test_a_steady_day_is_foreseen_from_its_morning_on_with_the_buildings_load_taken_off():
    solar = sun_file(date(2012, 5, 1), 40)
    on = next(date(2019, 5, 20) + timedelta(days=n) for n in range(3) if brightness(date(2012, 5, 20 + n)) == 1.0)
    seen, day = foreseen_of(solar, on), day_of(solar, on, 7)
    assert seen.expected_w[40, NOON] == pytest.approx(day.surplus_w[NOON], rel=0.15)


def test_nothing_after_a_slot_is_looked_at_in_it():
    on, cut = date(2019, 5, 25), 40
    cut_at = datetime(2012, 5, 25) + (cut + 1) * QUARTER
    whole, dark = sun_file(date(2012, 5, 1), 40), sun_file(date(2012, 5, 1), 40, dark_from=cut_at)
    seen, seen_in_the_dark = foreseen_of(whole, on), foreseen_of(dark, on)
    for name in ("expected_w", "low_w", "high_w"):
        assert getattr(seen, name)[: cut + 1] == pytest.approx(getattr(seen_in_the_dark, name)[: cut + 1])
    assert seen.expected_w[NOON, NOON + 1] > seen_in_the_dark.expected_w[NOON, NOON + 1]


def test_with_months_of_history_the_forecast_is_learnt_and_sees_nothing_after_its_slot_either():
    on, cut = date(2019, 6, 9), 40
    cut_at = datetime(2012, 6, 9) + (cut + 1) * QUARTER
    whole, dark = sun_file(date(2012, 5, 1), 45), sun_file(date(2012, 5, 1), 45, dark_from=cut_at)
    seen, seen_in_the_dark = foreseen_of(whole, on), foreseen_of(dark, on)
    assert seen.expected_w[: cut + 1] == pytest.approx(seen_in_the_dark.expected_w[: cut + 1])
    assert seen.expected_w[40, NOON] == pytest.approx(day_of(whole, on, 7).surplus_w[NOON], rel=0.1)


def test_on_a_files_first_days_the_metered_surplus_fades():
    seen = foreseen_of(sun_file(date(2012, 5, 1), 10), date(2019, 5, 2))
    assert seen.low_w is None
    ahead_w = seen.expected_w[NOON, NOON:]
    assert (np.diff(ahead_w) < 0).all()
    assert ahead_w[12] == pytest.approx(ahead_w[0] / np.e)


def test_the_files_clock_is_kept_and_what_lies_before_its_first_power_is_no_history():
    solar = sun_file(date(2012, 5, 1), 3)
    pv = slotted(solar, date(2012, 4, 1), date(2012, 5, 4))
    assert len(pv.powers_w) == 3 * SLOTS_PER_DAY
    assert pv.powers_w[NOON] == solar.mean_w(datetime(2012, 5, 1, 12))
