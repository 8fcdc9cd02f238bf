"""The building's load and the cars that come: by the local time on such a day, scaled by today, or booked."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.scheduling.forecasting.arrivals import expected_arrivals
from app.scheduling.forecasting.building import building_forecast_w
from app.scheduling.forecasting.series import SLOTS_PER_DAY, series_of, slot_number

TOKYO = ZoneInfo("Asia/Tokyo")
MONDAY = slot_number(datetime(2026, 3, 1, 15, tzinfo=UTC))  # midnight of Monday, 2 March, in Tokyo
HOURS_9 = 36


def weeks(count: int, today: float = 1.0):
    """Working days take 5 kW by day (9 to 18 h), weekends 1 kW all day; the last day × `today`."""
    pairs = []
    for day in range(7 * count):
        for place in range(SLOTS_PER_DAY):
            works = day % 7 < 5 and HOURS_9 <= place < 72
            pairs.append((MONDAY + day * SLOTS_PER_DAY + place, 5000.0 if works else 1000.0))
    issue = MONDAY + 7 * count * SLOTS_PER_DAY + 44
    pairs += [(slot, today * (5000.0 if slot >= issue - 8 else 1000.0)) for slot in range(issue - 44, issue)]
    return series_of(pairs), issue


def test_a_working_day_is_like_working_days_and_a_weekend_like_weekends():
    building, issue = weeks(2)
    told_w = building_forecast_w(building, issue, 6 * SLOTS_PER_DAY, TOKYO)
    assert told_w[0] == 5000.0
    assert told_w[SLOTS_PER_DAY] == 5000.0
    assert told_w[5 * SLOTS_PER_DAY] == 1000.0  # Saturday, 11 h


def test_today_counts_and_is_forgotten_within_hours():
    building, issue = weeks(2, today=1.5)
    told_w = building_forecast_w(building, issue, 2 * SLOTS_PER_DAY, TOKYO)
    assert told_w[0] == pytest.approx(7500.0, rel=0.01)
    assert told_w[12] == pytest.approx(5000 * (1 + 0.5 / np.e), rel=0.01)
    assert told_w[SLOTS_PER_DAY] == pytest.approx(5000.0, rel=0.01)


def test_without_readings_nothing_is_expected_and_without_such_a_day_any_day():
    assert building_forecast_w(series_of(()), MONDAY, 4, TOKYO).tolist() == [0.0] * 4
    one_day = series_of((MONDAY + place, 100.0 + place) for place in range(SLOTS_PER_DAY))
    saturday = MONDAY + 5 * SLOTS_PER_DAY
    assert building_forecast_w(one_day, saturday, 2, TOKYO).tolist() == [100.0, 101.0]


def test_as_many_cars_are_expected_as_usual_or_as_are_booked():
    start_at = datetime(2026, 3, 1, 15, tzinfo=UTC)
    nine = timedelta(hours=9)
    arrived_at = [start_at + timedelta(days=day) + nine for day in range(5) for _ in range(2)]
    issue = MONDAY + 7 * SLOTS_PER_DAY
    booked_at = [start_at + timedelta(days=7) + nine] * 3 + [start_at + timedelta(days=7, hours=14)]
    told = expected_arrivals(arrived_at, booked_at, issue, 2 * SLOTS_PER_DAY, TOKYO, MONDAY)
    assert told[HOURS_9] == 3.0
    assert told[SLOTS_PER_DAY + HOURS_9] == pytest.approx(2.0)
    assert told[56] == 1.0
    assert told.sum() == pytest.approx(6.0)
