"""The controllers of the plant, and what must hold. The real ledger and allocator decide."""

from dataclasses import replace
from datetime import timedelta

from electric_field import Field
from electric_plant import (
    BAYS,
    LEAF_RESERVE_A,
    LINES,
    MARGIN_A,
    MOST_A,
    PARENTS,
    RATINGS_A,
    SAFE_A,
    SETTLE,
    SITE_LIMIT_W,
    STATIONS,
    above,
    leaf_count,
)
from electric_store import Decision, Frame, Violated

from app.domain.raw import LimitChange
from app.domain.wiring import Wiring
from app.scheduling import gate, orders
from app.scheduling.allocation import allocate
from app.scheduling.feeders import grid_of

WITHOUT_END = timedelta(days=400)
GUARD_A = 1e-6
BELOW = {node: [bay for bay in BAYS if node in above(bay.feeder)] for node in PARENTS}


class Plant(Field):
    """Everything together."""

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
