"""Commands to one station: spelled, checked against the schemas, sent when its boot allows, their outcome decoded."""

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

from app.domain.commands import ClearProfile, Command, Outcome, Reboot, Rejected, Trigger, Unsupported
from app.domain.errors import Invalid, StationFault, StationTimeout
from app.domain.upkeep import SendVendorMessage, UpdateFirmware
from app.ocpp_central.boot import BootGate
from app.ocpp_central.calls import StationCalls
from app.ocpp_central.dialect import Dialect, Unspeakable
from app.ocpp_central.rpc import Payload

log = structlog.get_logger()

MAY_UNDO_PROFILES = (ClearProfile, Reboot, UpdateFirmware, SendVendorMessage)


class StationCommands:
    """What a connection does for the bus and for its reconcile loop.

    Commands that may undo profiles take the loop's `turn`, so that no proof stretches over one.
    """

    def __init__(
        self,
        station_id: str,
        dialect: Dialect,
        calls: StationCalls,
        gate: BootGate,
        counts: Counter[str],
        turn: asyncio.Lock,
    ) -> None:
        self._station_id = station_id
        self._dialect = dialect
        self._calls = calls
        self._gate = gate
        self._counts = counts
        self._turn = turn

    async def answer(self, command: Command) -> Outcome:
        """Answer a command from the bus; raises StationOffline, StationTimeout, StationFault, Invalid."""
        if not await self._gate.lets(command):
            return Rejected("the station is not commissioned yet")
        if isinstance(command, MAY_UNDO_PROFILES):
            async with self._turn:
                return await self.perform(command)
        return await self.perform(command)

    async def carry_out(self, command: Command, on_late: Callable[[Outcome], None] | None = None) -> Outcome:
        """Send a command of ours, but never between a boot and its answer; raises as `answer`."""
        await self._gate.opened()
        return await self.perform(command, on_late)

    async def perform(self, command: Command, on_late: Callable[[Outcome], None] | None = None) -> Outcome:
        """Send a command whatever the boot says; raises as `answer`. A late answer goes to `on_late`."""
        try:
            action, payload = self._dialect.encode(command)
        except Unspeakable as unspeakable:
            return Unsupported(str(unspeakable))
        if faults := self._dialect.schemas.request_faults(action, payload):
            raise Invalid(faults[0].detail, field=str(faults[0].path[-1]) if faults[0].path else None)
        if (solicited := self._dialect.solicited_by(command)) is not None:
            self._gate.asked_for(solicited)

        def answered_late(late: Payload) -> None:
            self._counts["late_answer"] += 1
            if on_late is not None and (outcome := self._late_outcome(command, action, late)) is not None:
                on_late(outcome)

        answer = await self._calls.call(action, payload, None if on_late is None else answered_late)
        return self._outcome(command, action, answer)

    def _outcome(self, command: Command, action: str, answer: Payload) -> Outcome:
        if self._dialect.schemas.response_faults(action, answer):
            self._counts["invalid_answer"] += 1
        try:
            return self._dialect.decode_outcome(command, answer)
        except ValueError as unreadable:
            raise StationFault(str(unreadable)) from None

    def _late_outcome(self, command: Command, action: str, answer: Payload) -> Outcome | None:
        try:
            return self._outcome(command, action, answer)
        except StationFault:
            return None

    async def ask_for_boot(self, boot_wait_s: float, reconnect_wait_s: float) -> None:
        """Ask a station that owes a boot for one after a while; if it stays silent, go on without.

        One that was accepted before is only given a moment to say whether it comes back or boots.
        """
        if not self._gate.needs_boot:
            if not await self._gate.heard_within(reconnect_wait_s):
                self._gate.give_way()
            return
        if await self._gate.heard_within(boot_wait_s):
            return
        log.info("boot_overdue", station_id=self._station_id)
        try:
            await self.perform(Trigger("boot"))
        except (StationTimeout, StationFault) as failed:
            log.info("boot_not_triggered", station_id=self._station_id, error=failed.code)
        if not await self._gate.heard_within(boot_wait_s):
            self._gate.give_way()
