"""The world of one seed: a car park, its stations, two controller processes, and the sockets between them."""

import random
from collections.abc import Callable, Sequence
from functools import partial

from app.domain.limits import LimitEntry
from app.scheduling.feeders import Loads
from proofs.agenda import Agenda
from proofs.books import Books, DatabaseGone, Snapshot
from proofs.chargers import Charger, Outlet
from proofs.controller import Controller
from proofs.faults import Faults
from proofs.lines import Line
from proofs.parks import Park
from simulators.feeders import FeederTree

PROCESSES = ("alpha", "beta")
RECONNECT_S = (2.0, 60.0)
RESTART_S = (5.0, 60.0)
CALL_AGAIN_S = 5.0


class World:
    """Who is connected to whom, and what a station still has to tell. `watch` is told of every written intent."""

    def __init__(self, seed: int, park: Park, faults: Faults, *, is_traced: bool = False) -> None:
        self.seed = seed
        self.park = park
        self.faults = faults
        self.agenda = Agenda(is_traced=is_traced)
        self.books = Books(park)
        self.tree = FeederTree(park.supply, park.nodes)
        self.chargers = {station_id: self._charger(station_id) for station_id in park.station_ids}
        self.controllers: dict[str, Controller] = {}
        self.lines: dict[str, Line] = {}
        self.watch: Callable[[Snapshot, Loads | None, Sequence[LimitEntry]], None] = lambda *_: None
        self._homes: dict[str, str] = {}
        self._facts: dict[str, list[tuple[str, int, str]]] = {station_id: [] for station_id in self.chargers}
        self._rng = self.chance("network")

    def chance(self, name: str) -> random.Random:
        """Return a source of chance of its own, the same for the same seed."""
        return random.Random(f"{self.seed} {name}")

    def begin(self) -> None:
        """Start both processes and have every station call."""
        for name in PROCESSES:
            self._start(name)
        for station_id in self.chargers:
            self.agenda.after(self._rng.uniform(0.0, CALL_AGAIN_S), partial(self._connect, station_id))

    def evse_ids(self, station_id: str) -> list[int]:
        """Return the station's EVSEs."""
        return [outlet.spec.evse_id for outlet in self.chargers[station_id].outlets.values()]

    def is_connected(self, station_id: str) -> bool:
        """Whether a socket of the station is up."""
        return station_id in self._homes

    def crash(self, controller: Controller) -> None:
        """Kill a process; it is started again after a while."""
        self.agenda.note("process crash", controller.name)
        controller.die()
        del self.controllers[controller.name]
        for station_id in [each for each, home in self._homes.items() if home == controller.name]:
            self._lose_line(station_id, 0.0)
        self.agenda.after(self._rng.uniform(*RESTART_S), partial(self._start, controller.name))

    def vanish(self) -> None:
        """Have every process gone for good."""
        for controller in list(self.controllers.values()):
            controller.die()
        self.controllers.clear()
        self._homes.clear()
        self.books.is_lost = True

    def hang_up(self, station_id: str, away_s: float = 0.0) -> None:
        """End a station's socket, from whichever side; it calls again some time after `away_s`."""
        home = self._homes.get(station_id)
        if home is not None:
            self.controllers[home].hang_up(station_id, away_s)

    def tell(self, station_id: str, kind: str, evse_id: int = 0, session_id: str = "") -> None:
        """A station has something to tell (`boot`, `started`, `ended`): at once if it is online, else when it is."""
        self._facts[station_id].append((kind, evse_id, session_id))
        if self.is_connected(station_id):
            try:
                self._hear(station_id)
            except DatabaseGone:
                self.hang_up(station_id)
                return
            self.ring_leader()

    def ring_leader(self) -> None:
        """Something about the site has changed."""
        for controller in self.controllers.values():
            controller.ring()

    def ring_station(self, station_id: str) -> None:
        """There is something for a station."""
        for controller in self.controllers.values():
            controller.ring_station(station_id)

    def _charger(self, station_id: str) -> Charger:
        rng = self.chance(station_id)
        outlets = {
            evse.evse_number: Outlet(evse, self.park.wires[evse.evse_id], self.tree, rng.uniform(-8.0, 18.0))
            for evse in self.park.evses
            if evse.station_id == station_id
        }
        offset_s = self.park.clock_offsets_s[station_id]
        self.agenda.counts["clock that is off"] += offset_s != 0.0
        return Charger(station_id, outlets, offset_s, self.agenda, rng)

    def _start(self, name: str) -> None:
        self.controllers[name] = Controller(name, self, self.chance(f"{name} {self.agenda.now_s}"))

    def _connect(self, station_id: str) -> None:
        """A station calls, and tells what it kept to itself while it was offline."""
        if self.is_connected(station_id):
            return
        try:
            if not self.controllers:
                raise DatabaseGone
            self._hear(station_id)
            self.books.set_online(self.evse_ids(station_id), is_online=True)
        except DatabaseGone:
            self.agenda.after(self._rng.uniform(*RECONNECT_S), partial(self._connect, station_id))
            return
        home = self._homes[station_id] = self._rng.choice(sorted(self.controllers))
        rng = self.chance(f"{station_id} {self.agenda.now_s}")
        if station_id in self.lines:
            self.lines[station_id].is_abandoned = True
        self.lines[station_id] = Line(self.chargers[station_id], self.agenda, rng, self.faults)
        self.controllers[home].connect(station_id, self.lines[station_id])
        self.agenda.tell("connected", station_id, home)
        self.ring_leader()

    def lose_line(self, station_id: str, away_s: float = 0.0) -> None:
        """A socket has ended; the station calls again some time after `away_s`."""
        if self.is_connected(station_id):
            self._lose_line(station_id, away_s)

    def _lose_line(self, station_id: str, away_s: float) -> None:
        del self._homes[station_id]
        self.agenda.tell("disconnected", station_id)
        try:
            self.books.set_online(self.evse_ids(station_id), is_online=False)
        except DatabaseGone:
            self.agenda.counts["disconnection not written"] += 1
        self.agenda.after(away_s + self._rng.uniform(*RECONNECT_S), partial(self._connect, station_id))

    def _hear(self, station_id: str) -> None:
        facts = self._facts[station_id]
        while facts:
            kind, evse_id, session_id = facts[0]
            if kind == "boot":
                self.books.set_proof(self.evse_ids(station_id), None)
            elif kind == "started":
                self.books.start_session(evse_id, session_id)
            else:
                self.books.end_session(evse_id, session_id, self.agenda.now_at)
            self.agenda.tell(kind, station_id, session_id)
            del facts[0]
