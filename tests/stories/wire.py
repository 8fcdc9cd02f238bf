"""A simulated station and a dialect of the central system in one process: no sockets, no database, stepped time."""

from collections.abc import Callable
from datetime import UTC, datetime

from app.domain.commands import Command, Outcome
from app.domain.facts import BootStatus, CertificateRequested, Fact, Recorded, SessionStarted, TokenStatus
from app.ocpp_central.dialect import Desk, Dialect
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201
from simulators.agenda import Agenda
from simulators.clock import Clock
from simulators.evse import Evse
from simulators.fleet import DIALECTS, CarPark
from simulators.station import Station

START_S = 1_775_026_800
CENTRALS: dict[str, Callable[[], Dialect]] = {"ocpp1.6": Ocpp16, "ocpp2.0.1": Ocpp201}


class Wire:
    """Everything that crosses it is checked against the standard's schemas; `facts` is what the station has said."""

    def __init__(self, name: str) -> None:
        self.dialect = CENTRALS[name]()
        self.facts: list[Fact] = []
        self.called: list[str] = []
        self.is_up = False
        self.key: str | None = "a-key-of-sixteen"
        self._park = CarPark(Clock(START_S), Agenda())
        kind, answerer = DIALECTS[name]
        clock, agenda = self._park.clock, self._park.agenda
        self.station = Station("CP-1", kind(), answerer, [Evse(1), Evse(2)], clock=clock, agenda=agenda)
        self.station.line = self
        self.connect()
        self._hear()

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._park.clock.now_s, UTC)

    # What the station needs of its line

    def wake(self) -> None:
        """Calls are taken when somebody asks for them."""

    def connect(self) -> None:
        if not self.is_up:
            self.is_up = True
            self.station.connected()

    def abort(self) -> None:
        self.is_up = False
        self.station.lost()

    # What the central system does

    def tell(self, command: Command) -> Outcome:
        """Send a command, hear what follows at once, and return the outcome."""
        action, payload = self.dialect.encode(command)
        assert self.dialect.schemas.request_faults(action, payload) == []
        answer = self.station.answer(action, payload)
        assert self.dialect.schemas.response_faults(action, answer) == []
        self.station.after_answer()
        self._hear()
        return self.dialect.decode_outcome(command, answer)

    def let_pass(self, span_s: int) -> None:
        """Let time pass; the station does what is due and what it says is heard."""
        until_s = self._park.clock.now_s + span_s
        while self._park.clock.now_s < until_s:
            self._park.advance(until_s)
            for entry in self._park.agenda.due(self._park.clock.now_s):
                entry.action()
            self.station.report()
            self._hear()

    def of(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if type(fact) is kind]

    def _hear(self) -> None:
        while self.is_up and (call := self.station.outbox.next(self._park.clock.now_s, self.station.is_accepted)):
            payload = call.spell()
            assert self.dialect.schemas.request_faults(call.action, payload) == []
            decoded = self.dialect.decode(call.action, payload, self.now)
            assert decoded.repairs == {}
            self.facts += decoded.facts
            self.called.append(call.action)
            answer = self.dialect.reply(call.action, self._recorded(decoded.facts), Desk(self.now, 300))
            self.station.acknowledged(call, answer)

    def _recorded(self, facts: tuple[Fact, ...]) -> Recorded:
        return Recorded(
            BootStatus.ACCEPTED,
            TokenStatus.ACCEPTED,
            str(len(self.facts)) if any(isinstance(fact, SessionStarted) for fact in facts) else None,
            is_taken=any(isinstance(fact, CertificateRequested) for fact in facts),
        )
