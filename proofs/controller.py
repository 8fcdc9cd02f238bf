"""A process of the controller: leadership, the limit loop and one sender per station, around the real pure code.

It does what `runtime.loops`, `operations.limits` and `ocpp_central.reconcile` do: read the books, allocate, write the
intents under its term, hand them to the station's socket in order, write down what came of each. It can be paused or
killed between any two of these steps, and keeps nothing in memory that it would need after that.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec
from app.scheduling import cycle, feeders, uncontrolled
from app.scheduling.cycle import Decision
from app.scheduling.feeders import Grid, Loads
from proofs.agenda import Act, Agenda, since_start_s
from proofs.books import Books, DatabaseGone, Snapshot
from proofs.faults import Faults
from proofs.lines import Line
from proofs.parks import Park
from proofs.sender import Sender

LEADER_LEASE_S, LEADER_BEAT_S = 15.0, 5.0
PATIENCE_S = 3.0
DATABASE_RETRY_S = 5.0
STEP_S = (0.005, 0.05)
PAUSE_S = (2.0, 90.0)
BUS_S = 0.001


Known = tuple[Snapshot, Loads | None]


class Surroundings(Protocol):
    """What a process lives in: its site, the database, the network, and death."""

    park: Park
    books: Books
    agenda: Agenda
    faults: Faults
    watch: Callable[[Snapshot, Loads | None, Sequence[LimitEntry]], None]

    def crash(self, controller: "Controller") -> None:
        """Kill a process; it is started again after a while."""

    def lose_line(self, station_id: str, away_s: float = 0.0) -> None:
        """A socket has ended."""

    def ring_leader(self) -> None:
        """Something about the site has changed."""

    def ring_station(self, station_id: str) -> None:
        """There is something for a station."""


class Controller:
    """One process."""

    def __init__(self, name: str, around: Surroundings, rng: random.Random) -> None:
        self.name = name
        self.is_alive = True
        self.paused_until_s = 0.0
        self.senders: dict[str, Sender] = {}
        self._around = around
        self._site = around.park.site
        self.books = around.books
        self.agenda = around.agenda
        self._faults = around.faults
        self._rng = rng
        self._term: int | None = None
        self._next_cycle_s = float("inf")
        self._is_in_cycle = False
        self._grid: tuple[object, Grid] | None = None
        self.do(0.0, self._lead)

    def die(self) -> None:
        """Be killed: nothing that was to come happens, every socket is gone."""
        self.is_alive = False
        for sender in self.senders.values():
            sender.line.cut()
        self.senders.clear()

    def connect(self, station_id: str, line: Line) -> None:
        """A station has called."""
        self.senders[station_id] = Sender(station_id, line, self)
        self.ring_station(station_id)

    def hang_up(self, station_id: str, away_s: float = 0.0) -> None:
        """End a station's socket."""
        if (sender := self.senders.pop(station_id, None)) is not None:
            sender.end()
            self._around.lose_line(station_id, away_s)

    def ring(self) -> None:
        """Something about the site changed: a cycle is due once what belongs together has come."""
        self._due(self.agenda.now_s + PATIENCE_S)

    def ring_station(self, station_id: str) -> None:
        """There may be something for a station."""
        sender = self.senders.get(station_id)
        if sender is not None:
            self.do(BUS_S, sender.serve)

    def ring_leader(self) -> None:
        """There is news for the limit loop, wherever it runs."""
        self._around.ring_leader()

    # -- steps ------------------------------------------------------------------------------------------------------

    def do(self, delay_s: float, act: Act) -> None:
        """Have a step happen unless the process is dead by then; a paused one does it when it wakes."""

        def step() -> None:
            if not self.is_alive:
                return
            if self.paused_until_s > self.agenda.now_s:
                self.agenda.at(self.paused_until_s, step)
            else:
                act()

        self.agenda.after(delay_s, step)

    def then(self, act: Act, *, pause_share: float = 0.0) -> None:
        """Have the next step happen shortly; a bad day is when the process dies or is paused just here."""
        chance = self._rng.random()
        if chance < self._faults.crash_share:
            self.agenda.note("crash between two steps", self.name)
            self._around.crash(self)
            return
        if chance < self._faults.crash_share + self._faults.pause_share + pause_share:
            self.paused_until_s = self.agenda.now_s + self._rng.uniform(*PAUSE_S)
            self.agenda.note("process paused between two steps", self.name, f"until {self.paused_until_s:.1f}")
        self.do(self._rng.uniform(*STEP_S), act)

    # -- leadership and the limit loop ------------------------------------------------------------------------------

    def _lead(self) -> None:
        try:
            term = self.books.lead(self.name, self.agenda.now_s, LEADER_LEASE_S)
        except DatabaseGone:
            self.lose_database()
            term = self._term
        if term is not None and term != self._term:
            self.agenda.note("leader changes", self.name, term)
            self._due(self.agenda.now_s)
        self._term = term
        self.do(LEADER_BEAT_S, self._lead)

    def _due(self, at_s: float) -> None:
        if at_s < self._next_cycle_s:
            self._next_cycle_s = at_s
            self.do(at_s - self.agenda.now_s, self._cycle_if_due)

    def _cycle_if_due(self) -> None:
        if self.agenda.now_s < self._next_cycle_s - 1e-6 or self._is_in_cycle:
            return
        self._next_cycle_s = float("inf")
        if self._term is not None:
            self._is_in_cycle = True
            self._cycle(self._term)

    def _cycle(self, term: int) -> None:
        """One cycle, first half: read everything, decide."""
        now = self.agenda.now_at
        self.agenda.counts["cycles"] += 1
        try:
            self.books.drop_untaken({evse.evse_id for evse in self.books.evses.values() if not evse.is_ready})
            snapshot = self.books.read()
        except DatabaseGone:
            self.lose_database()
            self._end_cycle(self.agenda.now_s + DATABASE_RETRY_S)
            return
        loads = uncontrolled.bounds(self._site, snapshot.readings, now).loads if snapshot.readings else None
        opened = cycle.open_books(self._site, snapshot.evses, snapshot.entries, now)
        grid = self._grid_of(snapshot.evses, loads)
        decision = cycle.decide(opened, snapshot.lines, snapshot.newest, snapshot.sun, grid)
        writes = partial(self._write, term, now, (snapshot, loads), decision)
        self.then(writes, pause_share=self._faults.write_pause_share)

    def _grid_of(self, evses: Sequence[EvseSpec], loads: Loads | None) -> Grid:
        """Return the rows; reckoned again when a proof or the uncontrolled load has changed."""
        key = (tuple(evse.is_verified for evse in evses), None if loads is None else tuple(loads.items()))
        if self._grid is None or self._grid[0] != key:
            self._grid = (key, feeders.grid_of(self._site, evses, loads))
        return self._grid[1]

    def _write(self, term: int, now: datetime, known: Known, decision: Decision) -> None:
        """One cycle, second half: write the intents (R1) under the term it was read with (R9), ring the stations.

        `now` is the transaction's, of when it read.
        """
        try:
            written = self.books.write(decision.intents, term, now)
            if written is not None:
                self.books.close(decision.closed)
        except DatabaseGone:
            self.lose_database()
            self._end_cycle(self.agenda.now_s + DATABASE_RETRY_S)
            return
        if written is None:
            self.agenda.note("write fenced off", self.name, term)
            self._end_cycle(self.agenda.now_s + LEADER_BEAT_S)
            return
        self._around.watch(*known, written)
        for entry in written:
            self.agenda.tell("intent", entry.order_no, f"evse {entry.evse_id}", f"{entry.power_w:.0f} W", self.name)
        wake_s = since_start_s(decision.wake_at)
        self.then(lambda: self._tell_stations({entry.evse_id for entry in written}, wake_s))

    def _tell_stations(self, evse_ids: set[int], wake_s: float) -> None:
        for station_id in sorted({self.books.evses[evse_id].station_id for evse_id in evse_ids}):
            self._around.ring_station(station_id)
        self._end_cycle(wake_s)

    def _end_cycle(self, wake_s: float) -> None:
        self._is_in_cycle = False
        self._due(max(wake_s, self.agenda.now_s + PATIENCE_S))
        pending_s, self._next_cycle_s = self._next_cycle_s, float("inf")
        self._due(pending_s)

    def lose_database(self) -> None:
        """Hang up on everybody (docs/adr/0005): nothing is sent without the books."""
        for station_id in list(self.senders):
            self.hang_up(station_id)
