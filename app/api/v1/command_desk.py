"""What all commands to stations share: who asks, the audit around it, the gate, and the outcome as it is answered.

No transaction is open while a station thinks.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, assert_never

from fastapi import Depends
from pydantic import Field

from app.api.deps import ApiContext, Context, StationCommander
from app.api.models import Out, StationIdPath
from app.api.problems import documented
from app.bus.subjects import station_command
from app.domain.commands import Accepted, Command, Outcome, Rejected, Unsupported
from app.domain.errors import SunslotError
from app.domain.identity import Principal
from app.domain.raw import RawCall, RawReply
from app.operations import audit, jobs, station_commands
from app.operations.transaction import Tx

ANSWERS = documented("not_found", "conflict", "station_offline", "station_timeout", "station_fault", "command_refused")
INTERNAL = "internal"

Settle = Callable[[Tx, Outcome | str], Awaitable[None]]


class OutcomeOut(Out):
    """What the station answered; `reason` is its own word for not doing it, `detail` what it told."""

    outcome: Literal["accepted", "rejected", "unsupported"]
    reason: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)


class JobOut(OutcomeOut):
    """The answer to a command that starts a job; `GET …/jobs/{request_id}` tells how it goes on."""

    request_id: int


class ReservedOut(OutcomeOut):
    """The answer to a reservation, and the number that it is known by."""

    reservation_id: int


def outcome_out(outcome: Outcome) -> OutcomeOut:
    """Return an outcome as it is answered."""
    match outcome:
        case Accepted(detail):
            return OutcomeOut(outcome="accepted", detail=detail)
        case Rejected(reason):
            return OutcomeOut(outcome="rejected", reason=reason)
        case Unsupported(reason):
            return OutcomeOut(outcome="unsupported", reason=reason)
        case _:
            assert_never(outcome)


async def _nothing(_tx: Tx, _result: Outcome | str) -> None:
    """Settle nothing."""


@dataclass(slots=True)
class AuditEntry:
    """What came of a command; an error that nobody expected until something else is known."""

    result: Outcome | RawReply | str = INTERNAL


@dataclass(frozen=True, slots=True)
class CommandDesk:
    """Sends commands of one caller to one station."""

    context: ApiContext
    caller: Principal
    station_id: str

    async def send(self, command: Command) -> OutcomeOut:
        """Send a command; raises NotFound, Invalid, CommandRefused, StationOffline, StationTimeout, StationFault."""
        return outcome_out(await self.outcome_of(command))

    async def outcome_of(self, command: Command, settle: Settle = _nothing) -> Outcome:
        """Send a command and return its outcome; raises as `send`.

        `settle` gets the outcome, or the code of the error that came instead, in the transaction that completes the
        audit.
        """
        async with self._audited(type(command).__name__, audit.payload_of(command), settle) as entry:
            outcome = await self._pass(command)
            entry.result = outcome
        return outcome

    async def tell(self, name: str, shown: Mapping[str, Any], command: Command, settle: Settle = _nothing) -> Outcome:
        """Send what decides how a station logs in: past the gate for settings, `shown` alone stands in the audit."""
        async with self._audited(name, shown, settle) as entry:
            outcome: Outcome = await self._ask(command)
            entry.result = outcome
        return outcome

    async def call(self, call: RawCall) -> RawReply:
        """Send a call in the standard's own words; raises as `send`."""
        async with self._audited(call.action, call.payload, is_raw=True) as entry:
            reply: RawReply = await self._ask(call)
            entry.result = reply
        return reply

    @asynccontextmanager
    async def _audited(
        self, name: str, shown: Mapping[str, Any], settle: Settle = _nothing, *, is_raw: bool = False
    ) -> AsyncIterator[AuditEntry]:
        """Write into the audit before anything else happens, and again what came of it, also of an error."""
        async with self.context.transactions() as tx:
            command_id = await audit.asked(tx, self.station_id, self.caller, name, shown, is_raw=is_raw)
        entry = AuditEntry()
        try:
            yield entry
        except SunslotError as broken:
            entry.result = broken.code
            raise
        finally:
            async with self.context.transactions() as tx:
                if not isinstance(entry.result, RawReply):
                    await settle(tx, entry.result)
                await audit.ended(tx, command_id, entry.result)

    async def _ask(self, asked: Command | RawCall) -> Any:
        return await self.context.bus.ask(station_command(self.station_id), asked, self.context.command_timeout_s)

    async def note(self, name: str, shown: Mapping[str, Any], result: Outcome) -> None:
        """Write what was done without the station into the audit."""
        async with self.context.transactions() as tx:
            await audit.ended(tx, await audit.asked(tx, self.station_id, self.caller, name, shown), result)

    async def _pass(self, command: Command) -> Outcome:
        async with self.context.transactions() as tx:
            await station_commands.prepare(tx, self.station_id, command)
        try:
            outcome: Outcome = await self._ask(command)
        finally:
            async with self.context.transactions() as tx:
                await station_commands.conclude(tx, self.station_id, command)
        return outcome

    async def start_job(self, kind: str, command_of: Callable[[int], Command]) -> JobOut:
        """Write a job, send its command under the job's number, and keep how the station took it; raises as `send`."""
        asked = {name: value for name, value in audit.payload_of(command_of(0)).items() if name != "request_id"}
        async with self.context.transactions() as tx:
            request_id = await jobs.open_job(tx, self.station_id, kind, asked)

        async def settle(tx: Tx, result: Outcome | str) -> None:
            await jobs.answered(tx, request_id, result)

        outcome = await self.outcome_of(command_of(request_id), settle)
        return JobOut(request_id=request_id, **outcome_out(outcome).model_dump())


async def command_desk(context: Context, caller: StationCommander, station_id: StationIdPath) -> CommandDesk:
    """Return the desk of the caller and the station in the path."""
    return CommandDesk(context, caller, station_id)


Desk = Annotated[CommandDesk, Depends(command_desk)]
