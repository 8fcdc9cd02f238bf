"""Flows over one day of slots (OR-Tools, whole Wh): the most sun that could be used, and the references' plans."""

from collections.abc import Sequence

import numpy as np
from ortools.graph.python import max_flow, min_cost_flow

from app.backtest.days import SLOT_HOURS, SLOTS_PER_DAY, Car, Powers

GRID_COST = 10_000
STEP_COST = 10
UNMET_COST = 1_000 * GRID_COST
UNBOUNDED_WH = 10**9


def most_solar_wh(cars: Sequence[Car], surplus_w: Powers, evse_w: float) -> float:
    """Return the most surplus that cars known in advance can take while all get what they need (perfect foresight).

    Without a site limit every need fits (`car_of` caps it), so the most delivered is certain and the least grid is a
    maximum flow from cars through slots to the sun.
    """
    count = len(cars)
    source, sink = count + SLOTS_PER_DAY, count + SLOTS_PER_DAY + 1
    tails, heads, capacities_wh = [], [], []
    for number, car in enumerate(cars):
        slots = range(car.first, car.last)
        tails += [source, *[number] * len(slots)]
        heads += [number, *[count + slot for slot in slots]]
        capacities_wh += [int(car.need_wh), *[int(evse_w * SLOT_HOURS)] * len(slots)]
    tails += [count + slot for slot in range(SLOTS_PER_DAY)]
    heads += [sink] * SLOTS_PER_DAY
    capacities_wh += [int(power_w * SLOT_HOURS) for power_w in surplus_w]
    flow = max_flow.SimpleMaxFlow()
    flow.add_arcs_with_capacity(tails, heads, capacities_wh)
    if flow.solve(source, sink) != flow.OPTIMAL:
        raise RuntimeError("the maximum flow has no optimum")
    return float(flow.optimal_flow())


def reference_plan(
    left_wh: Powers, ends: Sequence[int], surplus_w: Powers, now: int, evse_w: float, *, grid_early: bool
) -> Powers:
    """Return what each present car takes in the slot `now` (Wh) of the cheapest plan: sun first, then early or late.

    `ends[i]` is the slot by which car i has to be done, `surplus_w` the expected surplus of the day's slots.
    """
    count, span = len(left_wh), max(ends) - now
    sink = count + span
    tails: list[int] = []
    heads: list[int] = []
    capacities_wh: list[int] = []
    costs: list[int] = []
    firsts: list[int] = []
    for number, end in enumerate(ends):
        firsts.append(len(tails))
        slots = range(max(1, end - now))
        tails += [number] * (len(slots) + 1)
        heads += [*[count + slot for slot in slots], sink]
        capacities_wh += [*[int(evse_w * SLOT_HOURS)] * len(slots), round(left_wh[number])]
        costs += [*[0] * len(slots), UNMET_COST]
    for slot in range(span):
        tails += [count + slot] * 2
        heads += [sink] * 2
        capacities_wh += [int(surplus_w[min(now + slot, SLOTS_PER_DAY - 1)] * SLOT_HOURS), UNBOUNDED_WH]
        costs += [slot, GRID_COST + STEP_COST * (slot if grid_early else span - slot)]
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(tails, heads, capacities_wh, costs)
    needs_wh = [round(each_wh) for each_wh in left_wh]
    for number, need_wh in enumerate(needs_wh):
        flow.set_node_supply(number, need_wh)
    flow.set_node_supply(sink, -sum(needs_wh))
    if flow.solve() != flow.OPTIMAL:
        raise RuntimeError("the min-cost flow has no optimum")
    return np.array([float(flow.flow(first)) for first in firsts])
