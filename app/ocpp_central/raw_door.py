"""The raw door: an expert's call in the standard's own words, checked, judged by the scheduler's gate, then sent as is.

The dialect says what is wrong with the payload and what it may do to charging limits; `app.operations.raw_door` decides
and keeps the books. Everything that may touch a profile takes the reconcile loop's `turn` (see there).
"""

import asyncio
from collections.abc import Callable

from app.domain.commands import Accepted, Outcome, Rejected
from app.domain.errors import CommandRefused, Invalid, NotFound
from app.domain.raw import Effect, Impact, RawCall, RawReply
from app.ocpp_central.boot import BootGate
from app.ocpp_central.calls import StationCalls
from app.ocpp_central.dialect import Dialect, text_of
from app.ocpp_central.rpc import Payload
from app.ocpp_central.schemas import Fault
from app.operations import raw_door
from app.operations.transaction import Transactions

TRIGGERS = {"TriggerMessage", "ExtendedTriggerMessage"}
LONGEST_STATUS_COUNT = 50


class RawDoor:
    """What one connection does with raw calls. `on_late` takes the late answer to an order of the limit ledger."""

    def __init__(
        self,
        station_id: str,
        dialect: Dialect,
        calls: StationCalls,
        gate: BootGate,
        transactions: Transactions,
        turn: asyncio.Lock,
        on_late: Callable[[int, Outcome], None],
    ) -> None:
        self._station_id = station_id
        self._dialect = dialect
        self._calls = calls
        self._gate = gate
        self._transactions = transactions
        self._turn = turn
        self._on_late = on_late

    async def answer(self, asked: RawCall) -> RawReply:
        """Return the station's reply as it came.

        Raises NotFound for an action that the version does not know, Invalid (naming the field) for a payload that its
        schema refuses, CommandRefused where the gate stays shut, StationOffline, StationTimeout, StationFault.
        """
        self._check(asked)
        impact = raw_door.classified(self._dialect.classify(asked.action, asked.payload))
        if not await self._gate.lets_action(asked.action):
            raise CommandRefused("the station is not commissioned yet")
        if asked.action in TRIGGERS and (wanted := text_of(asked.payload, "requestedMessage")) is not None:
            self._gate.asked_for(wanted)
        if impact.effect is Effect.HARMLESS:
            return RawReply(await self._calls.call(asked.action, asked.payload))
        async with self._turn:
            return await self._pass(asked, impact)

    def _check(self, asked: RawCall) -> None:
        if not self._dialect.schemas.knows(asked.action):
            raise NotFound(f"{self._dialect.subprotocol} has no message {asked.action}")
        if faults := self._dialect.schemas.request_faults(asked.action, asked.payload):
            raise Invalid(faults[0].detail, field=field_of(faults[0]))

    async def _pass(self, asked: RawCall, impact: Impact) -> RawReply:
        async with self._transactions() as tx:
            passage = await raw_door.enter(tx, self._station_id, impact)

        def answered_late(reply: Payload) -> None:
            if (late := _outcome(reply)) is not None:
                for order_no in passage.order_nos:
                    self._on_late(order_no, late)

        outcome: Outcome | None = None
        try:
            reply = await self._calls.call(asked.action, asked.payload, answered_late)
            outcome = _outcome(reply)
        finally:
            async with self._transactions() as tx:
                await raw_door.leave(tx, passage, outcome)
        return RawReply(reply)


def field_of(fault: Fault) -> str:
    """Return the field that a schema finds fault with, also a missing or unknown one; `body` for the whole payload."""
    steps = [str(step) for step in fault.path]
    if fault.keyword in {"required", "additionalProperties"}:
        named = fault.expected if isinstance(fault.expected, list) else [fault.expected]
        steps += [str(name) for name in named[:1]]
    return ".".join(step[:40] for step in steps) or "body"


def _outcome(reply: Payload) -> Outcome | None:
    """Return how a call that sets or clears profiles ended; None where the answer does not say."""
    status = text_of(reply, "status", LONGEST_STATUS_COUNT)
    if status is None:
        return None
    return Accepted() if status == "Accepted" else Rejected(status)
