"""The store and the controllers of the plant: rows, orders on the wire, answers. The real ledger and allocator decide.

The steps that rows take are those of `app.scheduling.orders`; only keeping them is this file's own, and PostgreSQL's
in the house.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from electric_plant import (
    BAY,
    BAYS,
    LEAF_RESERVE_A,
    LEAF_RISE_A,
    LINES,
    MARGIN_A,
    METER_AGE,
    MOST_A,
    PARENTS,
    RATINGS_A,
    SAFE_A,
    SETTLE,
    SITE_LIMIT_W,
    START_AT,
    STATIONS,
    Bay,
    Loads,
    Machine,
    above,
    leaf_count,
    site_of,
    spec_of,
)

from app.domain.commands import Accepted, Outcome, RateUnit, Rejected
from app.domain.limits import EvseLedger, LimitEntry, LimitIntent
from app.domain.raw import ChangeKind, LimitChange
from app.domain.wiring import Conductor, Wiring
from app.scheduling import gate, ledger, orders
from app.scheduling.allocation import allocate
from app.scheduling.feeders import grid_of

WITHOUT_END = timedelta(days=400)
GUARD_A = 1e-6
BELOW = {node: [bay for bay in BAYS if node in above(bay.feeder)] for node in PARENTS}


class Violated(AssertionError):
    """An invariant does not hold; its text begins with the invariant's name."""


@dataclass
class Frame:
    """A call on its way to a station: an order of the ledger, or a raw call with its changes."""

    entries: tuple[LimitEntry, ...] = ()
    changes: tuple[LimitChange, ...] = ()


@dataclass
class Wire:
    """One station's connection: calls go one after another; bytes arrive in their order, answers when they like."""

    is_online: bool = True
    waiting: deque[Frame] = field(default_factory=deque)
    asked: Frame | None = None
    bytes: deque[Frame] = field(default_factory=deque)
    answers: list[tuple[Frame, Outcome]] = field(default_factory=list)

    @property
    def is_free(self) -> bool:
        """Whether it is anybody's turn: nothing waits and no answer is due."""
        return self.is_online and self.asked is None and not self.waiting


@dataclass(frozen=True)
class Decision:
    """What a controller has decided and not yet written."""

    term: int
    intents: tuple[LimitIntent, ...]


