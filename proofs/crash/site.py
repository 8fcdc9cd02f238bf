"""The site of the proof: a connection, its feeders, and stations with one EVSE each, 200 V line to line.

Ratings are a little under half of what the nameplates add up to, so that they bind. Every feeder spreads its EVSEs
over the line pairs in its own way; the last one is wired to L1–L2 only, as a 単相三線 panel is: there the currents
add without any help of phases.
"""

import math
from dataclasses import dataclass
from itertools import cycle, islice

from simulators.feeders import Supply, phasors_of

SITE_ID = "crash"
CONNECTION = "connection"
SUPPLY = Supply.THREE_PHASE
VOLTAGE_V = 200.0
RATED_A, SAFE_A = 30.0, 6.0
SURPRISED_COUNT = 1
RESERVE_A, BASE_A, RISE_A = 12.0, 4.0, 8.0
FEEDER_SHARE, CONNECTION_SHARE, SITE_SHARE = 1 / 2.2, 1 / 2.4, 1 / 2.3
SPREADS = (
    ("L1-L2", "L2-L3", "L3-L1"),
    ("L1-L2", "L1-L2", "L2-L3", "L3-L1"),
    ("L2-L3", "L3-L1", "L3-L1"),
    ("L1-L2",),
)
MANY_STATIONS = 40


@dataclass(frozen=True, slots=True)
class Node:
    """A feeder with its rating for each conductor, and the uncontrolled load in it, its children's included.

    What hangs at itself is wired as `load_wirings` says and stays in `[base_a, base_a + rise_a]` on each conductor: a
    step is at most `rise_a` (ΔB).
    """

    feeder_id: str
    parent_id: str | None
    rating_a: float
    reserve_a: float
    base_a: float
    rise_a: float
    load_wirings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """A station with one EVSE: where it hangs and how it is wired."""

    station_id: str
    dialect: str
    feeder_id: str
    wiring: str


@dataclass(frozen=True, slots=True)
class Ground:
    """The whole site. `limit_w` is for everything together; building and sun are in W, the building as at a `Node`."""

    nodes: tuple[Node, ...]
    spots: tuple[Spot, ...]
    limit_w: float
    reserve_w: float
    base_w: float
    rise_w: float
    sun_w: float

    def path(self, feeder_id: str) -> list[str]:
        """Return the feeder and what feeds it."""
        parents = {node.feeder_id: node.parent_id for node in self.nodes}
        found: list[str] = []
        at: str | None = feeder_id
        while at is not None:
            found.append(at)
            at = parents[at]
        return found


def ground(station_count: int) -> Ground:
    """Return the site for so many stations: four feeders, two where they are few."""
    spreads = SPREADS if station_count >= MANY_STATIONS else (SPREADS[0], SPREADS[-1])
    spots: list[Spot] = []
    feeders: list[Node] = []
    for number, spread in enumerate(spreads):
        feeder_id = f"feeder-{number + 1}"
        count = len(range(number, station_count, len(spreads)))
        wirings = list(islice(cycle(spread), count))
        for wiring in wirings:
            at = len(spots) + 1
            spots.append(Spot(f"CP-{at:03}", "ocpp2.0.1" if at % 2 else "ocpp1.6", feeder_id, wiring))
        rating_a = _rating_a(wirings, FEEDER_SHARE, reserve_a=RESERVE_A)
        loads = ("L1-N", "L2-N", "L3-N") if len(spread) > 1 else ("L1-L2",)
        feeders.append(Node(feeder_id, CONNECTION, rating_a, RESERVE_A, BASE_A, RISE_A, loads))
    every = [spot.wiring for spot in spots]
    reserve_a = sum(feeder.reserve_a for feeder in feeders)
    rise_a = sum(feeder.rise_a for feeder in feeders)
    rating_a = _rating_a(every, CONNECTION_SHARE, reserve_a=reserve_a)
    connection = Node(CONNECTION, None, rating_a, reserve_a, 0.0, rise_a, ())
    nameplate_w = station_count * RATED_A * VOLTAGE_V
    limit_w = math.ceil(nameplate_w * SITE_SHARE / 1000) * 1000.0
    limit_w = max(limit_w, math.ceil(1.25 * _least_w(station_count, 0.05 * nameplate_w) / 1000) * 1000.0)
    return Ground(
        nodes=(connection, *feeders),
        spots=tuple(spots),
        limit_w=limit_w,
        reserve_w=0.05 * nameplate_w,
        base_w=0.005 * nameplate_w,
        rise_w=0.02 * nameplate_w,
        sun_w=0.4 * limit_w,
    )


def _rating_a(wirings: list[str], share: float, *, reserve_a: float) -> float:
    """Return a rating that binds and still is safe with the controller off for ever (INV-4), with one EVSE to spare."""
    loaded = max(sum(line in phasors_of(SUPPLY, wiring) for wiring in wirings) for line in ("L1", "L2", "L3"))
    safe_a = loaded * SAFE_A + reserve_a + SURPRISED_COUNT * (RATED_A - SAFE_A)
    return float(math.ceil(max(loaded * RATED_A * share, safe_a + (RATED_A - SAFE_A) / 2)))


def _least_w(station_count: int, reserve_w: float) -> float:
    return station_count * SAFE_A * VOLTAGE_V + reserve_w + SURPRISED_COUNT * (RATED_A - SAFE_A) * VOLTAGE_V
