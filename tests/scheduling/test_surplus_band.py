from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.intervals import Interval
from app.domain.snapshot import SurplusSlot
from app.scheduling.surplus import HOPE_SHARE, Told, expected_surplus, reckoned_w
from tests.scheduling.fleets import NOW, QUARTER

SLOT = Interval(NOW, NOW + QUARTER)
HOUR = timedelta(hours=1)
POWERS_W = st.floats(0, 1e6)


def slots_of(told, readings=()):
    return expected_surplus(told, readings=readings, now=NOW, until_at=NOW + HOUR)


def test_a_band_is_told_as_surplus_too_and_the_building_comes_off_both_of_its_sides():
    slots = slots_of(Told(NOW, QUARTER, [4000.0] * 4, [1000.0] * 4, [500.0] * 4, [6000.0] * 4))
    assert {(slot.low_w, slot.surplus_w, slot.high_w, slot.deficit_w) for slot in slots} == {(0.0, 3000.0, 5000.0, 0.0)}


def test_what_the_building_lacks_is_the_deficit():
    assert [slot.deficit_w for slot in slots_of(Told(NOW, QUARTER, [400.0] * 4, [1000.0] * 4))] == [600.0] * 4


def test_the_metered_slot_has_no_band_and_its_own_deficit():
    told = Told(NOW, QUARTER, [4000.0] * 4, [1000.0] * 4, [500.0] * 4, [6000.0] * 4)
    first = slots_of(told, [(NOW, 300.0, 1000.0)])[0]
    assert (first.surplus_w, first.low_w, first.high_w, first.deficit_w) == (0.0, None, None, 700.0)


def test_a_dull_hour_dims_the_band_as_well():
    told = Told(NOW - HOUR, QUARTER, [4000.0] * 8, [0.0] * 8, [2000.0] * 8, [6000.0] * 8)
    slot = slots_of(told, [(NOW - QUARTER, 2000.0, 0.0), (NOW, 2000.0, 0.0)])[1]
    assert slot.surplus_w < 3000.0
    assert (slot.low_w, slot.high_w) == (
        pytest.approx(slot.surplus_w * 0.5),
        pytest.approx(slot.surplus_w * 1.5),
    )


def test_without_a_band_what_is_expected_is_reckoned_with():
    assert reckoned_w(SurplusSlot(SLOT, 1234.0)) == 1234.0


@given(low_w=POWERS_W, middle_w=POWERS_W, high_w=POWERS_W)
def test_what_is_reckoned_with_lies_between_the_median_and_the_bands_upper_side(low_w, middle_w, high_w):
    low_w, middle_w, high_w = sorted((low_w, middle_w, high_w))
    reckoned = reckoned_w(SurplusSlot(SLOT, middle_w, low_w, high_w))
    assert middle_w <= reckoned <= high_w + 1e-9 * high_w
    assert reckoned - middle_w == pytest.approx(HOPE_SHARE * (high_w - middle_w), rel=1e-6, abs=1e-6)


def test_where_stays_are_sure_waiting_risks_nothing_and_the_bands_upper_side_is_hoped_for():
    slot = SurplusSlot(SLOT, 4000.0, 1000.0, 9000.0)
    assert reckoned_w(slot, is_stay_sure=True) == 9000.0
    assert reckoned_w(slot) < 9000.0
