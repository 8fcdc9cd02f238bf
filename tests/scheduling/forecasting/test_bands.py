"""Calibrated bands hold on what was not seen, whatever they were before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scheduling.forecasting.bands import LEAD_BOUNDS, Calibration, calibrated, groups_of


@settings(max_examples=25)
@given(st.integers(0, 1000), st.floats(-200.0, 400.0))
def test_a_band_of_any_width_holds_four_times_of_five_afterwards(seed, half_width_w):
    rng = np.random.default_rng(seed)
    truth_w, clear_w = 500 + rng.normal(0, 100, 4000), np.full(4000, 1000.0)
    leads = rng.integers(1, 145, 4000)
    seen, unseen = slice(0, 2000), slice(2000, None)
    low_w, high_w = np.full(4000, 500 - half_width_w), np.full(4000, 500 + half_width_w)
    band = calibrated(low_w[seen], high_w[seen], truth_w[seen], clear_w[seen], leads[seen], 1000)
    lower_w = band.lower_w(low_w[unseen], clear_w[unseen], leads[unseen])
    upper_w = band.upper_w(high_w[unseen], clear_w[unseen], leads[unseen])
    held_share = ((lower_w <= truth_w[unseen]) & (truth_w[unseen] <= upper_w)).mean()
    assert held_share == pytest.approx(0.8, abs=0.06)


def test_few_days_make_the_band_wider_and_no_day_moves_nothing():
    truth_w, told_w, clear_w = np.arange(100.0), np.zeros(100), np.full(100, 100.0)
    leads = np.ones(100, dtype=int)
    many, few = (calibrated(told_w, told_w, truth_w, clear_w, leads, days) for days in (100, 10))
    assert few.above_share[0] > many.above_share[0]
    empty = np.empty(0)
    assert calibrated(empty, empty, empty, empty, empty.astype(int), 0) == Calibration((0.0,) * 7, (0.0,) * 7)


def test_a_group_with_few_pairs_takes_all_of_them():
    truth_w, clear_w = np.concatenate([np.full(200, 10.0), np.full(5, 90.0)]), np.full(205, 100.0)
    leads = np.concatenate([np.full(200, 1), np.full(5, 140)])
    band = calibrated(np.zeros(205), np.zeros(205), truth_w, clear_w, leads, 50)
    assert band.above_share[-1] == band.above_share[0] == pytest.approx(0.1)


def test_a_group_ends_with_its_bound():
    assert groups_of(np.array([1, 2, 3, 96, 97])).tolist() == [0, 0, 1, len(LEAD_BOUNDS) - 1, len(LEAD_BOUNDS)]
