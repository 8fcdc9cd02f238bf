"""The flow core against a linear programme that is written down independently, after the formulas of its docstring."""

from collections import defaultdict

import highspy
import numpy as np
import pytest
from hypothesis import given, settings

from app.scheduling.branches import rooms_of
from app.scheduling.cars import cars_of
from app.scheduling.flow import FREE, SITE, solve
from app.scheduling.instance import gone_shares, instance, slots_of, takers_of
from app.scheduling.planner import planning_slots
from tests.scheduling.fleets import NOW, QUARTER, hedged_parks, parks, wired_parks


def problem_of(park):
    rooms = rooms_of(park)
    cars = cars_of(park, NOW, rooms.branch_of)
    slots = planning_slots(NOW, NOW + 24 * QUARTER)
    takers = takers_of(cars, gone_shares(cars.outlooks, slots_of(slots, NOW)))
    surplus_w = [each.surplus_w for each in park.surplus]
    return instance(park, rooms.above_w, rooms.branches, takers, slots, surplus_w, NOW)


class Programme:
    """Columns and rows of a linear programme, gathered one by one."""

    def __init__(self):
        self.costs, self.uppers, self.rows = [], [], []

    def column(self, cost, upper):
        self.costs.append(float(cost))
        self.uppers.append(float(upper))
        return len(self.costs) - 1

    def row(self, value, plus, minus=()):
        self.rows.append((float(value), [*plus, *minus], [1.0] * len(plus) + [-1.0] * len(minus)))

    def least(self):
        highs = highspy.Highs()
        highs.silent()
        for cost, upper in zip(self.costs, self.uppers, strict=True):
            highs.addCol(cost, 0.0, upper, 0, [], [])
        for value, columns, signs in self.rows:
            highs.addRow(value, value, len(columns), np.array(columns, dtype=np.int32), np.array(signs))
        highs.run()
        return highs.getObjectiveValue()


def lp_cost(problem):
    blocks, prices, arcs, offers = problem.blocks, problem.prices, problem.arcs, problem.supplies
    lp, slots = Programme(), range(len(offers.solar_wh))
    priced = {(b, k): lp.column(cost, 1e9) for b, k, cost in zip(prices.block, prices.slot, prices.cost, strict=True)}
    several = {int(blocks.car[block]) for block, _ in priced}
    taken = {(b, k): priced.get((b, k)) for b in range(len(blocks.car)) for k in slots}
    for (b, k), column in taken.items():
        if column is None:
            taken[b, k] = lp.column(0, 0 if int(blocks.car[b]) in several else 1e9)
    for b, need_wh in enumerate(blocks.need_wh):
        unmet = lp.column(blocks.unmet_cost[b], 1e9)
        lp.row(need_wh, [taken[b, k] for k in slots] + [unmet])
    of_car, at_entry = defaultdict(list), defaultdict(list)
    for car, k, most_wh, cost, entry in zip(arcs.car, arcs.slot, arcs.capacity_wh, arcs.cost, arcs.entry, strict=True):
        column = lp.column(cost, most_wh)
        of_car[car, k].append(column)
        at_entry[entry, k].append(column)
    for car in range(problem.car_count):
        for k in slots:
            lp.row(0, [taken[b, k] for b in np.flatnonzero(blocks.car == car)], of_car[car, k])
    for k in slots:
        trunks = [lp.column(0, trunk.above_wh[k]) for trunk in problem.trunks]

        def entering(entry, k=k, trunks=trunks):
            parents = [SITE if trunk.parent is None else trunk.parent for trunk in problem.trunks]
            return at_entry[entry, k] + [trunks[n] for n, parent in enumerate(parents) if parent == entry]

        for number, through in enumerate(trunks):
            lp.row(0, entering(number), [through])
        calm, last = lp.column(0, offers.calm_wh[k]), lp.column(offers.last_tier_cost, offers.last_tier_wh[k])
        lp.row(0, entering(SITE), [calm, last])
        sun = lp.column(offers.solar_cost[k], offers.solar_wh[k])
        grid = lp.column(offers.grid_cost[k], min(1e9, offers.grid_wh[k]))
        over = lp.column(offers.grid_cost[k] + offers.over_cost, 1e9)
        lp.row(0, [*entering(FREE), calm, last], [sun, grid, over])
    return lp.least()


@settings(max_examples=40, deadline=None)
@given(parks() | wired_parks() | hedged_parks())
def test_the_flow_finds_the_optimum_of_the_linear_programme(park):
    problem = problem_of(park)
    assert solve(problem).cost == pytest.approx(lp_cost(problem), rel=1e-9, abs=1)


@settings(max_examples=60, deadline=None)
@given(hedged_parks())
def test_a_solution_keeps_every_capacity_and_accounts_for_every_watt_hour(park):
    problem = problem_of(park)
    solution = solve(problem)
    arcs, slots = problem.arcs, len(problem.supplies.solar_wh)
    most_wh = np.bincount(arcs.car * slots + arcs.slot, arcs.capacity_wh, problem.car_count * slots)
    assert (solution.energy_wh.ravel() <= most_wh).all()
    unmet_wh = np.bincount(problem.blocks.car, solution.unmet_wh, problem.car_count)
    need_wh = np.bincount(problem.blocks.car, problem.blocks.need_wh, problem.car_count)
    assert (solution.energy_wh.sum(axis=1) + unmet_wh == need_wh).all()
    bought_wh = solution.energy_wh.sum(axis=0) - solution.grid_wh
    assert (bought_wh <= problem.supplies.solar_wh).all()
    for number, trunk in enumerate(problem.trunks):
        assert (solution.trunk_wh[number] <= trunk.above_wh).all()
