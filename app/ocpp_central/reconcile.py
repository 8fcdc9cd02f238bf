"""Bringing one station to what is wanted: proof of its defaults (R8), then the limit orders; then it may be set up.

Level-triggered: every round rereads the database, so a lost ring costs only latency. Site-limit rules: R5 an error, a
timeout or a hang-up is recorded as unknown and frees nothing; R6 every order is a lease; R8 a default counts once it
was installed and read back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Protocol, TypeVar

import structlog

from app.bus import Bus
from app.bus.subjects import station_orders
from app.domain.commands import Command, Outcome, RateUnit, Rejected
from app.domain.errors import Invalid, NotFound, StationFault, StationTimeout
from app.domain.limits import LimitOrder
from app.ocpp_central.boot import BootGate
from app.ocpp_central.station_clock import StationClock
from app.operations import limits, obedience, proofs
from app.operations.standing import Standing
from app.operations.transaction import Transactions, Tx
from app.scheduling.proving import DefaultDue, Retries, Verdict, deliver, prove

log = structlog.get_logger()

SWEEP = timedelta(minutes=5)

Result = TypeVar("Result")


class Perform(Protocol):
    """Send a command; raises StationOffline, StationTimeout, StationFault. A late answer goes to `on_late`."""

    def __call__(self, command: Command, on_late: Callable[[Outcome], None] | None = None) -> Awaitable[Outcome]:
        """Return how it ended."""
        ...


class Look(Protocol):
    """Read what is due at a station, together with others; None where it is not provisioned any more."""

    def __call__(self, station_id: str, /) -> Awaitable[Standing | None]:
        """Return it; raises DatabaseUnavailable."""
        ...


class Reconciler:
    """One station's loop. `unsettled` are the orders that were taken and have no outcome yet.

    `turn` is held from taking work until it is sent and answered, so that profiles reach the station in the order of
    their numbers, and no proof stretches over a call that may undo it.
    """

    def __init__(
        self,
        station_id: str,
        transactions: Transactions,
        bus: Bus,
        gate: BootGate,
        perform: Perform,
        turn: asyncio.Lock,
        look: Look,
        station_clock: StationClock,
    ) -> None:
        self.unsettled: set[int] = set()
        self._late: list[tuple[int, Outcome]] = []
        self._station_id = station_id
        self._transactions = transactions
        self._bus = bus
        self._gate = gate
        self._perform = perform
        self._turn = turn
        self._look = look
        self._station_clock = station_clock
        self._boot_count = -1
        self._has_remedies = False
        self._retries = Retries()
        self._unit: RateUnit | None = None

    async def run(self) -> None:
        """Run until the connection ends."""
        clock = self._transactions.clock
        while True:
            await self._gate.opened()
            with self._bus.listen(station_orders(self._station_id)) as bell:
                while self._gate.is_open:
                    await self._settle_left_over()
                    self._note_boot()
                    if not await self._is_idle():
                        async with self._turn:
                            await self._send(*await self._take_work())
                            if self._has_remedies:
                                await self._help()
                    self._gate.secure(self._boot_count)
                    until_at = clock.now() + SWEEP
                    await bell.next(min(until_at, self._retries.retry_at or until_at))

    def _note_boot(self) -> None:
        """Once per connection and boot: what failed before is tried again at once."""
        if self._boot_count != self._gate.boot_count:
            self._boot_count, self._unit = self._gate.boot_count, None

    async def _is_idle(self) -> bool:
        """Whether there is nothing to prove and nothing to send; raises NotFound."""
        standing = await self._look(self._station_id)
        if standing is None:
            raise NotFound("there is no such station", field="station_id")
        await self._note_slack(standing.lease_slack)
        self._has_remedies = standing.has_remedies
        if standing.has_limit_work:
            return False
        self._unit, self._retries = standing.unit, Retries()
        return True

    async def _note_slack(self, known: timedelta | None) -> None:
        """Write down how late the station's leases may end, where that has changed."""
        self._station_clock.recall(known)
        slack = self._station_clock.slack
        if slack is not None and slack != known:
            async with self._transactions() as tx:
                await proofs.note_slack(tx, self._station_id, slack)

    async def _help(self) -> None:
        """Do what is to be done against what was noted of the station's EVSEs; each once, whatever comes of it."""
        async with self._transactions() as tx:
            commands = await obedience.remedies(tx, self._station_id)
        for command in commands:
            outcome = await self._outcome(command, None)
            log.info("remedied", station_id=self._station_id, command=type(command).__name__, outcome=str(outcome))

    async def _take_work(self) -> tuple[tuple[LimitOrder, ...], RateUnit]:
        """Prove what is not proven, then take the orders; in one transaction where there is nothing to prove."""
        async with self._transactions() as tx:
            unit = await self._spelled_in(tx)
            is_pausing = self._retries.is_pausing(tx.now)
            due = () if is_pausing else await proofs.due(tx, self._station_id)
            orders = () if due else await limits.take_orders(tx, self._station_id)
        if due or not is_pausing:
            await self._prove_all(due)
        if due:
            async with self._transactions() as tx:
                unit = self._unit = await proofs.rate_unit(tx, self._station_id)
                orders = await limits.take_orders(tx, self._station_id)
        self.unsettled.update(order.order_no for order in orders)
        return orders, unit

    async def _spelled_in(self, tx: Tx) -> RateUnit:
        """Return what limits are spelled in; where that has changed, what failed before is tried again at once."""
        unit = await proofs.rate_unit(tx, self._station_id)
        if unit is not self._unit:
            self._unit, self._retries = unit, Retries()
        return unit

    async def _prove_all(self, due: tuple[DefaultDue, ...]) -> None:
        """Prove these defaults, one after the other; a unit that the station took is used for the next ones too."""
        failed_count, unit = 0, None
        for each in due:
            proof = await self._drive(prove(each if unit is None else replace(each, rate_unit=unit)))
            unit = proof.rate_unit
            async with self._transactions() as tx:
                try:
                    await proofs.record(tx, self._station_id, each.evse_number, proof)
                except NotFound:
                    continue
            if proof.verdict is not Verdict.PROVEN:
                failed_count += 1
                log.warning(
                    "default_unproven",
                    station_id=self._station_id,
                    evse_number=each.evse_number,
                    verdict=proof.verdict,
                    reason=proof.reason,
                )
        self._retries = self._retries.after(failed_count, self._transactions.clock.now())

    async def _send(self, orders: tuple[LimitOrder, ...], unit: RateUnit) -> None:
        for order in orders:
            steps = deliver(order, unit)
            await self._record(order.order_no, await self._drive(steps, order.order_no))

    async def _drive(self, steps: Generator[Command, Outcome | None, Result], order_no: int | None = None) -> Result:
        """Take the steps at the station; raises StationOffline."""
        answer: Outcome | None = None
        while True:
            try:
                command = steps.send(answer)
            except StopIteration as done:
                result: Result = done.value
                return result
            answer = await self._outcome(command, order_no)

    async def _outcome(self, command: Command, order_no: int | None) -> Outcome | None:
        """Send a command; None: nothing is known of it. A late answer to an order is recorded."""
        on_late = None if order_no is None else partial(self.answered_late, order_no)
        try:
            return await self._perform(command, on_late)
        except (StationTimeout, StationFault) as failed:
            log.warning("outcome_unknown", station_id=self._station_id, order_no=order_no, error=failed.code)
            return None
        except Invalid as unspeakable:
            return Rejected(unspeakable.detail)  # no byte of it has left

    async def _record(self, order_no: int, outcome: Outcome | None) -> None:
        async with self._transactions() as tx:
            await limits.record_outcome(tx, order_no, outcome)
        self.unsettled.discard(order_no)

    def answered_late(self, order_no: int, outcome: Outcome) -> None:
        """Have the late answer to an order recorded."""
        self._late.append((order_no, outcome))
        self._bus.ring(station_orders(self._station_id))

    async def _settle_left_over(self) -> None:
        """Record late answers, and as unknown what an earlier, broken round took and may have sent."""
        for order_no in sorted(self.unsettled):
            await self._record(order_no, None)
        while self._late:
            order_no, outcome = self._late[0]
            await self._record(order_no, outcome)
            del self._late[0]
