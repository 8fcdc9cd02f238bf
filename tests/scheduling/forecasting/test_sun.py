"""One forecast of the sun: the method that the history is long enough for, its bounds, and what learning is worth."""

import numpy as np
import pytest
from suns import FIRST, PEAK_W, clear_series, cloudy

from app.scheduling.forecasting.envelope import envelope_w
from app.scheduling.forecasting.learner import learn
from app.scheduling.forecasting.persistence import persistence_w
from app.scheduling.forecasting.series import SLOTS_PER_DAY, Series, series_of
from app.scheduling.forecasting.sun import HIGHEST_FACTOR, sun_forecast

COUNT = 144
DAYS = 60
TREES = 40


@pytest.fixture(scope="module")
def learnt():
    pv = cloudy(DAYS)
    return learn(pv, envelope_w(pv, pv.first, pv.until), pv.highest_w(), TREES)


def forecast(days: int, hour: int = 10, learnt=None, clear=None):
    pv = cloudy(days + 1).before(FIRST + days * SLOTS_PER_DAY + 4 * hour)
    clear = clear or envelope_w(pv, pv.first, pv.until + COUNT + 2)
    return sun_forecast(pv, clear, pv.highest_w(), pv.until, COUNT, learnt)


def test_the_method_is_the_best_that_the_history_is_long_enough_for(learnt):
    assert forecast(DAYS, learnt=learnt).method == "learnt"
    assert forecast(20).method == "climatology"
    told = forecast(1, clear=clear_series(5))
    assert (told.method, told.p10_w, told.p90_w) == ("persistence", None, None)
    assert sun_forecast(series_of(()), series_of(()), 0.0, FIRST, COUNT) is None


@pytest.mark.parametrize("is_learnt", [True, False])
def test_a_forecast_is_never_negative_dark_at_night_bounded_and_its_band_holds_its_middle(learnt, is_learnt):
    told = forecast(DAYS, learnt=learnt if is_learnt else None)
    is_night = clear_series(3).powers_w[40 : 40 + COUNT] == 0
    for powers_w in (told.p10_w, told.p50_w, told.p90_w):
        assert ((powers_w >= 0) & (powers_w <= HIGHEST_FACTOR * PEAK_W)).all()
        assert (powers_w[is_night] < 0.02 * PEAK_W).all()
    assert (told.p10_w <= told.p50_w).all()
    assert (told.p50_w <= told.p90_w).all()
    assert told.p50_w.max() > 0.2 * PEAK_W


def test_what_was_learnt_errs_less_than_persistence_on_days_not_seen_and_its_band_holds(learnt):
    pv = cloudy(DAYS + 40)
    clear = envelope_w(pv, pv.first, pv.until)
    issues = np.arange(FIRST + DAYS * SLOTS_PER_DAY, pv.until - 16)
    leads = np.full(len(issues), 16)
    truth_w, clear_w = pv.powers_w_at(issues + 15), clear.powers_w_at(issues + 15)
    is_day = clear_w > 0.05 * PEAK_W
    lower_w, middle_w, upper_w = learnt.quantiles_w(pv, clear, issues, leads)
    reference_w = persistence_w(pv, clear, PEAK_W, issues, leads)
    assert np.abs(middle_w - truth_w)[is_day].mean() < 0.95 * np.abs(reference_w - truth_w)[is_day].mean()
    held_share = ((lower_w <= truth_w) & (truth_w <= upper_w))[is_day].mean()
    assert 0.72 <= held_share <= 0.97


def test_learning_twice_from_the_same_gives_the_same(learnt):
    pv = cloudy(DAYS)
    again = learn(pv, envelope_w(pv, pv.first, pv.until), pv.highest_w(), TREES)
    issues, leads = np.full(COUNT, pv.until - 60), np.arange(1, COUNT + 1)
    clear = envelope_w(pv, pv.first, pv.until + COUNT)
    for one, other in zip(
        learnt.quantiles_w(pv, clear, issues, leads), again.quantiles_w(pv, clear, issues, leads), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_forecast_of_a_learnt_sun_knows_nothing_from_the_issue_on(learnt):
    pv = cloudy(DAYS + 3)
    issue = FIRST + (DAYS + 1) * SLOTS_PER_DAY + 40
    known = Series(pv.first, np.where(np.arange(pv.first, pv.until) < issue, pv.powers_w, 0.0))
    told = [
        sun_forecast(each, envelope_w(each.before(issue), pv.first, issue + COUNT + 2), PEAK_W, issue, COUNT, learnt)
        for each in (pv.before(issue), known.before(issue))
    ]
    np.testing.assert_array_equal(told[0].p50_w, told[1].p50_w)