class Plant:
    """Everything together. `wired`, `spelled` and
    `raw_relies_on_meter` are what the controller believes, for experiments.

    `load_a` is what the building takes at every leaf and line at first; at its reserve nothing hides a mistake.
    """

    def __init__(self, surprised_count: int = 0, *, is_fenced: bool = True, load_a: float = LEAF_RESERVE_A) -> None:
        self.now = START_AT
        self.surprised_count = surprised_count
        self.is_fenced = is_fenced
        self.ratings_a = dict(RATINGS_A)
        self.bays = dict(BAY)
        self.wired: Callable[[Bay], Wiring] = lambda bay: bay.wiring
        self.spelled: Callable[[Bay], RateUnit] = lambda bay: bay.unit
        self.machines = {bay.evse_id: Machine(bay) for bay in BAYS}
        self.loads = Loads(load_a)
        self.raw_relies_on_meter = False
        self.measured: tuple[datetime, dict[tuple[str, str], float]] | None = None
        self.entries: dict[int, LimitEntry] = {}
        self.terms: dict[int, int] = {}
        self.verified_at: dict[int, datetime | None] = dict.fromkeys(self.bays, START_AT - timedelta(minutes=1))
        self.had_room: set[int] = set()
        self.targets_w: dict[int, float] = {}
        self.term = 1
        self.paused: Decision | None = None
        self.wires = {station: Wire() for station in STATIONS}
        self.forgetful: set[str] = set()
        self.closed: set[int] = set()
        self._count = 0

    # --- the field

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def arrive(self, evse_id: int, offset_s: float = 0.0) -> None:
        machine = self.machines[evse_id]
        if machine.session is None:
            self._count += 1
            machine.session, machine.arrived_at = f"s{self._count}", self.now
            machine.clock_offset = timedelta(seconds=offset_s)
            machine.now_allows(self.now, session_a=None, session_ends_at=None)

    def leave(self, evse_id: int) -> None:
        """The session is over: its accepted limits end, those whose answer is not known keep their lease."""
        machine = self.machines[evse_id]
        if machine.session is None:
            return
        for entry in [each for each in self.entries.values() if each.session_id == machine.session]:
            if entry.taken_at is None:
                self._drop(entry)
            elif entry.accepted_at is not None and entry.ends_at > self.now:
                self._keep(replace(entry, ends_at=self.now, lease_ends_at=self.now))
            else:
                self._keep(replace(entry, ends_at=min(entry.ends_at, self.now + timedelta(minutes=15))))
        machine.session = None
        machine.now_allows(self.now, session_a=None, session_ends_at=None)
        self.targets_w.pop(evse_id, None)

    def reboot(self, station: str) -> None:
        """It comes back with its defaults and without limits of sessions; its proof is to be given again."""
        self.hang_up(station)
        for machine in self._at(station):
            machine.now_allows(self.now, session_a=None, session_ends_at=None)
            self._unprove(machine.bay.evse_id)
        self.wires[station].bytes.clear()
        self.wires[station].is_online = True

    def forget(self, station: str) -> None:
        """A surprise: it loses its defaults too, and says nothing about it."""
        if len(self.surprised() | {station}) > self.surprised_count:
            return
        self.forgetful.add(station)
        for machine in self._at(station):
            machine.now_allows(self.now, default_a=MOST_A, session_a=None, session_ends_at=None)

    def surprised(self) -> set[str]:
        """Stations that draw, or may still draw, what no controller has allowed."""
        unproven = {self.bays[each].station for each in self.bays if self._counts_nameplate(each)}
        roomy = {self.bays[each].station for each in self.had_room}
        return self.forgetful | (unproven - roomy)

    # --- the wire

    def hang_up(self, station: str) -> None:
        """What was asked stays unknown; its bytes may still be read."""
        wire = self.wires[station]
        wire.is_online = False
        for frame in [*([wire.asked] if wire.asked else []), *wire.waiting]:
            self._settle(frame, None)
        wire.asked = None
        wire.waiting.clear()
        wire.answers.clear()

    def take(self, station: str) -> None:
        """The station's socket takes its orders, if it is its turn, and sends the first."""
        wire = self.wires[station]
        if not wire.is_free or not self._is_proven(station):
            return
        of_station = {machine.bay.evse_id: machine.session or "" for machine in self._at(station)}
        untaken = [
            each
            for each in self.entries.values()
            if each.evse_id in of_station and each.taken_at is None and not each.is_refused
        ]
        chosen = orders.taken(untaken, of_station, self.now)
        for entry in chosen:
            self._keep(entry)
            wire.waiting.append(Frame((entry,)))
        for entry in untaken:
            if entry.order_no not in {each.order_no for each in chosen}:
                self._drop(entry)
        self._send_next(wire)

    def deliver(self, station: str, *, is_accepted: bool = True) -> None:
        """The station reads the next bytes and answers, perhaps for nobody."""
        wire = self.wires[station]
        if not wire.bytes:
            return
        frame = wire.bytes.popleft()
        outcome = self._apply(station, frame) if is_accepted else Rejected("no")
        if wire.is_online:
            wire.answers.append((frame, outcome))

    def lose(self, station: str) -> None:
        if self.wires[station].bytes:
            self.wires[station].bytes.popleft()

    def answer(self, station: str, number: int = 0) -> None:
        """An answer reaches us, in time or late."""
        wire = self.wires[station]
        if not wire.answers:
            return
        frame, outcome = wire.answers.pop(number % len(wire.answers))
        self._settle(frame, outcome)
        if wire.asked is frame:
            wire.asked = None
            self._send_next(wire)

    def lose_answer(self, station: str) -> None:
        if self.wires[station].answers:
            self.wires[station].answers.pop()

    def time_out(self, station: str) -> None:
        wire = self.wires[station]
        if wire.asked is not None:
            self._settle(wire.asked, None)
            wire.asked = None
            self._send_next(wire)

    def _send_next(self, wire: Wire) -> None:
        if wire.waiting:
            wire.asked = wire.waiting.popleft()
            wire.bytes.append(wire.asked)

    def _apply(self, station: str, frame: Frame) -> Outcome:
        for change in frame.changes:
            for machine in self._at(station):
                if change.evse_number in {None, machine.bay.number} and change.kind is not ChangeKind.SESSION:
                    is_default = change.kind is ChangeKind.DEFAULT and change.limit is not None
                    default_a = machine.bay.amps(gate.change_w(change, self._spec(machine))) if is_default else MOST_A
                    machine.now_allows(self.now, default_a=default_a, session_a=None, session_ends_at=None)
        for entry in frame.entries:
            machine = self.machines[entry.evse_id]
            if machine.session != entry.session_id:
                return Rejected("no such transaction")
            ends_at = None if entry.lease_ends_at is None else entry.lease_ends_at + machine.clock_offset
            machine.now_allows(self.now, session_a=machine.bay.amps(entry.power_w), session_ends_at=ends_at)
        return Accepted()

    # --- the controllers

    def want(self, evse_id: int, amps: float) -> None:
        if self.machines[evse_id].session is not None:
            self.targets_w[evse_id] = amps * self.bays[evse_id].w_per_a

    def measure(self) -> None:
        self.measured = (self.now, self.loads.measured())

    def decide(self) -> Decision:
        """What the leader would write now, from the store alone."""
        site, specs = self._site(), [self._spec(machine) for machine in self.machines.values()]
        for entry in self._open_entries():
            if entry.taken_at is None and not entry.is_refused and not self._spec_of(entry.evse_id).is_ready:
                self._drop(entry)
        entries = self._open_entries()
        ledgers = orders.ledgers_of(specs, entries, self.now, SETTLE)
        wanted = [
            orders.Wanted(evse_id, self.machines[evse_id].session or "", target_w)
            for evse_id, target_w in sorted(self.targets_w.items())
        ]
        newest = {each.session_id: each for each in self.entries.values()}
        aimed = orders.aims(wanted, entries, newest, self.now)
        self._close(ledgers)
        grid = grid_of(site, specs, self._b_plus())
        return Decision(self.term, allocate(site, specs, ledgers, aimed.targets, grid, self.now).intents)

    def write(self, decision: Decision) -> None:
        """The store's side: an intent of an older term is refused (rule R9)."""
        if self.is_fenced and decision.term != self.term:
            return
        for intent in decision.intents:
            for entry in list(self.entries.values()):
                if entry.evse_id == intent.evse_id and entry.taken_at is None and not entry.is_refused:
                    self._drop(entry)
            self._enter(intent.evse_id, intent.session_id, intent.power_w, intent.ends_at, intent.lease_ends_at)

    def allocate(self) -> None:
        self.write(self.decide())

    def pause_leader(self) -> None:
        """The leader stops between deciding and writing, and another one takes over."""
        self.paused = self.decide()
        self.term += 1

    def wake_old_leader(self) -> None:
        if self.paused is not None:
            self.write(self.paused)
            self.paused = None

    def crash(self) -> None:
        """The process is gone and another one reads the store: no socket is up, what was asked is unknown."""
        for station in STATIONS:
            self.hang_up(station)
            self.wires[station].is_online = True
        for entry in list(self.entries.values()):
            if entry.taken_at is None and not entry.is_refused:
                self._drop(entry)
        self.term += 1

    def prove(self, station: str) -> None:
        """Install and read back the defaults: what was on its way before has arrived by then."""
        wire = self.wires[station]
        if not wire.is_free or self._is_proven(station):
            return
        while wire.bytes:
            self.deliver(station)
        for machine in self._at(station):
            machine.now_allows(self.now, default_a=machine.safe_a)
            self.verified_at[machine.bay.evse_id] = self.now
        self.forgetful.discard(station)

    def heal(self, station: str) -> None:
        """The controller learns of a surprise, and gives no proof any credit."""
        for machine in self._at(station) if station in self.forgetful else ():
            self._unprove(machine.bay.evse_id)

    def raw(self, station: str, change: LimitChange) -> None:
        """A call of an expert, through the gate, in its turn."""
        wire = self.wires[station]
        if not wire.is_free:
            return
        site, specs = self._site(), [self._spec(machine) for machine in self.machines.values()]
        ledgers = orders.ledgers_of(specs, self._open_entries(), self.now, SETTLE)
        busy = {evse_id for evse_id, machine in self.machines.items() if machine.session is not None}
        grid = grid_of(site, specs, self._b_plus() if self.raw_relies_on_meter else None)
        verdict = gate.judge(site, specs, ledgers, busy, grid, station, (change,), self.now)
        if isinstance(verdict, gate.Barred):
            return
        written = []
        for each in verdict.entries:
            for entry in list(self.entries.values()):
                if entry.evse_id == each.evse_id and entry.taken_at is None and not entry.is_refused:
                    self._drop(entry)
            session = self.machines[each.evse_id].session or ""
            entry = self._enter(each.evse_id, session, each.power_w, self.now + WITHOUT_END, None)
            written.append(self._keep(replace(entry, taken_at=self.now)))
        for evse_id in verdict.unproven:
            if not self._counts_nameplate(evse_id):
                self._unprove(evse_id)
                self.had_room.add(evse_id)
            self.verified_at[evse_id] = None
        wire.waiting.append(Frame(tuple(written), (change,)))
        self._send_next(wire)

    def learn_wiring(self, evse_id: int) -> None:
        """The electrician has looked: what was unknown is known."""
        bay = self.bays[evse_id]
        if bay.wiring is Wiring.UNKNOWN:
            self.bays[evse_id] = self.machines[evse_id].bay = replace(bay, wiring=Wiring("-".join(bay.lines)))

    def rerate(self, node: str, more_a: float) -> None:
        """Another rating, if what may be in force fits below it with the whole reserve."""
        before = self.ratings_a[node]
        self.ratings_a[node] = RATINGS_A[node] + more_a
        if self.ratings_a[node] < before and any(
            self._possible_sum_a(node, line) + LEAF_RESERVE_A * leaf_count(node) + MARGIN_A > self.ratings_a[node]
            for line in LINES
        ):
            self.ratings_a[node] = before

    # --- the store

    def _open_entries(self) -> list[LimitEntry]:
        return [entry for number, entry in self.entries.items() if number not in self.closed]

    def _close(self, ledgers: dict[int, EvseLedger]) -> None:
        still = {each.order_no for one in ledgers.values() for each in ledger.open_entries(one, self.now, SETTLE)}
        self.closed |= set(self.entries) - still

    def _enter(
        self, evse_id: int, session: str, power_w: float, ends_at: datetime, lease_ends_at: datetime | None
    ) -> LimitEntry:
        number = len(self.entries) + 1
        return self._keep(
            LimitEntry(number, evse_id, power_w, self.now, ends_at, session_id=session, lease_ends_at=lease_ends_at)
        )

    def _keep(self, entry: LimitEntry) -> LimitEntry:
        self.entries[entry.order_no] = entry
        return entry

    def _drop(self, entry: LimitEntry) -> None:
        self._keep(replace(entry, is_refused=True))

    def _settle(self, frame: Frame, outcome: Outcome | None) -> None:
        for entry in frame.entries:
            self._keep(orders.settled(self.entries[entry.order_no], outcome, self.now))
        for change in frame.changes:
            if change.kind is not ChangeKind.SESSION:
                for evse_id in self.had_room:
                    self.verified_at[evse_id] = None

    def _unprove(self, evse_id: int) -> None:
        self.verified_at[evse_id] = None
        self.had_room.discard(evse_id)

    def _is_proven(self, station: str) -> bool:
        return all(self.verified_at[machine.bay.evse_id] is not None for machine in self._at(station))

    def _counts_nameplate(self, evse_id: int) -> bool:
        verified_at = self.verified_at[evse_id]
        return verified_at is None or self.now < verified_at + SETTLE

    def _at(self, station: str) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.bay.station == station]

    def _site(self):
        return site_of(self.ratings_a, self.surprised_count)

    def _spec(self, machine: Machine):
        return self._spec_of(machine.bay.evse_id)

    def _spec_of(self, evse_id: int):
        bay = self.bays[evse_id]
        spec = spec_of(bay, self.verified_at[evse_id], is_online=self.wires[bay.station].is_online)
        return replace(spec, wiring=self.wired(bay), rate_unit=self.spelled(bay))

    def _b_plus(self):
        """B⁺: the measurement and ΔB while the meter is fresh, the reserve otherwise."""
        if self.measured is None or self.now - self.measured[0] > METER_AGE:
            return {}
        return {
            (node, Conductor(line)): min(leaf_count(node) * LEAF_RESERVE_A, value + leaf_count(node) * LEAF_RISE_A)
            for (node, line), value in self.measured[1].items()
        }

    # --- what must hold

    def possible_w(self, evse_id: int) -> float:
        """The highest of Q, in this file's own words."""
        bay, entries = self.bays[evse_id], [each for each in self.entries.values() if each.evse_id == evse_id]
        powers_w = [(MOST_A if self._counts_nameplate(evse_id) else SAFE_A) * bay.w_per_a]
        for entry in entries:
            ends = [entry.ends_at] + [
                other.accepted_at for other in entries if other.accepted_at and other.order_no > entry.order_no
            ]
            if not entry.is_refused and self.now < min(ends) + SETTLE:
                powers_w.append(entry.power_w)
        return min(MOST_A * bay.w_per_a, max(powers_w))

    def _possible_sum_a(self, node: str, line: str) -> float:
        below = [self.bays[each.evse_id] for each in BELOW[node]]
        return sum(bay.amps(self.possible_w(bay.evse_id)) for bay in below if line in bay.counted)

    def check(self, *invariants: str) -> None:
        """Raise Violated where INV-1 (the books), INV-2 (the copper) or Q (both of one EVSE) does not hold."""
        if "INV-2" in invariants:
            self._check_copper()
        possible_w = {evse_id: self.possible_w(evse_id) for evse_id in self.bays} if "INV-1" in invariants else {}
        if "INV-1" in invariants and len(self.surprised()) <= self.surprised_count:
            self._check_sums(possible_w)
        if "Q" in invariants:
            self._check_books()

    def _check_copper(self) -> None:
        drawn_a = {evse_id: machine.drawn_a(self.now) for evse_id, machine in self.machines.items()}
        for node, rating_a in self.ratings_a.items():
            for line in LINES:
                flows_a = self.loads.of(node, line)
                flows_a += sum(drawn_a[bay.evse_id] for bay in BELOW[node] if line in bay.lines)
                if flows_a > rating_a + GUARD_A:
                    raise Violated(f"INV-2 at {node} {line}: {flows_a:.2f} A of {rating_a:.2f} A")

    def _check_sums(self, possible_w: dict[int, float]) -> None:
        for node, rating_a in self.ratings_a.items():
            below = [self.bays[each.evse_id] for each in BELOW[node]]
            for line in LINES:
                counted_a = self.loads.of(node, line)
                counted_a += sum(bay.amps(possible_w[bay.evse_id]) for bay in below if line in bay.counted)
                if counted_a > rating_a - MARGIN_A + GUARD_A:
                    raise Violated(f"INV-1 at {node} {line}: {counted_a:.2f} A of {rating_a:.2f} A")
        if sum(possible_w.values()) > SITE_LIMIT_W + GUARD_A:
            raise Violated(f"INV-1 at the site: {sum(possible_w.values()):.0f} W")

    def _check_books(self) -> None:
        """Whatever is allowed at a station that has kept its defaults is in the books."""
        for evse_id, machine in self.machines.items():
            is_honest = machine.bay.station not in self.forgetful
            if is_honest and machine.drawn_a(self.now) > machine.bay.amps(self.possible_w(evse_id)) + 1e-6:
                raise Violated(f"Q of EVSE {evse_id} misses what is in force")
