"""Who gets how many amperes now where conductors couple phases: a small linear programme over (car, span of time).

A conductor carries the sum of the currents of its cars as phasors, |Σ factor · current · e^(jφ)| ≤ its limit: cars
between lines of a scarce transformer take from each other, and unlike ones less than like ones. Cars whose currents
count alike on every conductor form one group; a group's current is a variable per span, and a conductor's disc is cut
to the polygon around it (`FACET_DEG`). Departures are the only moments at which what is possible changes, so spans
between them lose nothing: 20 cars need 20 spans, not 144 slots.

The objective is energy delivered before departure. Among plans that deliver the same, it hurries: the present is worth
a little more than the future, and more so for who has little time to spare (laxity). What is not known are the cars
that come: hurry leaves them empty conductors, and laxity leaves behind cars that can still wait. The promise is best
effort: nothing here is ever infeasible. Currents returned keep every limit exactly, not just its polygon.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import highspy
import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.intp]

FACET_DEG = 5.0
HALF_TURN_DEG, FULL_TURN_DEG = 180.0, 360.0
HASTE_PER_H = 0.0025
EASY_LAXITY_H = 1.0
TINY_SHARE = 1e-9


@dataclass(frozen=True)
class Coupling:
    """What groups of cars do to conductors.

    `factor_by_group[conductor, group]` is the phasor of the conductor's current per ampere of the group; `limits_a` has
    one limit per conductor.
    """

    factor_by_group: np.ndarray
    limits_a: np.ndarray

    @property
    def group_count(self) -> int:
        """How many groups there are."""
        return int(self.factor_by_group.shape[1])

    def stretch_factor(self, current_a_by_group: np.ndarray) -> float:
        """Return the largest share of a limit that these currents take; above 1 a limit is broken."""
        if not len(self.limits_a):
            return 0.0
        return float(np.max(np.abs(self.factor_by_group @ current_a_by_group) / self.limits_a))

    @cached_property
    def facets(self) -> tuple[np.ndarray, np.ndarray]:
        """Lines (a, b), a · group currents ≤ b, around what the limits allow, without those that another implies."""
        lines = [line / limit_a for row, limit_a in zip(self.factor_by_group, self.limits_a, strict=True)
                 for line in _tangents(row)]  # fmt: skip
        kept: list[np.ndarray] = []
        for line in sorted(lines, key=lambda each: -float(each.sum())):
            if np.any(line > TINY_SHARE) and not any(np.all(line <= other + TINY_SHARE) for other in kept):
                kept.append(line)
        return np.array(kept).reshape(-1, self.group_count), np.ones(len(kept))


def _tangents(factor_by_group: np.ndarray) -> list[np.ndarray]:
    """Return the real rows of the tangents of a disc, in the directions that sums of these phasors can point to."""
    phasors = factor_by_group[np.abs(factor_by_group) > TINY_SHARE]
    if not len(phasors):
        return []
    angles_deg = np.sort(np.degrees(np.angle(phasors)))
    gaps_deg = np.diff(np.append(angles_deg, angles_deg[0] + FULL_TURN_DEG))
    widest = int(np.argmax(gaps_deg))
    starts_deg, span_deg = angles_deg[(widest + 1) % len(angles_deg)], FULL_TURN_DEG - gaps_deg[widest]
    if span_deg > HALF_TURN_DEG:
        starts_deg, span_deg = 0.0, FULL_TURN_DEG
    directions_deg = starts_deg + np.linspace(0.0, span_deg, 1 + int(np.ceil(span_deg / FACET_DEG - TINY_SHARE)))
    return [np.real(factor_by_group * np.exp(-1j * np.radians(each))) for each in directions_deg]


def coupling_of(
    angles_deg: Sequence[float], factor_by_station: np.ndarray, limits_a: Sequence[float]
) -> tuple[Coupling, tuple[int, ...]]:
    """Return the coupling and every station's group.

    `angles_deg` has the angle of each station's current, `factor_by_station[conductor, station]` how it counts there.
    """
    phasors = np.asarray(factor_by_station) * np.exp(1j * np.radians(np.asarray(angles_deg)))[None, :]
    groups: dict[tuple[complex, ...], int] = {}
    group_by_station = tuple(
        groups.setdefault(tuple(np.round(column, 9)), len(groups)) for column in phasors.T.reshape(len(angles_deg), -1)
    )
    firsts = [group_by_station.index(number) for number in range(len(groups))]
    return Coupling(phasors[:, firsts], np.asarray(limits_a, dtype=float)), group_by_station


@dataclass(frozen=True, slots=True)
class CoupledCars:
    """Cars as columns, one entry per car: what they still need, how long they stay, their most current, their group."""

    needs_ah: np.ndarray
    stays_h: np.ndarray
    most_a: np.ndarray
    groups: Numbers


def hurried_value_factor(cars: CoupledCars, middles_h: np.ndarray) -> np.ndarray:
    """Return what an ampere-hour is worth per car and span (its middle from now): 1 now, slowly less later.

    Half as slowly for who has an hour to spare beside charging at full current, and so on.
    """
    laxities_h = np.maximum(0.0, cars.stays_h - cars.needs_ah / np.maximum(cars.most_a, TINY_SHARE))
    urgency = EASY_LAXITY_H / (EASY_LAXITY_H + laxities_h)
    return np.asarray(1.0 / (1.0 + HASTE_PER_H * urgency[:, None] * middles_h[None, :]))


def quick_value_factor(cars: CoupledCars, middles_h: np.ndarray) -> np.ndarray:
    """Return the worth of "quick charge" (Lee et al., ACN-Sim, 2021): falling to 0 at the last departure."""
    last_h = float(np.max(cars.stays_h))
    return np.repeat(np.maximum(0.0, 1.0 - middles_h / last_h)[None, :], len(cars.stays_h), axis=0)


def rates_now_a(
    cars: CoupledCars, coupling: Coupling, step_h: float, solver: highspy.Highs, *, is_quick: bool = False
) -> np.ndarray:
    """Return the current of each car for the coming step, within every limit.

    `solver` is anybody's silent HiGHS: it keeps nothing between calls, and cars are sorted, so the answer depends on
    who is there alone. Raises RuntimeError when HiGHS finds no optimum (there always is one: nothing charging).
    """
    order = np.lexsort((cars.groups, cars.most_a, cars.needs_ah, cars.stays_h))
    if not len(order):
        return np.zeros(0)
    sorted_cars = CoupledCars(cars.needs_ah[order], cars.stays_h[order], cars.most_a[order], cars.groups[order])
    rates_a = np.zeros(len(order))
    rates_a[order] = _sorted_rates_a(sorted_cars, coupling, step_h, solver, is_quick=is_quick)
    return rates_a


def _sorted_rates_a(
    cars: CoupledCars, coupling: Coupling, step_h: float, solver: highspy.Highs, *, is_quick: bool
) -> np.ndarray:
    ends_h = np.unique(np.append(cars.stays_h, step_h))
    starts_h = np.append(0.0, ends_h[:-1])
    worth_weight = (quick_value_factor if is_quick else hurried_value_factor)(cars, (starts_h + ends_h - step_h) / 2)
    leaves = np.searchsorted(ends_h, cars.stays_h) + 1
    plan_a = spread_a(cars, coupling, ends_h - starts_h, np.zeros_like(leaves), leaves, worth_weight, solver)
    return fitted_a(np.minimum(plan_a[:, 0], cars.needs_ah / step_h), cars.groups, coupling)


def fitted_a(rates_a: np.ndarray, groups: Numbers, coupling: Coupling) -> np.ndarray:
    """Return the currents, all lowered by one factor where they break a limit."""
    by_group = np.bincount(groups, weights=rates_a, minlength=coupling.group_count)
    return np.asarray(rates_a / max(1.0, coupling.stretch_factor(by_group)))


def spread_a(
    cars: CoupledCars,
    coupling: Coupling,
    widths_h: np.ndarray,
    comes: Numbers,
    leaves: Numbers,
    worth_weight: np.ndarray,
    solver: highspy.Highs,
) -> np.ndarray:
    """Return the mean current per car and span that is worth the most.

    A car is there in the spans [comes, leaves); `worth_weight[car, span]` is per ampere-hour. Columns are the
    currents of the cars where they are there and, behind them, the groups' currents per span; rows are the needs, the
    groups' sums and the facets. Raises RuntimeError when HiGHS finds no optimum.
    """
    spans = np.arange(len(widths_h))
    car_of, span_of = np.nonzero((spans >= comes[:, None]) & (spans < leaves[:, None]))
    programme = _programme(cars, coupling, widths_h, car_of, span_of, worth_weight)
    solver.passModel(programme)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"no optimum: {solver.getModelStatus()}")
    plan_a = np.zeros((len(cars.needs_ah), len(widths_h)))
    plan_a[car_of, span_of] = np.maximum(0.0, np.array(solver.getSolution().col_value)[: len(car_of)])
    return plan_a


def _programme(
    cars: CoupledCars,
    coupling: Coupling,
    widths_h: np.ndarray,
    car_of: Numbers,
    span_of: Numbers,
    worth_weight: np.ndarray,
) -> highspy.HighsLp:
    lines, bounds = coupling.facets
    car_count, span_count, group_count = len(cars.needs_ah), len(widths_h), coupling.group_count
    sum_count, own_count = span_count * group_count, len(car_of)
    rows, values, lengths = _group_columns(lines, car_count, span_count)
    sums = car_count + span_of * group_count + cars.groups[car_of]
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = own_count + sum_count, car_count + sum_count + span_count * len(lines)
    lp.col_cost_ = np.append(worth_weight[car_of, span_of] * widths_h[span_of], np.zeros(sum_count))
    lp.col_lower_ = np.zeros(lp.num_col_)
    lp.col_upper_ = np.append(cars.most_a[car_of], np.full(sum_count, highspy.kHighsInf))
    unbounded = np.full(lp.num_row_, -highspy.kHighsInf)
    unbounded[car_count : car_count + sum_count] = 0.0
    lp.row_lower_ = unbounded
    lp.row_upper_ = np.concatenate([cars.needs_ah, np.zeros(sum_count), np.tile(bounds, span_count)])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.append(0, np.cumsum(np.append(np.full(own_count, 2), lengths)))
    lp.a_matrix_.index_ = np.append(np.column_stack([car_of, sums]).ravel(), rows)
    lp.a_matrix_.value_ = np.append(np.column_stack([widths_h[span_of], np.ones(own_count)]).ravel(), values)
    lp.sense_ = highspy.ObjSense.kMaximize
    return lp


def _group_columns(
    facet_weight: np.ndarray, car_count: int, span_count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows, values and lengths of the groups' columns: span by span, in each one group after the other."""
    group_count = facet_weight.shape[1]
    first_facet = car_count + span_count * group_count
    counted = [np.flatnonzero(np.abs(facet_weight[:, group]) > TINY_SHARE) for group in range(group_count)]
    row_parts, value_parts = [], []
    for group, facets in enumerate(counted):
        row_parts += [np.array([car_count + group]), first_facet + facets]
        value_parts += [np.array([-1.0]), facet_weight[facets, group]]
    lengths = np.array([1 + len(facets) for facets in counted])
    hops = np.concatenate([np.append(group_count, np.full(len(facets), len(facet_weight))) for facets in counted])
    rows = np.concatenate(row_parts)[None, :] + np.arange(span_count)[:, None] * hops[None, :]
    return rows.ravel(), np.tile(np.concatenate(value_parts), span_count), np.tile(lengths, span_count)
