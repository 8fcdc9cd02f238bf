"""What a station calls, recorded and answered: the answer leaves after the commit, and odd input is answered too.

Nothing that a station sends raises here but `Over`; a database that is gone ends the connection (see `session`).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import structlog

from app.domain.errors import DatabaseUnavailable, NotFound
from app.domain.facts import Recorded, StationBooted, Suspicious
from app.ocpp_central.boot import BootGate
from app.ocpp_central.boot_serial import contradiction
from app.ocpp_central.dialect import LONGEST_PAYLOAD_COUNT, Decoded, Desk, Dialect
from app.ocpp_central.reading import POLICY, Over
from app.ocpp_central.rpc import Call, Malformed, Payload, Problem, Refusal, error_text, result_text
from app.ocpp_central.shared import Shared
from app.ocpp_central.station_clock import StationClock
from app.operations import findings, station_facts
from app.operations.metering import is_running

log = structlog.get_logger()


class SendAnswer(Protocol):
    """Send an answer's text to the call of this action and id; raises StationOffline."""

    def __call__(self, action: str, message_id: str, text: str, *, is_error: bool = False) -> Awaitable[None]:
        """Return when it has left."""
        ...


class Answering:
    """The answering half of a connection. `count` is told what is odd."""

    def __init__(
        self,
        station_id: str,
        dialect: Dialect,
        shared: Shared,
        gate: BootGate,
        send: SendAnswer,
        count: Callable[..., None],
        certificate_serial: str | None,
        clock: StationClock,
    ) -> None:
        self._station_id = station_id
        self._dialect = dialect
        self._shared = shared
        self._gate = gate
        self._send = send
        self._count = count
        self._certificate_serial = certificate_serial
        self._clock = clock

    async def answer(self, frame: Call | Malformed, received_at: datetime) -> None:
        """Record and answer what came; raises Over, StationOffline, DatabaseUnavailable, NotFound."""
        if isinstance(frame, Call):
            await self._answer_call(frame, received_at)
            return
        self._count("malformed_frame")
        self._shared.repairs.note(self._station_id, f"malformed_{frame.problem}")
        await self._refuse("", frame.message_id, frame.problem, frame.detail)

    async def _answer_call(self, call: Call, received_at: datetime) -> None:
        try:
            recorded = await self._hear(call, received_at)
            answer = self._spell(call, recorded)
        except Refusal as refusal:
            self._count(f"refused_{refusal.problem}")
            self._shared.repairs.note(self._station_id, f"refused_{refusal.problem}")
            log.info("call_refused", station_id=self._station_id, problem=refusal.problem, detail=refusal.detail)
            await self._refuse(call.action, call.message_id, refusal.problem, refusal.detail)
            return
        await self._send(call.action, call.message_id, result_text(call.message_id, answer))
        if recorded.boot_status is None:
            self._gate.spoke()
        else:
            self._gate.answered(recorded.boot_status)

    async def _refuse(self, action: str, message_id: str, problem: Problem, detail: str) -> None:
        code = self._dialect.error_code(problem)
        if code is not None:
            await self._send(action, message_id, error_text(message_id, code, detail), is_error=True)

    async def _hear(self, call: Call, received_at: datetime) -> Recorded:
        """Record what a call says; raises Refusal, DatabaseUnavailable, NotFound."""
        is_barred = self._gate.is_pending and self._dialect.is_barred_while_pending(call.action)
        if is_barred and not self._gate.is_asked(call.action):
            raise Refusal(Problem.SECURITY, "the station's boot is not accepted yet")
        if why := contradiction(self._certificate_serial, call.action, call.payload):
            await self._expose(why)
        try:
            decoded = self._dialect.decode(call.action, call.payload, received_at)
            mended = {"json_mended": 1} if call.is_mended else {}
            for repair, count in {**decoded.repairs, **mended}.items():
                self._count(f"repair_{repair}", count)
                self._shared.repairs.note(self._station_id, repair, count)
            if any(isinstance(fact, StationBooted) for fact in decoded.facts):
                self._gate.knocked()
            recorded = await self._record(decoded)
            self._clock.hear(decoded.facts, received_at)
            for reason in recorded.quarantined:
                self._shared.repairs.note(self._station_id, f"quarantined: {reason}")
            return recorded
        except (Refusal, DatabaseUnavailable, NotFound):
            raise
        except Exception as broken:
            log.error("call_failed", station_id=self._station_id, action=call.action, exc_info=True)
            return await self._set_aside(call, received_at, broken)

    async def _expose(self, why: str) -> None:
        """The certificate is another station's: end the connection without an answer (OCPP 2.0.1 B01.FR.12)."""
        log.warning("serial_mismatch", station_id=self._station_id)
        async with self._shared.transactions() as tx:
            await findings.note(tx, self._station_id, "serial_mismatch", {"reason": why})
        raise Over(POLICY, "the serial number is not the certificate's")

    async def _record(self, decoded: Decoded) -> Recorded:
        if is_running(decoded.facts):
            doubts = await self._shared.batch.record(self._station_id, decoded.facts)
            if doubts is not None:
                return Recorded(quarantined=doubts)
        async with self._shared.transactions() as tx:
            return await station_facts.record_facts(tx, self._station_id, decoded.facts)

    async def _set_aside(self, call: Call, received_at: datetime, broken: Exception) -> Recorded:
        """Keep a message that we failed on, so that it can be answered; refuse it if even that fails."""
        self._count("set_aside")
        text = repr(call.payload)[:LONGEST_PAYLOAD_COUNT]
        reason = f"recording it failed: {type(broken).__name__}"
        fact = Suspicious(received_at, received_at, call.action[:64], reason, text)
        try:
            async with self._shared.transactions() as tx:
                return await station_facts.record_facts(tx, self._station_id, (fact,))
        except (DatabaseUnavailable, NotFound):
            raise
        except Exception:
            log.error("set_aside_failed", station_id=self._station_id, action=call.action, exc_info=True)
            raise Refusal(Problem.INTERNAL, "the message could not be recorded") from None

    def _spell(self, call: Call, recorded: Recorded) -> Payload:
        desk = Desk(self._shared.transactions.clock.now(), self._shared.options.heartbeat_interval_s)
        answer = self._dialect.reply(call.action, recorded, desk)
        if faults := self._dialect.schemas.response_faults(call.action, answer):
            log.error("answer_invalid", station_id=self._station_id, action=call.action, detail=faults[0].detail)
            raise Refusal(Problem.INTERNAL, "the answer cannot be spelled")
        return answer
