"""Series on the planning grid: numbers of slots, gaps, windows, and putting together."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.scheduling.forecasting.series import Series, series_of, slot_number, slot_start


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_slot_contains_the_instant_that_it_is_the_number_of(at):
    start_at = slot_start(slot_number(at))
    assert start_at <= at < start_at + timedelta(minutes=15)


def test_what_is_not_told_is_a_gap_and_so_is_what_lies_outside():
    series = series_of([(12, 3.0), (10, 1.0)])
    assert (series.first, series.until) == (10, 13)
    np.testing.assert_array_equal(series.window_w(9, 14), [np.nan, 1.0, np.nan, 3.0, np.nan])
    assert series.before(12).until == 12
    assert series_of(()).highest_w() == 0.0
    assert np.isnan(series_of(()).powers_w_at(np.array([5]))).all()


def test_a_later_series_follows_with_a_gap_between():
    early, later = Series(10, np.array([1.0, 2.0])), Series(13, np.array([4.0]))
    np.testing.assert_array_equal(early.then(later).powers_w, [1.0, 2.0, np.nan, 4.0])
    assert early.then(series_of(())) == early
    assert series_of(()).then(later) == later
    assert early.window(11, 20).powers_w.tolist() == [2.0]
    assert early.window(20, 30).powers_w.tolist() == []
