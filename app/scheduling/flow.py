"""The min-cost flow under the planner: cars' energy into slots, slots' energy from sun or grid, in whole Wh.

Per car and slot the power up to the EVSE's default is free of site capacity (the ledger reserves it in any case);
what goes above it shares `available − Σ defaults`, on its way there that of the scarce feeders above the EVSE. Unmet
energy is an arc of its own, so the flow always exists.
"""

from dataclasses import dataclass, field

from ortools.graph.python import min_cost_flow

UNMET_COST = 10_000_000


@dataclass(frozen=True, slots=True)
class CarArc:
    """Energy that a car may take in a slot: `capacity_wh` at `unit_cost`; `is_above` shares the site's capacity.

    `branch` is the first scarce feeder above the car (None: none before the site).
    """

    car: int
    slot: int
    capacity_wh: int
    unit_cost: int
    is_above: bool
    branch: int | None = None


@dataclass(frozen=True, slots=True)
class Trunk:
    """A scarce feeder: what it can take above defaults in each slot, and what feeds it (None: the site)."""

    parent: int | None
    above_wh: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Supply:
    """What a slot offers: sun and grid with their costs, and two tiers of site capacity for what is above defaults."""

    solar_wh: int
    solar_cost: int
    grid_cost: int
    above_wh: int
    last_tier_wh: int
    last_tier_cost: int


@dataclass(slots=True)
class Problem:
    """Cars' needs in Wh (with the cost of not meeting them), their arcs, the slots and the scarce feeders."""

    need_wh: list[int] = field(default_factory=list)
    unmet_cost: list[int] = field(default_factory=list)
    arcs: list[CarArc] = field(default_factory=list)
    slots: list[Supply] = field(default_factory=list)
    trunks: list[Trunk] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Solution:
    """Energy per (car, slot) in Wh, unmet Wh per car, Wh from the grid per slot, and the total cost."""

    energy_wh: dict[tuple[int, int], int]
    unmet_wh: list[int]
    grid_wh: list[int]
    cost: int


@dataclass(slots=True)
class _Graph:
    """Arcs as parallel lists, the shape that OR-Tools takes at once."""

    tails: list[int] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    capacities_wh: list[int] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)

    def add(self, tail: int, head: int, capacity_wh: int, cost: int) -> int:
        self.tails.append(tail)
        self.heads.append(head)
        self.capacities_wh.append(max(0, capacity_wh))
        self.costs.append(cost)
        return len(self.tails) - 1


def solve(problem: Problem) -> Solution:
    """Return the cheapest way to give every car its energy; raises RuntimeError if the solver breaks its promise."""
    cars, slots = len(problem.need_wh), len(problem.slots)
    graph = _Graph()
    total_wh = sum(problem.need_wh)
    sink = cars + 2 * slots

    def above_node(branch: int | None, slot: int) -> int:
        return cars + slots + slot if branch is None else sink + 1 + branch * slots + slot

    car_arcs = [
        graph.add(
            arc.car,
            above_node(arc.branch, arc.slot) if arc.is_above else cars + arc.slot,
            arc.capacity_wh,
            arc.unit_cost,
        )
        for arc in problem.arcs
    ]
    for number, trunk in enumerate(problem.trunks):
        for slot, above_wh in enumerate(trunk.above_wh):
            graph.add(above_node(number, slot), above_node(trunk.parent, slot), above_wh, 0)
    unmet_arcs = [graph.add(car, sink, need, problem.unmet_cost[car]) for car, need in enumerate(problem.need_wh)]
    grid_arcs = []
    for number, supply in enumerate(problem.slots):
        into, above = cars + number, cars + slots + number
        graph.add(above, into, supply.above_wh - supply.last_tier_wh, 0)
        graph.add(above, into, supply.last_tier_wh, supply.last_tier_cost)
        graph.add(into, sink, supply.solar_wh, supply.solar_cost)
        grid_arcs.append(graph.add(into, sink, total_wh, supply.grid_cost))
    flow = min_cost_flow.SimpleMinCostFlow()
    flow.add_arcs_with_capacity_and_unit_cost(graph.tails, graph.heads, graph.capacities_wh, graph.costs)
    for car, need in enumerate(problem.need_wh):
        flow.set_node_supply(car, need)
    flow.set_node_supply(sink, -total_wh)
    if total_wh and flow.solve() != flow.OPTIMAL:
        raise RuntimeError("the min-cost flow has no optimum, though unmet energy is always allowed")
    energy_wh: dict[tuple[int, int], int] = {}
    for arc, number in zip(problem.arcs, car_arcs, strict=True):
        amount_wh = flow.flow(number) if total_wh else 0
        if amount_wh:
            energy_wh[arc.car, arc.slot] = energy_wh.get((arc.car, arc.slot), 0) + amount_wh
    return Solution(
        energy_wh,
        [flow.flow(number) if total_wh else 0 for number in unmet_arcs],
        [flow.flow(number) if total_wh else 0 for number in grid_arcs],
        flow.optimal_cost() if total_wh else 0,
    )
