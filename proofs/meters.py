"""The meters of the uncontrolled load, and what becomes of them: silent, frozen, sign-flipped, NaN.

A site has them by seed, with a proven ΔB for every feeder; the load then keeps to it, but may rise by all of it while
the meter says something else.
"""

import math
from collections.abc import Collection
from functools import partial

from app.domain.wiring import Conductor
from app.scheduling.feeders import RowKey
from app.scheduling.uncontrolled import STALE, MeterReading
from proofs.world import World

METER_S = 9.0
HOUR_S = 3600.0
KEPT_S = 60.0
FAULT_LEAST_S = 60.0
NOISE_SHARE = 0.004
NEWS_SHARE = 1.05
FAULTS = ("silent", "frozen", "sign-flipped", "NaN")


class Meters:
    """Reads the uncontrolled load of every feeder and conductor every few seconds into the books."""

    def __init__(self, world: World, sources: Collection[tuple[str, str]]) -> None:
        self._world = world
        self._agenda = world.agenda
        self._rng = world.chance("meters")
        self._below: dict[str, set[str]] = {
            feeder.feeder_id: {node for node, _ in sources if feeder.feeder_id in world.tree.path(node)}
            for feeder in world.park.site.feeders
        }
        self._fault = ""
        self._shown: dict[RowKey, float] = {}
        self._told: dict[RowKey, float] = {}
        self.loads_a: dict[tuple[str, str], float] = dict.fromkeys(sources, 0.0)

    @property
    def is_broken(self) -> bool:
        """Whether what is told is not what flows."""
        return bool(self._fault)

    def begin(self) -> None:
        """Read from now on."""
        self._read()
        if (per_h := self._world.faults.meter_faults_per_h) > 0:
            self._agenda.after(self._rng.expovariate(per_h / HOUR_S), self._break)

    def _break(self) -> None:
        self._fault = self._rng.choice(FAULTS)
        self._agenda.note(f"meter {self._fault}")
        self._agenda.after(self._rng.uniform(FAULT_LEAST_S, self._world.faults.meter_fault_most_s), self._repair)

    def _repair(self) -> None:
        self._fault = ""
        per_h = self._world.faults.meter_faults_per_h
        self._agenda.after(self._rng.expovariate(per_h / HOUR_S), self._break)

    def _read(self) -> None:
        self._agenda.after(METER_S, self._read)
        now = self._agenda.now_at
        if self._fault == "silent":
            return
        if self._fault != "frozen":
            self._shown = {key: self._spoilt_a(load_a) for key, load_a in self._true().items()}
        reading = MeterReading(now, now, 0.0, 0.0, loads=self._shown)
        self._world.books.note_reading(reading, KEPT_S)
        self._agenda.after(STALE.total_seconds() + 0.01, partial(self._miss, reading))
        if any(load_a > NEWS_SHARE * self._told.get(key, 0.0) for key, load_a in self._shown.items()):
            self._told = dict(self._shown)
            self._world.ring_leader()

    def _miss(self, reading: MeterReading) -> None:
        """The newest reading is stale now: that is news."""
        readings = self._world.books.readings
        if readings and readings[-1] is reading:
            self._told.clear()
            self._world.ring_leader()

    def _true(self) -> dict[RowKey, float]:
        """Return the load of every row with a little noise."""
        return {
            (feeder_id, Conductor(line)): sum(self.loads_a.get((node, line), 0.0) for node in nodes)
            * (1 + self._rng.uniform(-NOISE_SHARE, NOISE_SHARE))
            for feeder_id, nodes in self._below.items()
            for line in ("L1", "L2", "L3")
        }

    def _spoilt_a(self, load_a: float) -> float:
        if self._fault == "NaN":
            return math.nan
        return -load_a if self._fault == "sign-flipped" else load_a
