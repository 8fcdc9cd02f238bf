"""The planner's flow as a linear programme for HiGHS, built at once, so that what is timed is the solver."""

import time
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from app.scheduling.flow import FREE, SITE, Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Solved:
    """What HiGHS found, or that its time was up (`cost` is None then)."""

    cost: float | None
    cpu_s: float


def highs(problem: Problem, method: str, most_s: float) -> Solved:
    """Solve by "ipm" or "simplex" on one thread, for so long at most; every car must have one block."""
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("solver", method)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("time_limit", most_s)
    solver.passModel(programme(problem))
    started_s = time.process_time()
    solver.run()
    cpu_s = time.process_time() - started_s
    is_done = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return Solved(solver.getObjectiveValue() if is_done else None, cpu_s)


def programme(problem: Problem) -> highspy.HighsLp:
    """Return the linear programme; see the formulas in `app.scheduling.flow`."""
    arcs, blocks, offers = problem.arcs, problem.blocks, problem.supplies
    slots, trunks, cars, count = len(offers.solar_wh), len(problem.trunks), len(blocks.car), len(arcs.car)
    number, ones = np.arange(slots), np.ones(slots)
    unmet, through = count, count + cars
    calm = through + trunks * slots
    last, sun, grid, over = (calm + slots * place for place in (1, 2, 3, 4))
    of_trunk, of_site, of_slot = cars, cars + trunks * slots, cars + (trunks + 1) * slots
    entry_row = np.where(
        arcs.entry == FREE, of_slot, np.where(arcs.entry == SITE, of_site, of_trunk + arcs.entry * slots)
    )
    entries = [
        (arcs.car, np.arange(count), np.ones(count)),
        (entry_row + arcs.slot, np.arange(count), np.ones(count)),
        (np.arange(cars), unmet + np.arange(cars), np.ones(cars)),
        *((of_site + number, column + number, -ones) for column in (calm, last)),
        *((of_slot + number, column + number, ones) for column in (calm, last)),
        *((of_slot + number, column + number, -ones) for column in (sun, grid, over)),
    ]
    for place, trunk in enumerate(problem.trunks):
        above = of_site if trunk.parent is None else of_trunk + trunk.parent * slots
        entries.append((of_trunk + place * slots + number, through + place * slots + number, -ones))
        entries.append((above + number, through + place * slots + number, ones))
    zero, free = np.zeros(slots), np.full(slots, highspy.kHighsInf)
    costs = [arcs.cost, blocks.unmet_cost, np.zeros(trunks * slots), zero, zero + offers.last_tier_cost]
    costs += [offers.solar_cost, offers.grid_cost, offers.grid_cost + offers.over_cost]
    uppers = [arcs.capacity_wh, blocks.need_wh, *(trunk.above_wh for trunk in problem.trunks)]
    uppers += [offers.calm_wh, offers.last_tier_wh, offers.solar_wh, np.minimum(offers.grid_wh, 1e12), free]
    right = np.concatenate([blocks.need_wh, np.zeros((trunks + 2) * slots)])
    return _lp(entries, np.concatenate(costs), np.concatenate(uppers), right)


def _lp(entries: list[tuple[Ints, Ints, Floats]], costs: Floats, uppers: Floats, right: Floats) -> highspy.HighsLp:
    rows, columns, values = (np.concatenate([each[place] for each in entries]) for place in range(3))
    order = np.lexsort((columns, rows))
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(costs), len(right)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = costs.astype(float), np.zeros(len(costs)), uppers.astype(float)
    lp.row_lower_ = lp.row_upper_ = right.astype(float)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(right)))]).astype(np.int32)
    lp.a_matrix_.index_, lp.a_matrix_.value_ = columns[order].astype(np.int32), values[order]
    return lp
