"""Skill: errors by lead over the capacity, beside persistence on the same instants, and how often the band held."""

import numpy as np
import pytest
from suns import FIRST, PEAK_W, clear_series

from app.scheduling.forecasting.series import SLOTS_PER_DAY, Series
from app.scheduling.forecasting.skill import Told, skills

NOON = FIRST + 20 * SLOTS_PER_DAY + 48


def halved_at_noon():
    clear = clear_series(22)
    shares = np.where(np.arange(clear.first, clear.until) < NOON, 1.0, 0.5)
    return Series(FIRST, clear.powers_w * shares), clear


def test_the_error_is_a_share_of_the_capacity_and_persistence_is_what_was_known():
    pv, clear = halved_at_noon()
    truth_w = float(pv.powers_w_at(np.array([NOON]))[0])
    told = [Told("x", NOON, 1, truth_w + 500.0, truth_w - 1, truth_w + 1)]
    (skill,) = skills(told, pv, clear, PEAK_W)
    assert (skill.method, skill.lead, skill.count) == ("x", 1, 1)
    assert skill.error_share == pytest.approx(0.05)
    assert skill.reference_error_share == pytest.approx(truth_w / PEAK_W)  # it held the clear morning
    assert (skill.banded_count, skill.covered_share) == (1, 1.0)


def test_nights_and_what_is_not_measured_do_not_count():
    pv, clear = halved_at_noon()
    told = [Told("x", FIRST + 20 * SLOTS_PER_DAY, 1, 100.0), Told("x", pv.until + 48, 1, 100.0)]
    assert skills(told, pv, clear, PEAK_W) == ()


def test_methods_and_leads_are_apart_and_a_band_counts_only_where_it_is_given():
    pv, clear = halved_at_noon()
    told = [
        Told("b", NOON, 1, 0.0),
        Told("a", NOON, 4, 0.0),
        Told("a", NOON, 1, 0.0, 0.0, 1.0),
        Told("a", NOON, 1, 0.0),
    ]
    found = {(each.method, each.lead): each for each in skills(told, pv, clear, PEAK_W)}
    assert set(found) == {("a", 1), ("a", 4), ("b", 1)}
    assert (found["a", 1].count, found["a", 1].banded_count, found["a", 1].covered_share) == (2, 1, 0.0)
    assert found["b", 1].covered_share is None
