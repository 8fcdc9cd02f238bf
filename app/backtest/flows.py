"""Flows over one day of slots (OR-Tools, whole Wh): the most sun that could be used, and the references' plans."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ortools.graph.python import min_cost_flow

from app.backtest.days import SLOT_HOURS, SLOTS_PER_DAY, Car, Powers

GRID_COST = 10_000
STEP_COST = 10
UNMET_COST = 1_000 * GRID_COST
UNBOUNDED_WH = 10**9


@dataclass(frozen=True, slots=True)
class Best:
    """The best that could have been: the most delivered (per car, and in all), then the most of it from the sun.

    `powers_w` is what all cars took together in each slot, in one day that is as good.
    """

    delivered_wh: float
    solar_wh: float
    by_car_wh: Powers
    powers_w: Powers


def best_of(cars: Sequence[Car], surplus_w: Powers, evse_w: float, site_w: float) -> Best:
    """Return perfect foresight under the site's limit: a min-cost flow from cars through slots to sun or grid."""
    count = len(cars)
    sink, above = count + SLOTS_PER_DAY, count + SLOTS_PER_DAY + 1
    arcs = _Arcs()
    slot_wh = int(evse_w * SLOT_HOURS)
    for number, car in enumerate(cars):
        for slot in range(car.first, car.last):
            arcs.add(number, count + slot, slot_wh, 0)
        arcs.add(number, sink, int(car.need_wh), UNMET_COST)
    first_solar = len(arcs.tails)
    room_wh = int(min(site_w * SLOT_HOURS, UNBOUNDED_WH))
    for slot in range(SLOTS_PER_DAY):
        solar_wh = min(int(surplus_w[slot] * SLOT_HOURS), room_wh)
        arcs.add(count + slot, sink, solar_wh, 0)
        arcs.add(count + slot, above, room_wh - solar_wh, GRID_COST)
    arcs.add(above, sink, UNBOUNDED_WH, 0)
    flow = arcs.solved([int(car.need_wh) for car in cars], sink)
    left_wh = np.array([car.need_wh for car in cars])
    powers_w = np.zeros(SLOTS_PER_DAY)
    for arc in range(first_solar):
        if arcs.heads[arc] != sink:
            amount_wh = flow.flow(arc)
            left_wh[arcs.tails[arc]] -= amount_wh
            powers_w[arcs.heads[arc] - count] += amount_wh / SLOT_HOURS
    solar_wh = sum(flow.flow(first_solar + 2 * slot) for slot in range(SLOTS_PER_DAY))
    left_wh[left_wh < 1] = 0.0  # what rounding to whole Wh has left
    by_car_wh = np.array([car.need_wh for car in cars]) - left_wh
    return Best(float(by_car_wh.sum()), float(solar_wh), by_car_wh, powers_w)


class _Arcs:
    """Arcs collected before they are handed to the solver at once."""

    def __init__(self) -> None:
        self.tails: list[int] = []
        self.heads: list[int] = []
        self.capacities_wh: list[int] = []
        self.costs: list[int] = []

    def add(self, tail: int, head: int, capacity_wh: int, unit_cost: int) -> int:
        self.tails.append(tail)
        self.heads.append(head)
        self.capacities_wh.append(capacity_wh)
        self.costs.append(unit_cost)
        return len(self.tails) - 1

    def solved(self, supplies_wh: Sequence[int], sink: int) -> min_cost_flow.SimpleMinCostFlow:
        """Return the optimal flow of what the first nodes supply to the sink; raises RuntimeError for none."""
        flow = min_cost_flow.SimpleMinCostFlow()
        flow.add_arcs_with_capacity_and_unit_cost(self.tails, self.heads, self.capacities_wh, self.costs)
        for number, supply_wh in enumerate(supplies_wh):
            flow.set_node_supply(number, supply_wh)
        flow.set_node_supply(sink, -sum(supplies_wh))
        if flow.solve() != flow.OPTIMAL:
            raise RuntimeError("the min-cost flow has no optimum")
        return flow


def reference_plan(
    left_wh: Powers,
    ends: Sequence[int],
    surplus_w: Powers,
    now: int,
    evse_w: float,
    *,
    grid_early: bool,
    site_w: float = float("inf"),
) -> Powers:
    """Return what each present car takes in the slot `now` (Wh) of the cheapest plan: sun first, then early or late.

    `ends[i]` is the slot by which car i has to be done, `surplus_w` the expected surplus of the day's slots, `site_w`
    the site's limit.
    """
    count, span = len(left_wh), max(ends) - now
    sink = count + span
    arcs = _Arcs()
    firsts = []
    slot_wh, room_wh = int(evse_w * SLOT_HOURS), int(min(site_w * SLOT_HOURS, UNBOUNDED_WH))
    needs_wh = [round(each_wh) for each_wh in left_wh]
    for number, end in enumerate(ends):
        slots = range(max(1, end - now))
        firsts.append(len(arcs.tails))
        for slot in slots:
            arcs.add(number, count + slot, slot_wh, 0)
        arcs.add(number, sink, needs_wh[number], UNMET_COST)
    for slot in range(span):
        solar_wh = min(int(surplus_w[min(now + slot, SLOTS_PER_DAY - 1)] * SLOT_HOURS), room_wh)
        arcs.add(count + slot, sink, solar_wh, slot)
        arcs.add(count + slot, sink, room_wh - solar_wh, GRID_COST + STEP_COST * (slot if grid_early else span - slot))
    flow = arcs.solved(needs_wh, sink)
    return np.array([float(flow.flow(first)) for first in firsts])
