"""The min-cost flow under the planner: cars' energy into slots, slots' energy from sun or grid, in whole Wh.

As a linear programme, with everything at least 0 and at most its capacity: y[b, k] is what block b takes in slot k,
u[b] what it does not get, x[a] what runs over arc a, t[n, k] what runs through trunk n, c and l what runs through the
calm and the last tier of the site, s, g and h what comes from the sun, the grid below and above its target:

    per block b          sum_k y[b, k] + u[b] = need_wh[b]
    per car and slot     sum of y over the car's blocks = sum of x over its arcs into the slot
    per trunk n, slot k  sum of x with entry n + sum of t of the trunks that n feeds = t[n, k] <= above_wh[k]
    per slot k           sum of x with entry SITE + sum of t of the trunks that the site feeds = c[k] + l[k]
                         sum of x with entry FREE + c[k] + l[k] = s[k] + g[k] + h[k]
    minimise             unmet_cost u + price y + cost x + last_tier_cost l + solar_cost s + grid_cost g
                         + (grid_cost + over_cost) h

where a block without a price pays none. A car's power up to its EVSE's default is FREE of site capacity (the ledger
reserves it in any case), what goes above it shares what the site has beyond all defaults. Unmet energy is an arc of its
own, so a flow always exists; all numbers are whole, so an optimal one in whole Wh does.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python import min_cost_flow

Ints = NDArray[np.int64]

FREE: Final = -2
SITE: Final = -1


@dataclass(frozen=True, slots=True)
class Blocks:
    """Parts of what cars need, side by side: whose (a car's are neighbours), how much, the cost of not having it."""

    car: Ints
    need_wh: Ints
    unmet_cost: Ints


@dataclass(frozen=True, slots=True)
class Prices:
    """What a Wh of a block costs in a slot, side by side. A slot that is not named is closed to the block.

    Only for cars with several blocks, and then for all of these: a lone block's price is in its car's arcs.
    """

    block: Ints
    slot: Ints
    cost: Ints


@dataclass(frozen=True, slots=True)
class Arcs:
    """Energy that cars may take in slots, side by side: at most `capacity_wh`, each Wh at `cost`.

    `entry` is where it counts: FREE nowhere, SITE at the site, 0 and up at that trunk.
    """

    car: Ints
    slot: Ints
    capacity_wh: Ints
    cost: Ints
    entry: Ints


@dataclass(frozen=True, slots=True)
class Trunk:
    """A scarce feeder: what it can take above defaults in each slot, and what feeds it (None: the site)."""

    parent: int | None
    above_wh: Ints


@dataclass(frozen=True, slots=True)
class Supplies:
    """What each slot offers: sun, grid energy below the demand target and (dearer by `over_cost`) beyond it.

    `calm_wh` and then `last_tier_wh` are the site's capacity for what is above defaults.
    """

    solar_wh: Ints
    solar_cost: Ints
    grid_wh: Ints
    grid_cost: Ints
    over_cost: int
    calm_wh: Ints
    last_tier_wh: Ints
    last_tier_cost: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything that `solve` looks at. Cars are numbered from 0 to `car_count` - 1, slots from 0."""

    car_count: int
    blocks: Blocks
    prices: Prices
    arcs: Arcs
    supplies: Supplies
    trunks: tuple[Trunk, ...] = ()


@dataclass(frozen=True, slots=True)
class Solution:
    """Wh per car and slot, unmet per block, from the grid per slot, over each trunk per slot; the total cost."""

    energy_wh: Ints
    unmet_wh: Ints
    grid_wh: Ints
    trunk_wh: Ints
    cost: int


class _Nodes:
    """Where everything lies in the graph: slots, what is above defaults (site, trunks), sink, blocks, meetings.

    The blocks of a car that has several meet once per slot; a lone block is its car's node.
    """

    def __init__(self, problem: Problem) -> None:
        self.slots = len(problem.supplies.solar_wh)
        self.sink = self.slots * (2 + len(problem.trunks))
        blocks = problem.blocks
        counts = np.bincount(blocks.car, minlength=problem.car_count)
        self._first = np.cumsum(counts) - counts
        self.is_many = counts > 1
        self._meeting = self.sink + 1 + len(blocks.car) + (np.cumsum(self.is_many) - 1) * self.slots

    def above(self, entry: Ints, slot: Ints) -> Ints:
        """Return the node where energy enters: FREE is the slot itself."""
        return (entry - FREE) * self.slots + slot

    def block(self, block: Ints) -> Ints:
        """Return the node of a block."""
        return self.sink + 1 + block

    def car(self, car: Ints, slot: Ints) -> Ints:
        """Return the node that a car's arcs into a slot start from."""
        return np.where(self.is_many[car], self._meeting[car] + slot, self.block(self._first[car]))


def solve(problem: Problem) -> Solution:
    """Return the cheapest way to give every car its energy; raises RuntimeError if the solver breaks its promise."""
    slots, blocks, arcs = len(problem.supplies.solar_wh), problem.blocks, problem.arcs
    total_wh = int(blocks.need_wh.sum())
    if total_wh == 0:
        none, idle = np.zeros((problem.car_count, slots), np.int64), np.zeros((len(problem.trunks), slots), np.int64)
        return Solution(none, np.zeros(len(blocks.car), np.int64), np.zeros(slots, np.int64), idle, 0)
    nodes = _Nodes(problem)
    flow = min_cost_flow.SimpleMinCostFlow()

    def add(tails: Ints, heads: Ints, capacities_wh: Ints, costs: Ints | int) -> Ints:
        wide = np.broadcast_to(np.asarray(costs, np.int64), tails.shape)
        return np.asarray(flow.add_arcs_with_capacity_and_unit_cost(tails, heads, np.maximum(0, capacities_wh), wide))

    taken = add(nodes.car(arcs.car, arcs.slot), nodes.above(arcs.entry, arcs.slot), arcs.capacity_wh, arcs.cost)
    prices = problem.prices
    owners = blocks.car[prices.block]
    add(nodes.block(prices.block), nodes.car(owners, prices.slot), blocks.need_wh[prices.block], prices.cost)
    number = np.arange(slots)
    trunks = []
    for place, trunk in enumerate(problem.trunks):
        parent = np.full(slots, SITE if trunk.parent is None else trunk.parent)
        trunks.append(add(nodes.above(np.full(slots, place), number), nodes.above(parent, number), trunk.above_wh, 0))
    sink = np.full(max(slots, len(blocks.car)), nodes.sink)
    unmet = add(nodes.block(np.arange(len(blocks.car))), sink[: len(blocks.car)], blocks.need_wh, blocks.unmet_cost)
    supplies = problem.supplies
    site = nodes.above(np.full(slots, SITE), number)
    add(site, number, supplies.calm_wh, 0)
    add(site, number, supplies.last_tier_wh, supplies.last_tier_cost)
    add(number, sink[:slots], supplies.solar_wh, supplies.solar_cost)
    below_wh = np.minimum(supplies.grid_wh, total_wh)
    grid = add(number, sink[:slots], below_wh, supplies.grid_cost)
    over = add(number, sink[:slots], total_wh - below_wh, supplies.grid_cost + supplies.over_cost)
    flow.set_nodes_supplies(nodes.block(np.arange(len(blocks.car))), blocks.need_wh)
    flow.set_node_supply(nodes.sink, -total_wh)
    if flow.solve() != flow.OPTIMAL:
        raise RuntimeError("the min-cost flow has no optimum, though unmet energy is always allowed")
    amounts_wh = flow.flows(taken)
    energy_wh = np.bincount(arcs.car * slots + arcs.slot, amounts_wh, problem.car_count * slots).astype(np.int64)
    return Solution(
        energy_wh.reshape(problem.car_count, slots),
        flow.flows(unmet),
        flow.flows(grid) + flow.flows(over),
        np.array([flow.flows(each) for each in trunks], np.int64).reshape(len(trunks), slots),
        int(flow.optimal_cost()),
    )
