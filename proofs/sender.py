"""One station's sender: proves what is not proven, then sends what is wanted, one call at a time.

It drives the same steps as `ocpp_central.reconcile` (`app.scheduling.proving`), and does around them what that does:
orders leave in the order of their numbers, an error, a timeout or a hang-up is recorded as unknown (R5), a late answer
is recorded when it comes, a default counts once it was read back (R8).
"""

from collections.abc import Callable, Generator
from typing import Protocol, TypeVar

from app.domain.commands import ApplyProfile, Command, Outcome, ReadComposite
from app.domain.limits import LimitEntry, LimitOrder
from app.domain.snapshot import EvseSpec
from app.scheduling import proving
from app.scheduling.proving import DefaultDue, Proof, Verdict
from proofs.agenda import Act, Agenda
from proofs.books import Books, DatabaseGone
from proofs.chargers import Call
from proofs.lines import CALL_TIMEOUT_S, Line

PROOF_RETRY_S = 60.0
Ended = TypeVar("Ended")


class Process(Protocol):
    """What a sender lives in."""

    books: Books
    agenda: Agenda

    def do(self, delay_s: float, act: Act) -> None:
        """Have a step happen after a while, unless the process is dead by then."""

    def then(self, act: Act) -> None:
        """Have the next step happen shortly."""

    def lose_database(self) -> None:
        """The database is gone: hang up on everybody."""

    def ring_leader(self) -> None:
        """There is news for the limit loop."""


class Sender:
    """The calls to one station over one line. `unsettled` are the orders it took that have no outcome yet."""

    def __init__(self, station_id: str, line: Line, process: Process) -> None:
        self.line = line
        self._station_id = station_id
        self._process = process
        self._books = process.books
        self._agenda = process.agenda
        self._evse_ids = [each.evse_id for each in process.books.evses.values() if each.station_id == station_id]
        self._is_busy = False
        self._is_over = False
        self._retry_s = 0.0
        self._unsettled: set[int] = set()

    def end(self) -> None:
        """The line is gone: what was taken and may have been sent has an unknown outcome."""
        self._is_over = True
        self.line.cut()
        self._process.do(0.01, self._give_up)

    def _give_up(self) -> None:
        try:
            for order_no in sorted(self._unsettled):
                self._books.settle(order_no, None, self._agenda.now_at)
        except DatabaseGone:
            return
        if self._unsettled:
            self._process.ring_leader()

    def serve(self) -> None:
        """Look what there is to do, unless a call is under way."""
        if self._is_busy or self._is_over:
            return
        try:
            specs = [self._books.evses[evse_id] for evse_id in self._evse_ids]
            unproven = [spec for spec in specs if not spec.is_verified and spec.is_controllable]
            if unproven and self._agenda.now_s >= self._retry_s:
                self._is_busy = True
                self._process.then(lambda: self._prove(unproven[0]))
                return
            taken = self._books.take(set(self._evse_ids), self._agenda.now_at)
        except DatabaseGone:
            self._process.lose_database()
            return
        if taken:
            self._is_busy = True
            self._unsettled = {entry.order_no for entry in taken}
            self._process.then(lambda: self._send(list(taken)))

    def _send(self, taken: list[LimitEntry]) -> None:
        if self._is_over:
            return
        if not taken:
            self._is_busy = False
            self.serve()
            return
        entry = taken.pop(0)
        spec = self._books.evses[entry.evse_id]
        self._step(
            proving.deliver(_order(entry, spec), spec.rate_unit),
            None,
            ended=lambda outcome: self._record(entry, outcome, lambda: self._send(taken)),
            late=lambda outcome: self._record(entry, outcome, lambda: None),
        )

    def _step(
        self,
        steps: Generator[Command, Outcome | None, Ended],
        heard: Outcome | None,
        ended: Callable[[Ended], None],
        late: Callable[[Outcome], None],
    ) -> None:
        """Go on with what was heard: send the next command, or end with the result."""
        if self._is_over:
            return
        try:
            command = steps.send(heard)
        except StopIteration as done:
            ended(done.value)
            return
        assert isinstance(command, ApplyProfile | ReadComposite)
        self._call(command, lambda outcome: self._step(steps, outcome, ended, late), late)

    def _call(self, call: Call, ended: Callable[[Outcome | None], None], late: Callable[[Outcome], None]) -> None:
        """Send a call; `ended` once with its outcome or None, `late` with an answer that comes after that."""
        is_over = [False]

        def answered(outcome: Outcome) -> None:
            if is_over[0]:
                self._agenda.note("late answer heard", self._station_id)
                self._process.then(lambda: late(outcome))
            else:
                is_over[0] = True
                self._process.then(lambda: ended(outcome))

        def give_up() -> None:
            if not is_over[0]:
                is_over[0] = True
                self._agenda.note("call timed out", self._station_id)
                self._process.then(lambda: ended(None))

        self.line.send(call, lambda outcome: self._process.do(0.0, lambda: answered(outcome)))
        self._process.do(CALL_TIMEOUT_S, give_up)

    def _record(self, entry: LimitEntry, outcome: Outcome | None, then: Act) -> None:
        if self._is_over:
            return
        try:
            is_news = self._books.settle(entry.order_no, outcome, self._agenda.now_at)
        except DatabaseGone:
            self._process.lose_database()
            return
        self._unsettled.discard(entry.order_no)
        self._agenda.tell("outcome", entry.order_no, type(outcome).__name__)
        if is_news:
            self._process.ring_leader()
        then()

    def _prove(self, spec: EvseSpec) -> None:
        is_covered = any(entry.evse_id == spec.evse_id for entry in self._books.entries)
        due = DefaultDue(
            spec.evse_number,
            spec.safe_power_w,
            spec.w_per_a,
            spec.phase_count,
            spec.rate_unit,
            is_expected=spec.evse_id in self._books.once_proven and not is_covered,
            is_covered=is_covered,
        )
        self._step(proving.prove(due), None, ended=lambda proof: self._end_proof(spec, proof), late=lambda _: None)

    def _end_proof(self, spec: EvseSpec, proof: Proof) -> None:
        self._is_busy = False
        is_proven = proof.verdict is Verdict.PROVEN
        try:
            self._books.set_proof([spec.evse_id], self._agenda.now_at if is_proven else None)
        except DatabaseGone:
            self._process.lose_database()
            return
        self._agenda.tell("proof", f"evse {spec.evse_id}", is_proven)
        if not is_proven:
            self._retry_s = self._agenda.now_s + PROOF_RETRY_S
            self._process.do(PROOF_RETRY_S, self.serve)
        self._process.ring_leader()
        self.serve()


def _order(entry: LimitEntry, spec: EvseSpec) -> LimitOrder:
    return LimitOrder(
        order_no=entry.order_no,
        station_id=spec.station_id,
        evse_number=spec.evse_number,
        station_ref=entry.session_id,
        power_w=entry.power_w,
        safe_power_w=spec.safe_power_w,
        intended_at=entry.intended_at,
        lease_ends_at=entry.lease_ends_at or entry.ends_at,
        w_per_a=spec.w_per_a,
        phase_count=spec.phase_count,
    )
