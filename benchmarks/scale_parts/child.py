"""One size, in a process of its own (so that its peak memory is its own): figures as JSON on stdout."""

import gc
import json
import resource
import sys
import time
from typing import Any

import numpy as np

from app.domain.intervals import PLAN_SLOT
from app.domain.snapshot import SiteSnapshot
from app.scheduling import goals
from app.scheduling.branches import rooms_of
from app.scheduling.cars import Cars, Curves, Outcome, cars_of
from app.scheduling.classes import Classes, classes_of, spread
from app.scheduling.flow import Problem, Solution, solve
from app.scheduling.instance import Slots, gone_shares, instance, slots_of, takers_of
from app.scheduling.planner import EXACT_COUNT, plan, planning_slots
from benchmarks.scale_parts.fleet import FIRST_AT, NOW, SLOTS, fleet
from benchmarks.scale_parts.programme import highs

ROUNDS = 3
EXACT_MOST, HIGHS_MOST = 10_000, 1_000


def measured(count: int, most_s: float) -> dict[str, Any]:
    """Return what planning so many cars costs, how far classes are from single cars, and HiGHS beside it."""
    park = fleet(count)
    gc.collect()
    gc.freeze()
    input_mb = _peak_mb()
    times_s = []
    for _ in range(ROUNDS):
        started_s = time.process_time()
        made = plan(park, NOW)
        times_s.append(time.process_time() - started_s)
        reasons = sum(1 for line in made.lines if line.reason)
        del made
    figures = {
        "sessions": count,
        "cpu_s": min(times_s),
        "input_mb": input_mb,
        "peak_mb": _peak_mb(),
        "with_reason": reasons,
    }
    return figures | _inside(park, count, most_s)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _inside(park: SiteSnapshot, count: int, most_s: float) -> dict[str, Any]:
    rooms = rooms_of(park)
    cars = cars_of(park, NOW, rooms.branch_of)
    slots = planning_slots(NOW, FIRST_AT + SLOTS * PLAN_SLOT)
    times = slots_of(slots, NOW)
    gone = gone_shares(cars.outlooks, times)
    surplus_w = [each.surplus_w for each in park.surplus]

    def problem_of(classes: Classes | None) -> Problem:
        takers = takers_of(cars, gone) if classes is None else classes.takers
        return instance(park, rooms.above_w, rooms.branches, takers, slots, surplus_w, NOW)

    figures: dict[str, Any] = {"slots": len(slots), "feeders": len(rooms.branches)}
    exact = None
    if count <= EXACT_MOST:
        single = problem_of(None)
        exact, cpu_s = _timed(single)
        figures |= {"single_arcs": len(single.arcs.car), "single_solve_s": cpu_s}
        if count <= HIGHS_MOST:
            for method in ("ipm", "simplex"):
                found = highs(single, method, most_s)
                gap = None if found.cost is None else exact.cost / found.cost - 1
                figures |= {f"highs_{method}_s": found.cpu_s, f"highs_{method}_gap": gap}
    if count > EXACT_COUNT:
        classes = classes_of(cars, gone, times)
        few = problem_of(classes)
        solution, cpu_s = _timed(few)
        outcome = spread(
            classes,
            Outcome(
                solution.energy_wh.astype(float),
                _unmet(few, solution),
                solution.grid_wh,
                np.zeros((0, 0), dtype=bool),
                np.ones(few.car_count),
            ),
        )
        figures |= {"classes": classes.count, "class_arcs": len(few.arcs.car), "class_solve_s": cpu_s}
        figures |= _violations(cars, times, outcome, solution)
        if exact is not None:
            figures |= _gap(park, gone, classes, few, solution, outcome, single, exact)
    return figures


def _timed(problem: Problem) -> tuple[Solution, float]:
    started_s = time.process_time()
    solution = solve(problem)
    return solution, time.process_time() - started_s


def _unmet(problem: Problem, solution: Solution) -> Any:
    return np.bincount(problem.blocks.car, solution.unmet_wh, problem.car_count)


def _violations(cars: Cars, times: Slots, outcome: Outcome, solution: Solution) -> dict[str, Any]:
    """Return by how much spreading breaks what it must keep, in Wh: powers, needs, the classes' totals."""
    power_wh = energy_wh = 0.0
    totals_wh = np.zeros(len(times.hours))
    for start in range(0, len(cars), 4096):
        part = slice(start, start + 4096)
        given_wh = outcome.energy_wh[part].astype(float)
        ends, starts = (
            np.minimum(times.end_s, cars.end_s[part, None]),
            np.maximum(times.start_s, cars.start_s[part, None]),
        )
        most_wh = cars.max_w[part, None] * np.maximum(0.0, ends - starts) / 3600
        power_wh = max(power_wh, float((given_wh - most_wh).max()))
        energy_wh = max(energy_wh, float((given_wh.sum(axis=1) - cars.need_wh[part]).max()))
        totals_wh += given_wh.sum(axis=0)
    off_wh = float(np.abs(totals_wh - solution.energy_wh.sum(axis=0)).max())
    return {"over_power_wh": max(0.0, power_wh), "over_need_wh": max(0.0, energy_wh), "totals_off_wh": off_wh}


def _gap(
    park: SiteSnapshot,
    gone: Curves,
    classes: Classes,
    few: Problem,
    solution: Solution,
    outcome: Outcome,
    single: Problem,
    exact: Solution,
) -> dict[str, Any]:
    """Return how much dearer the classes' plan is for the single cars, without what is unmet; and that apart."""
    risk_cost = goals.risk_cost(park.site.miss_cost_ratio)
    class_risk = float((np.rint(classes.takers.gone * risk_cost) * solution.energy_wh).sum())
    car_risk = float((gone.matrix() * risk_cost * outcome.energy_wh[: len(gone.row)]).sum())
    cost = solution.cost - float((few.blocks.unmet_cost * solution.unmet_wh).sum()) - class_risk + car_risk
    least = exact.cost - float((single.blocks.unmet_cost * exact.unmet_wh).sum())
    need_wh = float(single.blocks.need_wh.sum())
    return {
        "cost_gap": cost / least - 1,
        "cost_gap_per_wh_of_grid_cost": (cost - least) / need_wh / goals.GRID_COST,
        "more_unmet_share": (float(outcome.unmet_wh.sum()) - float(exact.unmet_wh.sum())) / need_wh,
    }


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(measured(int(sys.argv[1]), float(sys.argv[2]))) + "\n")
