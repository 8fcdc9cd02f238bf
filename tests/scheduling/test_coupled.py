"""The coupled programme keeps every limit, does not mind the order of cars, and leaves behind who can wait."""

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scheduling.coupled import CoupledCars, coupling_of, rates_now_a

PAIRS_OF_LINES_DEG = (30, -90, 150)
CONDUCTORS = np.array([[1, 0, -1], [-1, 1, 0], [0, -1, 1]])
COUPLING, GROUPS = coupling_of(PAIRS_OF_LINES_DEG, CONDUCTORS, [40, 40, 40])
STEP_H = 0.25


@pytest.fixture(scope="module")
def solver():
    highs = highspy.Highs()
    highs.silent()
    return highs


def cars_of(*rows):
    needs_ah, stays_h, most_a, groups = zip(*rows, strict=True)
    return CoupledCars(np.array(needs_ah), np.array(stays_h), np.array(most_a), np.array(groups))


CARS = st.lists(
    st.tuples(
        st.floats(0, 100), st.integers(1, 20).map(lambda steps: steps * STEP_H), st.sampled_from([16.0, 32.0]),
        st.sampled_from(GROUPS),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(CARS)
def test_no_limit_of_a_conductor_or_a_car_is_passed(solver, rows):
    cars = cars_of(*rows)
    rates_a = rates_now_a(cars, COUPLING, STEP_H, solver)
    by_group = np.bincount(cars.groups, weights=rates_a, minlength=COUPLING.group_count)
    assert COUPLING.stretch_factor(by_group) <= 1 + 1e-9
    assert np.all(rates_a >= 0)
    assert np.all(rates_a <= np.minimum(cars.most_a, cars.needs_ah / STEP_H) + 1e-6)


@settings(max_examples=20, deadline=None)
@given(CARS)
def test_the_order_of_cars_does_not_matter(solver, rows):
    forth = rates_now_a(cars_of(*rows), COUPLING, STEP_H, solver)
    back = rates_now_a(cars_of(*rows[::-1]), COUPLING, STEP_H, solver)[::-1]
    assert sorted(zip(rows, forth.round(6), strict=True)) == sorted(zip(rows, back.round(6), strict=True))


def test_stations_that_count_alike_are_one_group():
    coupling, groups = coupling_of((30, 30, -90), np.array([[1, 1, -1], [1, 2, 0]]), [10, 10])
    assert groups == (0, 1, 2)
    assert coupling_of((30, 30, -90), np.array([[1, 1, -1]]), [10])[1] == (0, 0, 1)
    assert coupling.group_count == 3


def test_two_pairs_of_lines_carry_more_together_than_one_alone(solver):
    alone = rates_now_a(cars_of((100, 1, 64, 0), (100, 1, 64, 0)), COUPLING, STEP_H, solver)
    both = rates_now_a(cars_of((100, 1, 64, 0), (100, 1, 64, 1)), COUPLING, STEP_H, solver)
    assert alone.sum() == pytest.approx(40, rel=1e-3)
    assert both.sum() == pytest.approx(2 * 40 / 3**0.5, rel=5e-3)


def test_who_can_wait_waits_and_nobody_loses(solver):
    hurried, patient = rates_now_a(cars_of((40, 1, 40, 0), (40, 5, 40, 0)), COUPLING, STEP_H, solver)
    assert hurried == pytest.approx(40, rel=1e-3)
    assert patient == pytest.approx(0, abs=0.1)


def test_without_conductors_everybody_gets_all(solver):
    free, (group,) = coupling_of((0,), np.zeros((0, 1)), [])
    assert rates_now_a(cars_of((40, 1, 32, group)), free, STEP_H, solver) == pytest.approx([32])


def test_nobody_there_is_nothing_to_share(solver):
    nobody = CoupledCars(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.intp))
    assert rates_now_a(nobody, COUPLING, STEP_H, solver).shape == (0,)
