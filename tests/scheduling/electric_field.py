"""The plant's field and its wires: cars and stations come, go and forget; calls and answers travel, or do not."""

from dataclasses import replace
from datetime import timedelta

from electric_plant import (
    MOST_A,
)
from electric_store import Frame, Store, Wire

from app.domain.commands import Accepted, Outcome, Rejected
from app.domain.raw import ChangeKind
from app.scheduling import gate, orders


class Field(Store):
    """What happens to stations, and on the way to them."""

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
