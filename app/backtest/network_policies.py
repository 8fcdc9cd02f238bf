"""What the network backtest compares: acnportal's sorted algorithms, quick charge, and the coupled planner.

The sorted ones give, car by car in their order, the most current that all limits still allow (bisection to 0.01 A);
round robin goes round in increments of 0.1 A. Both as in acnportal 0.3.3 `algorithms/sorted_algorithms.py` (Lee et al.,
"ACN-Sim: An Open-Source Simulator for Data-Driven Electric Vehicle Charging Research", IEEE Trans. Smart Grid 2021),
tolerances too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import highspy
import numpy as np

from app.scheduling.coupled import CoupledCars, Coupling, Numbers, rates_now_a

BISECTION_A = 0.01
INCREMENT_A = 0.1
TOLERANCE_A = 1e-5
ROUNDS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known at a step: the cars that are there, and the steps in which they came.

    `seen_a` is what a car drew when it was allowed more, endless before that.
    """

    cars: CoupledCars
    seen_a: np.ndarray
    arrived: Numbers
    coupling: Coupling
    step_h: float


Policy = Callable[[Moment], np.ndarray]
Order = Callable[[Moment], Numbers]


def by_arrival(moment: Moment) -> Numbers:
    """First come, first served."""
    return np.argsort(moment.arrived, kind="stable")


def by_departure(moment: Moment) -> Numbers:
    """Earliest deadline first."""
    return np.argsort(moment.cars.stays_h, kind="stable")


def by_laxity(moment: Moment) -> Numbers:
    """Least laxity first: what is left of the stay when charging at full current."""
    cars = moment.cars
    return np.argsort(np.round(cars.stays_h - cars.needs_ah / cars.most_a, 9), kind="stable")


def sorted_by(order: Order) -> Policy:
    """Return the policy that serves cars one after the other in this order."""

    def rates_a(moment: Moment) -> np.ndarray:
        most_a = np.minimum(moment.cars.most_a, moment.cars.needs_ah / moment.step_h)
        rates = np.zeros(len(most_a))
        lines = _Lines(moment.coupling)
        for car in order(moment):
            group = int(moment.cars.groups[car])
            rates[car] = _most_a(lines, group, float(most_a[car]))
            lines.add(group, rates[car])
        return rates

    return rates_a


def round_robin(moment: Moment) -> np.ndarray:
    """Share equally: an increment for each car in turn, until nobody can have more."""
    most_a = np.minimum(moment.cars.most_a, moment.cars.needs_ah / moment.step_h)
    wishes = np.floor(most_a / INCREMENT_A + 1e-9).astype(int)
    given = np.zeros(len(wishes), dtype=int)
    lines = _Lines(moment.coupling)
    queue = [car for car in by_arrival(moment) if wishes[car] > 0]
    while queue:
        groups = moment.cars.groups[queue]
        rounds = min(ROUNDS_AT_ONCE, int(np.min((wishes - given)[queue])))
        if lines.allow_in_turn(np.tile(groups, rounds), INCREMENT_A):
            given[queue] += rounds
            for group in groups:
                lines.add(int(group), rounds * INCREMENT_A)
        else:
            queue = [car for car in queue if _takes_one(lines, int(moment.cars.groups[car]), given, car)]
        queue = [car for car in queue if given[car] < wishes[car]]
    return given * INCREMENT_A


def _takes_one(lines: "_Lines", group: int, given: Numbers, car: int) -> bool:
    """Give one increment if that is allowed."""
    if not lines.allows(group, INCREMENT_A):
        return False
    lines.add(group, INCREMENT_A)
    given[car] += 1
    return True


def planned(solver: highspy.Highs, *, is_quick: bool = False) -> Policy:
    """Return the coupled planner as a policy, by its own objective or by quick charge; what cars drew it has seen."""

    def rates_a(moment: Moment) -> np.ndarray:
        cars = replace(moment.cars, most_a=np.minimum(moment.cars.most_a, moment.seen_a))
        return rates_now_a(cars, moment.coupling, moment.step_h, solver, is_quick=is_quick)

    return rates_a


class _Lines:
    """Currents of the conductors while cars are added."""

    def __init__(self, coupling: Coupling) -> None:
        self._factors = coupling.factor_by_group
        self._bounds_a = coupling.limits_a + np.maximum(TOLERANCE_A, 1e-7 * coupling.limits_a)
        self._currents_a = np.zeros(len(coupling.limits_a), dtype=complex)

    def allows(self, group: int, more_a: float) -> bool:
        """Tell whether a group may take this much more."""
        return bool(np.all(np.abs(self._currents_a + self._factors[:, group] * more_a) <= self._bounds_a))

    def allow_in_turn(self, groups: Numbers, each_a: float) -> bool:
        """Tell whether these may each take this much more, one after the other, no limit broken on the way."""
        on_the_way_a = self._currents_a[:, None] + np.cumsum(self._factors[:, groups], axis=1) * each_a
        return bool(np.all(np.abs(on_the_way_a) <= self._bounds_a[:, None]))

    def add(self, group: int, more_a: float) -> None:
        """Let a group take more."""
        self._currents_a += self._factors[:, group] * more_a


def _most_a(lines: _Lines, group: int, upper_a: float) -> float:
    """Return the most that a group may take in addition, by bisection."""
    if lines.allows(group, upper_a):
        return upper_a
    lower_a = 0.0
    while upper_a - lower_a > BISECTION_A:
        middle_a = (lower_a + upper_a) / 2
        lower_a, upper_a = (middle_a, upper_a) if lines.allows(group, middle_a) else (lower_a, middle_a)
    return lower_a
