"""The currents in a site's wires, second by second: phasors of every load added up the tree. It knows of no controller.

A load is a current by time, straight between breakpoints, in one pair of wires. The 10-second mean of every line
conductor at every node is compared with the node's rating; nothing here decides.
"""

import cmath
import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 10
TOLERANCE_A = 0.01
MIN_CURRENT_A = 6.0

Series = NDArray[np.float64]
Phasors = NDArray[np.complex128]


class Supply(StrEnum):
    """What the site is fed with: three phases, or one with a middle wire (単相三線: L1, N, L2)."""

    THREE_PHASE = "three-phase"
    SPLIT_PHASE = "split-phase"


ANGLES_DEGREES: dict[Supply, dict[str, float]] = {
    Supply.THREE_PHASE: {"L1": 0.0, "L2": -120.0, "L3": 120.0},
    Supply.SPLIT_PHASE: {"L1": 0.0, "L2": 180.0},
}


def phasors_of(supply: Supply, wiring: str) -> dict[str, complex]:
    """Return what one ampere (in phase with its voltage) between these wires is in each line conductor.

    `wiring` is a line and N, or two lines: `L1-N`, `L3-L1`. A three-phase load is three loads between a line and N.
    """
    angles_degrees = ANGLES_DEGREES[supply]
    first, second = wiring.split("-")
    start = cmath.rect(1.0, math.radians(angles_degrees[first]))
    if second == "N":
        return {first: start}
    across = start - cmath.rect(1.0, math.radians(angles_degrees[second]))
    current = across / abs(across)
    return {first: current, second: -current}


def snapped_a(limit_a: float, *, up: bool) -> float:
    """Return what the pilot says for a limit: nothing exists between 0 and 6 A (IEC 61851-1)."""
    if 0 < limit_a < MIN_CURRENT_A:
        return MIN_CURRENT_A if up else 0.0
    return max(0.0, limit_a)


class Trace:
    """A load's current over time in A, straight between breakpoints, constant after the last."""

    def __init__(self, current_a: float = 0.0) -> None:
        self._times_s = [0.0]
        self._currents_a = [current_a]

    @property
    def settles_s(self) -> float:
        """When the last movement ends."""
        return self._times_s[-1]

    @property
    def final_a(self) -> float:
        """Where the last movement ends."""
        return self._currents_a[-1]

    def move(self, now_s: float, current_a: float, hold_s: float, ramp_s: float) -> None:
        """From now on hold for a while, then go to a current in a straight line.

        What an earlier movement has begun is finished first: a car that was told twice is not slower for it.
        """
        holds_s = max(self.settles_s, now_s + hold_s)
        self._add(holds_s, self.final_a)
        self._add(max(holds_s, now_s + hold_s + ramp_s), current_a)

    def cut(self, now_s: float, current_a: float = 0.0) -> None:
        """Be at a current at once, whatever was under way: a contactor opens."""
        before_a = self.current_a_at(now_s)
        while len(self._times_s) > 1 and self._times_s[-1] > now_s:
            del self._times_s[-1], self._currents_a[-1]
        self._add(now_s, before_a)
        self._add(now_s, current_a)

    def _add(self, at_s: float, current_a: float) -> None:
        if self._currents_a[-1] == current_a and len(self._times_s) > 1 and self._currents_a[-2] == current_a:
            self._times_s[-1] = at_s
            return
        self._times_s.append(at_s)
        self._currents_a.append(current_a)

    def current_a_at(self, at_s: float) -> float:
        """Return the current at an instant."""
        index = bisect_right(self._times_s, at_s)
        if index == len(self._times_s):
            return self._currents_a[-1]
        if index == 0:
            return self._currents_a[0]
        start_s, end_s = self._times_s[index - 1], self._times_s[index]
        start_a, end_a = self._currents_a[index - 1], self._currents_a[index]
        return start_a + (end_a - start_a) * (at_s - start_s) / (end_s - start_s)

    def charge_ah(self, starts_s: float, ends_s: float) -> float:
        """Return the charge that flows within a span, in Ah."""
        inside = [at_s for at_s in dict.fromkeys(self._times_s) if starts_s < at_s < ends_s]
        times_s = [starts_s, *inside, ends_s]
        middles_s = [(before_s + after_s) / 2 for before_s, after_s in pairwise(times_s)]
        charge_as = sum(
            self.current_a_at(middle_s) * (after_s - before_s)
            for middle_s, (before_s, after_s) in zip(middles_s, pairwise(times_s), strict=True)
        )
        return charge_as / 3600

    def by_second(self, seconds: Series) -> Series:
        """Return the current at each of these instants."""
        return np.interp(seconds, self._times_s, self._currents_a)

    @property
    def is_dead(self) -> bool:
        """Whether no current ever flowed."""
        return not any(self._currents_a)


