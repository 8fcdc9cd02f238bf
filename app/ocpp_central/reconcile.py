"""Bringing one station to what is wanted: proof of its defaults (R8), then the limit orders; then it may be set up.

Level-triggered: every round rereads the database, so a lost ring costs only latency. Site-limit rules: R5 an error, a
timeout or a hang-up is recorded as unknown and frees nothing; R6 every order is a lease; R8 a default counts once it
was installed and read back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from app.bus import Bus
from app.bus.subjects import station_orders
from app.domain.commands import (
    Accepted,
    ApplyProfile,
    Command,
    Outcome,
    RateUnit,
    ReadComposite,
    Rejected,
)
from app.domain.errors import Invalid, NotFound, StationFault, StationTimeout
from app.domain.limits import LimitOrder
from app.domain.units import power_w
from app.ocpp_central.boot import BootGate
from app.operations import limits, onboarding
from app.operations.limits import DefaultDue
from app.operations.standing import Standing
from app.operations.transaction import Transactions, Tx
from app.scheduling import profiles

log = structlog.get_logger()

SWEEP = timedelta(minutes=5)
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(minutes=30)
BEYOND_LEASE_S = 1200
TOLERANCE_A = 0.1


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
        self._boot_count = -1
        self._failure_count = 0
        self._retry_at: datetime | None = None
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
                    self._gate.secure(self._boot_count)
                    until_at = clock.now() + SWEEP
                    await bell.next(until_at if self._retry_at is None else min(until_at, self._retry_at))

    def _note_boot(self) -> None:
        """Once per connection and boot: what failed before is tried again at once."""
        if self._boot_count != self._gate.boot_count:
            self._boot_count, self._unit = self._gate.boot_count, None

    async def _is_idle(self) -> bool:
        """Whether there is nothing to prove and nothing to send; raises NotFound."""
        standing = await self._look(self._station_id)
        if standing is None:
            raise NotFound("there is no such station", field="station_id")
        if standing.has_limit_work:
            return False
        self._unit, self._failure_count, self._retry_at = standing.unit, 0, None
        return True

    async def _take_work(self) -> tuple[tuple[LimitOrder, ...], RateUnit]:
        """Prove what is not proven, then take the orders; in one transaction where there is nothing to prove."""
        async with self._transactions() as tx:
            unit = await self._spelled_in(tx)
            is_pausing = self._retry_at is not None and tx.now < self._retry_at
            due = () if is_pausing else await limits.defaults_due(tx, self._station_id)
            orders = () if due else await limits.take_orders(tx, self._station_id)
        if due or not is_pausing:
            await self._prove_all(due)
        if due:
            async with self._transactions() as tx:
                unit = self._unit = await limits.rate_unit(tx, self._station_id)
                orders = await limits.take_orders(tx, self._station_id)
        self.unsettled.update(order.order_no for order in orders)
        return orders, unit

    async def _spelled_in(self, tx: Tx) -> RateUnit:
        """Return what limits are spelled in; where that has changed, what failed before is tried again at once."""
        unit = await limits.rate_unit(tx, self._station_id)
        if unit is not self._unit:
            self._unit, self._failure_count, self._retry_at = unit, 0, None
        return unit

    async def _prove_all(self, due: tuple[DefaultDue, ...]) -> None:
        """Install and read back these defaults; what fails is tried again after 1, 2, 4 … 30 minutes."""
        failed_count = 0
        for default in due:
            failed_count += not await self._prove(default)
        if failed_count == 0:
            self._failure_count, self._retry_at = 0, None
            return
        pause = min(FIRST_RETRY * 2 ** min(self._failure_count, 10), LONGEST_RETRY)
        self._failure_count += 1
        self._retry_at = self._transactions.clock.now() + pause

    async def _prove(self, default: DefaultDue) -> bool:
        try:
            reason = await self._why_unproven(default)
        except (StationTimeout, StationFault) as failed:
            reason = failed.code
        async with self._transactions() as tx:
            try:
                await limits.record_default(tx, self._station_id, default.evse_number, not reason)
            except NotFound:
                return True
        if reason:
            log.warning("default_unproven", station_id=self._station_id, evse_number=default.evse_number, reason=reason)
        return not reason

    async def _why_unproven(self, default: DefaultDue) -> str:
        """Install the default and read it back; return an empty text if it holds.

        A station that refuses it, and has not said which units it takes, is asked once more in the other unit.
        """
        async with self._transactions() as tx:
            unit = await limits.rate_unit(tx, self._station_id)
            is_told = await onboarding.has_told_rate_units(tx, self._station_id)
        outcome = await self._install(default, unit)
        if not isinstance(outcome, Accepted) and not is_told:
            unit = RateUnit.W if unit is RateUnit.A else RateUnit.A
            outcome = await self._install(default, unit)
            if isinstance(outcome, Accepted):
                async with self._transactions() as tx:
                    await limits.use_rate_unit(tx, self._station_id, unit)
        if not isinstance(outcome, Accepted):
            return f"the default profile was refused: {outcome.reason}"
        outcome = await self._perform(ReadComposite(default.evse_number, BEYOND_LEASE_S, unit))
        if not isinstance(outcome, Accepted):
            return f"it could not be read back: {outcome.reason}"
        read_w = tail_w(outcome, default.w_per_a)
        if read_w is None or read_w > highest_w(default):
            return "what was read back is above the safe power"
        return ""

    async def _install(self, default: DefaultDue, unit: RateUnit) -> Outcome:
        profile = profiles.default_profile(
            default.evse_number, default.safe_power_w, default.w_per_a, default.phase_count, unit
        )
        return await self._perform(ApplyProfile(default.evse_number, profile))

    async def _send(self, orders: tuple[LimitOrder, ...], unit: RateUnit) -> None:
        for order in orders:
            command = ApplyProfile(order.evse_number, profiles.lease_profile(order, unit))
            await self._record(order.order_no, await self._outcome(order, command))

    async def _outcome(self, order: LimitOrder, command: ApplyProfile) -> Outcome | None:
        try:
            return await self._perform(command, lambda outcome: self.answered_late(order.order_no, outcome))
        except (StationTimeout, StationFault) as failed:
            log.warning("limit_unknown", station_id=self._station_id, order_no=order.order_no, error=failed.code)
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


def tail_w(outcome: Accepted, w_per_a: float) -> float | None:
    """Return in W what a composite schedule ends in, behind any lease; None where it cannot be read."""
    periods, unit = outcome.detail.get("periods"), outcome.detail.get("unit")
    if not periods:
        return None
    last = periods[-1][1]
    return float(last) if unit == "W" else power_w(last, w_per_a, 1)


def highest_w(default: DefaultDue) -> float:
    """Return what a read-back of this default may say at most: its power, and what rounding may add."""
    return default.safe_power_w + TOLERANCE_A * default.w_per_a
