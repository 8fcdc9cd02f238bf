"""Perfect foresight: linear programmes (HiGHS) over a whole day's sessions, sun and limit, known in advance.

Energy per car and step, with presence in fractions of a step. Taper is linear in what was delivered before, so it is
exact up to the step. Never used to control anything: it is the yardstick.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import highspy
import numpy as np

from app.domain.intervals import Interval
from app.domain.units import energy_wh

DELIVERED_WEIGHT = 100.0


@dataclass(frozen=True, slots=True)
class ForesightCar:
    """A car as it was. `taper` holds lines (slope_w_per_wh, intercept_w): power ≤ slope · delivered + intercept."""

    arrives_at: datetime
    leaves_at: datetime
    need_wh: float
    max_power_w: float
    taper: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Foresight:
    """The best that could have been: most delivered first, then most sun."""

    delivered_wh: float
    solar_wh: float
    by_car_wh: tuple[float, ...]


def silent_highs() -> highspy.Highs:
    """Return a solver that prints nothing; its first instance greets on file descriptor 1, whatever its options say."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        highs = highspy.Highs()  # type: ignore[no-untyped-call]
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
    highs.silent()
    return highs


class _Programme:
    """Rows and columns collected before they are handed to HiGHS at once."""

    def __init__(self) -> None:
        self.costs: list[float] = []
        self.uppers: list[float] = []
        self.row_lowers: list[float] = []
        self.row_uppers: list[float] = []
        self.starts: list[int] = [0]
        self.columns: list[int] = []
        self.values: list[float] = []

    def column(self, cost: float, upper: float) -> int:
        self.costs.append(cost)
        self.uppers.append(upper)
        return len(self.costs) - 1

    def row(self, lower: float, upper: float, entries: Sequence[tuple[int, float]]) -> None:
        self.row_lowers.append(lower)
        self.row_uppers.append(upper)
        self.columns += [column for column, _ in entries]
        self.values += [value for _, value in entries]
        self.starts.append(len(self.columns))

    def maximise(self) -> np.ndarray:
        """Return the optimal column values; raises RuntimeError when HiGHS finds none."""
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.costs), len(self.row_lowers)
        lp.col_cost_ = np.array(self.costs)
        lp.col_lower_ = np.zeros(lp.num_col_)
        lp.col_upper_ = np.array(self.uppers)
        lp.row_lower_, lp.row_upper_ = np.array(self.row_lowers), np.array(self.row_uppers)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.array(self.starts)
        lp.a_matrix_.index_ = np.array(self.columns)
        lp.a_matrix_.value_ = np.array(self.values)
        lp.sense_ = highspy.ObjSense.kMaximize
        highs = silent_highs()
        highs.passModel(lp)
        highs.run()
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"no optimum: {highs.getModelStatus()}")
        return np.array(highs.getSolution().col_value)


def _add_cars(
    programme: _Programme, cars: Sequence[ForesightCar], starts_at: datetime, step: timedelta, steps: int, weight: float
) -> list[dict[int, int]]:
    """Add a column per car and step of presence, its need and its taper; return the columns by step, per car."""
    columns: list[dict[int, int]] = []
    for car in cars:
        own: dict[int, int] = {}
        caps: dict[int, timedelta] = {}
        for number in range(steps):
            present = Interval(starts_at + number * step, starts_at + (number + 1) * step).overlap(
                Interval(car.arrives_at, max(car.leaves_at, car.arrives_at + timedelta(seconds=1)))
            )
            if present > timedelta(0):
                caps[number] = present
                own[number] = programme.column(weight, energy_wh(car.max_power_w, present))
        columns.append(own)
        if own:
            programme.row(0.0, car.need_wh, [(column, 1.0) for column in own.values()])
            _add_taper(programme, car, own, caps)
    return columns