@dataclass(frozen=True, slots=True)
class Node:
    """One place of the tree with a rating for each line conductor; `parent` None is where the grid begins."""

    name: str
    parent: str | None
    rating_a: float


@dataclass(frozen=True, slots=True)
class Load:
    """A current between two wires at a node. `lag_degrees` is how far it lags behind its voltage."""

    node: str
    wiring: str
    trace: Trace
    lag_degrees: float = 0.0


@dataclass(frozen=True, slots=True)
class Overload:
    """One stretch during which a conductor's 10-second mean was above the rating (INV-2 broken)."""

    node: str
    conductor: str
    began_s: int
    duration_s: int
    peak_a: float
    rating_a: float

    @property
    def excess_a(self) -> float:
        """How far above the rating it went."""
        return self.peak_a - self.rating_a

    def __str__(self) -> str:
        place = f"{self.node} {self.conductor}"
        return f"{place}: {self.peak_a:.1f} A of {self.rating_a:.1f} A at {self.began_s} s for {self.duration_s} s"


class FeederTree:
    """The wires of a site, and all that hangs at them."""

    def __init__(self, supply: Supply, nodes: Iterable[Node]) -> None:
        self.supply = supply
        self.nodes = {node.name: node for node in nodes}
        self.loads: list[Load] = []

    def add(self, load: Load) -> Trace:
        """Hang up a load; return its trace."""
        phasors_of(self.supply, load.wiring)
        self.loads.append(load)
        return load.trace

    def path(self, node: str) -> list[str]:
        """Return the node and what feeds it."""
        found: list[str] = []
        at: str | None = node
        while at is not None:
            found.append(at)
            at = self.nodes[at].parent
        return found

    def currents_a(self, starts_s: int, ends_s: int) -> dict[tuple[str, str], Series]:
        """Return every conductor's current at every whole second of `[starts_s, ends_s)`."""
        seconds = np.arange(starts_s, ends_s, dtype=np.float64)
        sums: dict[tuple[str, str], Phasors] = {
            (node, line): np.zeros(len(seconds), dtype=np.complex128)
            for node in self.nodes
            for line in ANGLES_DEGREES[self.supply]
        }
        for load in self.loads:
            if load.trace.is_dead:
                continue
            current_a = load.trace.by_second(seconds)
            turn = cmath.rect(1.0, -math.radians(load.lag_degrees))
            for line, phasor in phasors_of(self.supply, load.wiring).items():
                sums[load.node, line] += current_a * (phasor * turn)
        for node in sorted(self.nodes, key=lambda name: -len(self.path(name))):
            parent = self.nodes[node].parent
            if parent is not None:
                for line in ANGLES_DEGREES[self.supply]:
                    sums[parent, line] += sums[node, line]
        return {key: np.abs(total) for key, total in sums.items()}

    def currents_a_at(self, node: str, at_s: float) -> dict[str, float]:
        """Return a node's line currents at an instant, as an exact meter there shows them."""
        sums = dict.fromkeys(ANGLES_DEGREES[self.supply], 0j)
        for load in self.loads:
            if node in self.path(load.node) and (current_a := load.trace.current_a_at(at_s)):
                turn = cmath.rect(current_a, -math.radians(load.lag_degrees))
                for line, phasor in phasors_of(self.supply, load.wiring).items():
                    sums[line] += turn * phasor
        return {line: abs(total) for line, total in sums.items()}

    def overloads(self, starts_s: int, ends_s: int) -> list[Overload]:
        """Return where and when the 10-second mean was above a rating, in the order of time."""
        found: list[Overload] = []
        for (node, line), current_a in self.currents_a(starts_s, ends_s).items():
            rating_a = self.nodes[node].rating_a
            if current_a.max(initial=0.0) > rating_a:
                found += _stretches(node, line, means_a(current_a), rating_a, starts_s)
        return sorted(found, key=lambda each: (each.began_s, each.node, each.conductor))


def means_a(current_a: Series) -> Series:
    """Return the means of every 10 seconds that lie within the series; element n is of the window that n begins."""
    total = np.concatenate([[0.0], np.cumsum(current_a)])
    means: Series = (total[WINDOW_S:] - total[:-WINDOW_S]) / WINDOW_S
    return means


def _stretches(node: str, line: str, means_a: Series, rating_a: float, starts_s: int) -> list[Overload]:
    over = np.concatenate([[False], means_a > rating_a + TOLERANCE_A, [False]])
    edges = np.flatnonzero(over[1:] != over[:-1])
    return [
        Overload(node, line, starts_s + int(first), int(last - first), float(means_a[first:last].max()), rating_a)
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]
