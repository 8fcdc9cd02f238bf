"""The learnt clear sky and persistence: what is bright, what is kept, and that nobody looks ahead."""

import numpy as np
import pytest
from suns import FIRST, PEAK_W, clear_day_w, clear_series, cloudy

from app.scheduling.forecasting.envelope import BEHIND_DAYS_COUNT, envelope_w
from app.scheduling.forecasting.persistence import USUAL_INDEX_SHARE, persistence_w
from app.scheduling.forecasting.series import SLOTS_PER_DAY, Series, series_of

NOON = 48


def test_the_envelope_is_what_the_brightest_days_gave():
    pv = cloudy(40)
    day = FIRST + 39 * SLOTS_PER_DAY
    learnt_w = envelope_w(pv, day, day + SLOTS_PER_DAY).powers_w
    np.testing.assert_allclose(learnt_w, clear_day_w(), atol=0.03 * PEAK_W)


def test_the_envelope_of_a_day_does_not_know_the_days_just_before_it():
    pv = cloudy(40)
    day = FIRST + 39 * SLOTS_PER_DAY
    before = pv.before(day - (BEHIND_DAYS_COUNT - 1) * SLOTS_PER_DAY)
    known_w, told_w = (envelope_w(each, day, day + SLOTS_PER_DAY).powers_w for each in (pv, before))
    np.testing.assert_array_equal(known_w, told_w)


def test_the_envelope_is_a_gap_without_any_day():
    assert np.isnan(envelope_w(series_of(()), FIRST, FIRST + 96).powers_w).all()


def test_half_the_clear_sky_stays_half_and_relaxes_to_the_usual():
    clear = clear_series(23)
    pv = Series(
        FIRST, np.concatenate([clear.powers_w[: 22 * SLOTS_PER_DAY], 0.5 * clear.powers_w[22 * SLOTS_PER_DAY :]])
    )
    issue = FIRST + 22 * SLOTS_PER_DAY + NOON - 12
    issues, leads = np.full(3, issue), np.array([1, 8, 24])
    clear_w = clear.powers_w_at(issues + leads - 1)
    held_w = persistence_w(pv, clear, PEAK_W, issues, leads, relaxes=False)
    np.testing.assert_allclose(held_w, 0.5 * clear_w)
    shares = persistence_w(pv, clear, PEAK_W, issues, leads) / clear_w
    assert shares[0] == pytest.approx(0.5)
    assert 0.5 < shares[1] < shares[2] < 1.0


def test_persistence_looks_at_nothing_from_the_issue_on():
    pv, clear = cloudy(30), clear_series(31)
    issue = FIRST + 29 * SLOTS_PER_DAY + NOON
    issues, leads = np.full(40, issue), np.arange(1, 41)
    whole, known = (persistence_w(each, clear, PEAK_W, issues, leads) for each in (pv, pv.before(issue)))
    np.testing.assert_array_equal(whole, known)


def test_without_any_reading_the_clear_sky_is_dimmed_by_a_constant():
    clear = clear_series(1)
    told_w = persistence_w(series_of(()), clear, PEAK_W, np.full(96, FIRST), np.arange(1, 97))
    np.testing.assert_allclose(told_w, USUAL_INDEX_SHARE * clear.powers_w)
