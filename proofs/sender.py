"""One station's sender: proves what is not proven, then sends what is wanted, one call at a time.

It does what `ocpp_central.reconcile` does: orders leave in the order of their numbers, an error, a timeout or a hang-up
is recorded as unknown (R5), a late answer is recorded when it comes, a default counts once it was read back (R8).
"""

from collections.abc import Callable
from typing import Protocol

from app.domain.commands import Accepted, Outcome, RateUnit
from app.domain.limits import LimitEntry, LimitOrder
from app.domain.snapshot import EvseSpec
from app.scheduling import profiles
from proofs.agenda import Act, Agenda
from proofs.books import Books, DatabaseGone
from proofs.chargers import Call, ReadProfile, SetProfile
from proofs.lines import CALL_TIMEOUT_S, Line

PROOF_RETRY_S = 60.0
TOLERANCE_A = 0.1


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
                self._process.then(lambda: self._install(unproven[0]))
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
        profile = profiles.lease_profile(_order(entry, spec), spec.rate_unit)
        self._call(
            SetProfile(spec.evse_number, profile, entry.order_no),
            ended=lambda outcome: self._record(entry, outcome, lambda: self._send(taken)),
            late=lambda outcome: self._record(entry, outcome, lambda: None),
        )

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

    def _install(self, spec: EvseSpec) -> None:
        if self._is_over:
            return
        profile = profiles.default_profile(
            spec.evse_number, spec.safe_power_w, spec.w_per_a, spec.phase_count, spec.rate_unit
        )
        self._call(
            SetProfile(spec.evse_number, profile),
            ended=lambda outcome: self._read_back(spec, outcome),
            late=lambda _: None,
        )

    def _read_back(self, spec: EvseSpec, outcome: Outcome | None) -> None:
        if not isinstance(outcome, Accepted):
            self._end_proof(spec, is_proven=False)
        elif not self._is_over:
            self._call(
                ReadProfile(spec.evse_number),
                ended=lambda told: self._end_proof(spec, is_proven=_is_safe(told, spec)),
                late=lambda _: None,
            )

    def _end_proof(self, spec: EvseSpec, *, is_proven: bool) -> None:
        if self._is_over:
            return
        self._is_busy = False
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


def _is_safe(told: Outcome | None, spec: EvseSpec) -> bool:
    """Whether a read-back says the safe power at most."""
    if not isinstance(told, Accepted):
        return False
    last = float(told.detail["periods"][-1][1])
    power_w = last if told.detail["unit"] == RateUnit.W.value else last * spec.w_per_a
    return power_w <= spec.safe_power_w + TOLERANCE_A * spec.w_per_a
