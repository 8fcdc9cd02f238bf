"""The car park as a process of its own: `python -m proofs.crash.yard`, JSON lines on stdin and stdout, in real time.

In: first what `Told` has, then `{"do": "cars"}` (cars come, measuring begins) and
`{"do": "end"}`; the end of stdin ends it, too. Out: every second how it is, at once what goes wrong, at last figures.
"""

import asyncio
import logging
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

import numpy as np
import orjson

from proofs.crash.callers import Callers
from proofs.crash.cars import LateEvse
from proofs.crash.site import RATED_A, VOLTAGE_V, ground
from proofs.crash.visitors import Surprises, Surroundings, Visitors, evse_of
from proofs.crash.wires import STEP_S, Wires
from simulators.agenda import Agenda
from simulators.clock import Clock, wall_s
from simulators.day import die_with_parent
from simulators.fleet import CarPark

METER_INTERVAL_S = 10
CONNECT_WITHIN_S = 5


@dataclass(frozen=True, slots=True)
class Told:
    """What the runner says at the beginning."""

    stations: int
    seed: int
    surprised: int
    ports: dict[str, int]
    keys: dict[str, str]
    cards: dict[str, str]
    url: str
    token: str


class Yard:
    """The stations with their cars, and the wires."""

    def __init__(self, told: Told, out: BinaryIO) -> None:
        self._out = out
        self._ground = ground(told.stations)
        rng = random.Random(f"yard:{told.seed}")
        self.park = CarPark(Clock(wall_s()), Agenda())
        for spot in self._ground.spots:
            self.park.add(
                spot.station_id,
                spot.dialect,
                f"ws://127.0.0.1:{told.ports[spot.station_id]}/ocpp",
                told.keys[spot.station_id],
                [LateEvse(1, RATED_A, STEP_S, self.catch_up)],
                meter_interval_s=METER_INTERVAL_S,
                seed=told.seed,
            )
        self._evses = [evse_of(self.park.stations[spot.station_id]) for spot in self._ground.spots]
        self._wires = Wires(self._ground)
        self._visitors = Visitors(self.park, told.cards, rng)
        self._around = Surroundings(self.park, self._ground, rng)
        feeders = {spot.station_id: spot.feeder_id for spot in self._ground.spots}
        self._surprises = Surprises(self.park, told.cards, feeders, self._wires.fullest, rng)
        self._surprised_count = told.surprised
        self.callers = Callers(told.url, told.token, rng, self._measured)
        self._next_step_s: float | None = None
        self._largest_lag_s = 0.0

    def begin(self) -> None:
        """Let cars come, and measure from now on."""
        self._next_step_s = time.monotonic()
        self._visitors.begin()
        self._around.begin()
        self._surprises.begin(self._surprised_count)

    def catch_up(self) -> None:
        """Let every tenth of a second pass that is over."""
        if self._next_step_s is None:
            return
        now_s = time.monotonic()
        self._largest_lag_s = max(self._largest_lag_s, now_s - self._next_step_s)
        while self._next_step_s <= now_s:
            at_s = time.time() - (now_s - self._next_step_s)
            self._next_step_s += STEP_S
            evses_a = np.array([evse.step_a(STEP_S) for evse in self._evses])
            for violation in self._wires.step(at_s, evses_a, self._around.loads_a, self._around.building_w):
                drawn = {
                    spot.station_id: [round(evse.current_a, 1), round(evse.offered_a, 1)]
                    for spot, evse in zip(self._ground.spots, self._evses, strict=True)
                    if violation.node in {"site", *self._ground.path(spot.feeder_id)}
                }
                self.tell("violation", **violation.told(), drawn_and_offered_a=drawn)

    async def measure(self) -> None:
        """Step ten times a second, until cancelled."""
        while True:
            self.catch_up()
            await asyncio.sleep(STEP_S)

    async def report(self) -> None:
        """Say every second how it is, until cancelled."""
        while True:
            online_count = sum(station.is_online for station in self.park.stations.values())
            self.tell("second", at_s=time.time(), online=online_count, drawn_w=round(self._drawn_w()))
            await asyncio.sleep(1.0)

    def _drawn_w(self) -> float:
        return sum(evse.power_w for evse in self._evses)

    def _measured(self) -> dict[str, Any]:
        around = self._around
        grid_w = self._drawn_w() + around.building_w - around.sun_w
        return {
            "at": datetime.now(UTC).isoformat(),
            "pv_kw": round(around.sun_w / 1000, 3),
            "building_kw": round(around.building_w / 1000, 3),
            "grid_kw": round(grid_w / 1000, 3),
            "loads": _flows(self._wires.loads(around.loads_a)),
            "totals": _flows(self._wires.currents()),
        }

    def tell(self, kind: str, **fields: Any) -> None:
        """Write a line to the runner."""
        self._out.write(orjson.dumps({"type": kind, **fields}) + b"\n")
        self._out.flush()

    def figures(self) -> dict[str, Any]:
        """Return what was measured, as JSON values."""
        journals = [station.journal for station in self.park.stations.values()]
        counts = Counter[str]()
        for journal in journals:
            counts["calls_of_stations"] += journal.sent_count
            counts["limits_received"] += journal.limits_received_count
            counts["limits_accepted"] += journal.limits_accepted_count
            counts["defaults_accepted"] += journal.defaults_accepted_count
        return {
            "measured_s": round(self._wires.measured_s, 1),
            "rows": self._wires.told(),
            "usual_minutes": round(self._wires.any_usual_steps * STEP_S / 60, 2),
            "violations": [violation.told() for violation in self._wires.violations],
            "delivered_kwh": round(sum(evse.register_wh for evse in self._evses) / 1000, 2),
            "cars": self._visitors.came_count,
            "surprises": dict(self._surprises.played),
            "calls": dict(sorted(self.callers.counts.items())),
            "largest_lag_s": round(self._largest_lag_s, 2),
            "nameplate_w": len(self._evses) * RATED_A * VOLTAGE_V,
            **counts,
        }


def _flows(currents_a: dict[tuple[str, str], float]) -> dict[str, dict[str, float]]:
    """Return currents by (node, conductor) as the API's readings say them."""
    flows: dict[str, dict[str, float]] = {}
    for (node, line), current_a in currents_a.items():
        flows.setdefault(node, {})[f"{line.lower()}_a"] = round(current_a, 3)
    return flows


async def run() -> None:
    """Play as told on stdin."""
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    yard = Yard(Told(**orjson.loads(await reader.readline())), sys.stdout.buffer)
    for number, link in enumerate(yard.park.links.values()):
        yard.park.agenda.at(yard.park.clock.now_s + number % CONNECT_WITHIN_S, link.connect)
    always = [yard.park.run_links(), yard.park.follow_wall(lambda: False), yard.report()]
    with_cars = [yard.measure, yard.callers.read_meter, yard.callers.change_minds]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each) for each in always]
        while line := await reader.readline():
            if orjson.loads(line)["do"] == "end":
                break
            yard.begin()
            running += [tasks.create_task(each()) for each in with_cars]
        yard.catch_up()
        yard.tell("end", **yard.figures())
        for task in running:
            task.cancel()
    await yard.callers.close()


if __name__ == "__main__":
    die_with_parent()
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)  # that it cannot connect is meant, and counted
    asyncio.run(run())