def _add_taper(programme: _Programme, car: ForesightCar, own: dict[int, int], caps: dict[int, timedelta]) -> None:
    """Bound each step's energy by the taper lines over what was delivered before (a running-sum column per step)."""
    if not car.taper:
        return
    before: int | None = None
    for number, column in own.items():
        hours = caps[number].total_seconds() / 3600
        for slope, intercept_w in car.taper:
            entries = [(column, 1.0)] if before is None else [(column, 1.0), (before, -slope * hours)]
            programme.row(-highspy.kHighsInf, intercept_w * hours, entries)
        total = programme.column(0.0, highspy.kHighsInf)
        entries = [(total, 1.0), (column, -1.0)] + ([] if before is None else [(before, -1.0)])
        programme.row(0.0, 0.0, entries)
        before = total


def perfect_foresight(
    cars: Sequence[ForesightCar],
    surplus_w: Sequence[float],
    *,
    starts_at: datetime,
    step: timedelta,
    limit_w: float | Sequence[float],
) -> Foresight:
    """Return the day with everything known: most energy delivered, then most of it from the surplus.

    `surplus_w` is the mean surplus of each step from `starts_at` on; all cars together stay under `limit_w`, which may
    be one for all steps or one for each.
    """
    limits_w = [limit_w] * len(surplus_w) if isinstance(limit_w, float | int) else list(limit_w)
    programme = _Programme()
    columns = _add_cars(programme, cars, starts_at, step, len(surplus_w), DELIVERED_WEIGHT)
    solar_columns = []
    for number, power_w in enumerate(surplus_w):
        entries = [(own[number], 1.0) for own in columns if number in own]
        solar = programme.column(1.0, energy_wh(max(0.0, power_w), step))
        solar_columns.append(solar)
        programme.row(-highspy.kHighsInf, energy_wh(limits_w[number], step), entries)
        programme.row(-highspy.kHighsInf, 0.0, [(solar, 1.0), *[(column, -1.0) for column, _ in entries]])
    values = programme.maximise()
    by_car_wh = tuple(float(sum(values[column] for column in own.values())) for own in columns)
    return Foresight(sum(by_car_wh), float(sum(values[column] for column in solar_columns)), by_car_wh)


def alone_wh(cars: Sequence[ForesightCar], *, starts_at: datetime, step: timedelta, steps: int) -> tuple[float, ...]:
    """Return what each car could take in its stay if nobody else were there."""
    programme = _Programme()
    columns = _add_cars(programme, cars, starts_at, step, steps, 1.0)
    values = programme.maximise() if programme.costs else np.zeros(0)
    return tuple(float(sum(values[column] for column in own.values())) for own in columns)


def fillable_wh(
    cars: Sequence[ForesightCar], *, starts_at: datetime, step: timedelta, steps: int, limit_w: float
) -> tuple[float, ...]:
    """Return what each car could have been given under the site limit.

    Where all cars together could have everything that each could take alone, that; else the shares of one day that
    delivers the most.
    """
    alone = alone_wh(cars, starts_at=starts_at, step=step, steps=steps)
    together = perfect_foresight(cars, [0.0] * steps, starts_at=starts_at, step=step, limit_w=limit_w)
    return alone if together.delivered_wh >= sum(alone) - 1.0 else together.by_car_wh


def least_limit_w(cars: Sequence[ForesightCar], *, starts_at: datetime, step: timedelta, steps: int) -> float:
    """Return the smallest site limit under which every car can take what it could take alone."""
    alone = alone_wh(cars, starts_at=starts_at, step=step, steps=steps)
    programme = _Programme()
    columns = _add_cars(programme, cars, starts_at, step, steps, 0.0)
    limit = programme.column(-1.0, highspy.kHighsInf)
    for own, reach_wh in zip(columns, alone, strict=True):
        if own:
            programme.row(max(0.0, reach_wh - 1.0), highspy.kHighsInf, [(column, 1.0) for column in own.values()])
    hours = step.total_seconds() / 3600
    for number in range(steps):
        entries = [(own[number], 1.0) for own in columns if number in own]
        if entries:
            programme.row(-highspy.kHighsInf, 0.0, [*entries, (limit, -hours)])
    return float(programme.maximise()[limit])
