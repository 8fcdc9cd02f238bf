"""What goes on at the car park: cars come and go, loads and the sun swing, now and then a station surprises."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from proofs.crash.cars import LAG_S, LateEvse
from proofs.crash.site import RATED_A, VOLTAGE_V, Ground
from proofs.crash.wires import Floats
from simulators.bay import Bay
from simulators.car import Car
from simulators.fleet import CarPark
from simulators.profiles import Purpose
from simulators.station import Station

STAY_S, AWAY_S = (60, 420), (3, 40)
SMALL_SHARE, SMALL_WH, LARGE_WH = 0.15, (40.0, 250.0), (4_000.0, 20_000.0)
LOAD_STEP_S, SUN_STEP_S = (4, 30), (5, 25)
FIRST_S, DEAF_S, CALM_S = (10, 20), (15, 90), (25, 50)
CHECK_S = 3
FULLEST_SHARE = 0.7
FLICKER_SHARE = 0.02
POWER_BACK_S = 5


def bay_of(station: Station) -> Bay:
    """Return the station's only EVSE."""
    return next(iter(station.bays.values()))


def evse_of(station: Station) -> LateEvse:
    """Return the electrical side of the station's only EVSE."""
    evse = bay_of(station).evse
    assert isinstance(evse, LateEvse)
    return evse


class Visitors:
    """Cars that come, stay some minutes and go, for ever; each station has its own card."""

    def __init__(self, park: CarPark, cards: dict[str, str], rng: random.Random) -> None:
        self._park, self._cards, self._rng = park, cards, rng
        self.came_count = 0

    def begin(self) -> None:
        """Have the first cars come within a minute."""
        for station in self._park.stations.values():
            self._park.agenda.at(self._park.clock.now_s + self._rng.randint(1, 30), partial(self._come, station))

    def _come(self, station: Station) -> None:
        rng = self._rng
        need_wh = rng.uniform(*(SMALL_WH if rng.random() < SMALL_SHARE else LARGE_WH))
        bay_of(station).plug_in(Car(need_wh, RATED_A * VOLTAGE_V), self._cards[station.identity])
        self.came_count += 1
        self._park.agenda.at(self._park.clock.now_s + rng.randint(*STAY_S), lambda: self._go(station))

    def _go(self, station: Station) -> None:
        bay_of(station).unplug()
        self._park.agenda.at(self._park.clock.now_s + self._rng.randint(*AWAY_S), lambda: self._come(station))


class Surroundings:
    """The uncontrolled loads in A (by node) and W, within what the site says of them, and the sun."""

    def __init__(self, park: CarPark, ground: Ground, rng: random.Random) -> None:
        self._park, self._ground, self._rng = park, ground, rng
        self._levels = [0.0 for _ in ground.nodes]
        self._building_level = 0.0
        self.loads_a: Floats = np.zeros(len(ground.nodes))
        self.building_w = self.sun_w = 0.0
        self._flicker()

    def begin(self) -> None:
        """Let them swing from now on."""
        self._swing_loads()
        self._swing_sun()

    def _swing_loads(self) -> None:
        rng = self._rng
        for number in range(len(self._levels)):
            if rng.random() < 1 / 2:
                self._levels[number] = rng.choice([0.0, rng.random(), 1.0])
        self._building_level = rng.random()
        self._park.agenda.at(self._park.clock.now_s + rng.randint(*LOAD_STEP_S), self._swing_loads)

    def _flicker(self) -> None:
        """Be never quite the same: a meter that shows the same again and again counts as frozen."""
        for number, node in enumerate(self._ground.nodes):
            is_loaded = bool(node.load_wirings)
            self.loads_a[number] = is_loaded * (node.base_a + self._about_share(self._levels[number]) * node.rise_a)
        self.building_w = self._ground.base_w + self._about_share(self._building_level) * self._ground.rise_w
        self._park.agenda.at(self._park.clock.now_s + 1, self._flicker)

    def _about_share(self, level_share: float) -> float:
        return min(1.0, max(0.0, level_share + self._rng.uniform(-FLICKER_SHARE, FLICKER_SHARE)))

    def _swing_sun(self) -> None:
        self.sun_w = self._rng.random() * self._ground.sun_w
        self._park.agenda.at(self._park.clock.now_s + self._rng.randint(*SUN_STEP_S), self._swing_sun)


@dataclass
class Surprises:
    """Has some stations at a time not do what they were told; the next one follows when they are themselves again.

    It is one of those that have the least, mostly at the feeder that is fullest: there a surprise is a large one. A
    deaf one accepts every limit and draws its rated current. An amnesiac one loses power and all its profiles, and goes
    on charging before it has booted; it is itself again when a default profile was installed.
    """

    park: CarPark
    cards: dict[str, str]
    feeders: dict[str, str]
    fullest: Callable[[], str]
    rng: random.Random
    played: Counter[str] = field(default_factory=Counter)
    _surprised: set[str] = field(default_factory=set)

    def begin(self, count: int) -> None:
        """Have the first ones happen soon, and so many at a time."""
        for _ in range(count):
            self._later(self.rng.randint(*FIRST_S), self._next)

    def _later(self, after_s: int, action: Callable[[], None]) -> None:
        self.park.agenda.at(self.park.clock.now_s + after_s, action)

    def _next(self) -> None:
        calm = [each for name, each in self.park.stations.items() if name not in self._surprised]
        busy = [each for each in calm if evse_of(each).current_a > 0]
        if not busy:
            self._later(CHECK_S, self._next)
            return
        fullest = self.fullest() if self.rng.random() < FULLEST_SHARE else None
        there = [each for each in busy if fullest is None or self.feeders[each.identity] == fullest] or busy
        station = self.rng.choice(sorted(there, key=lambda each: evse_of(each).current_a)[: len(there) // 3 + 1])
        self._surprised.add(station.identity)
        if self.rng.random() < 2 / 3:
            self.played["deaf"] += 1
            evse_of(station).is_deaf = True
            self._later(self.rng.randint(*DEAF_S), lambda: self._hear(station))
        else:
            self.played["amnesiac"] += 1
            self._forget(station)

    def _hear(self, station: Station) -> None:
        evse_of(station).is_deaf = False
        self._calm_down(station)

    def _calm_down(self, station: Station) -> None:
        self._surprised.remove(station.identity)
        self._later(round(LAG_S) + self.rng.randint(*CALM_S), self._next)

    def _forget(self, station: Station) -> None:
        bay = bay_of(station)
        bay.end("PowerLoss")
        station.profiles.clear()
        station.restart("PowerUp")
        station.refresh()
        self._later(POWER_BACK_S, partial(self._begin, station))
        self._later(POWER_BACK_S + CHECK_S, lambda: self._remember(station))

    def _begin(self, station: Station) -> None:
        bay_of(station).begin(self.cards[station.identity])

    def _remember(self, station: Station) -> None:
        if any(held.purpose is Purpose.TX_DEFAULT for held in station.profiles.profiles):
            self._calm_down(station)
        else:
            self._later(CHECK_S, lambda: self._remember(station))
