"""What a connection may do before its station was accepted: some chargers wedge when commanded before a boot."""

import asyncio

from app.domain.commands import ApplyProfile, Command, StartSession, StopSession
from app.domain.errors import StationOffline
from app.domain.facts import BootStatus

BARRED_ACTIONS = {
    "SetChargingProfile",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "RequestStartTransaction",
    "RequestStopTransaction",
}


class BootGate:
    """Whether the station of this connection is accepted, and may be commanded.

    Acceptance is durable: a reconnect without a boot stays accepted (OCPP 1.6 §4.2, OCPP 2.0.1 B01). But a station that
    comes back may be about to boot, so its first call decides: a boot closes the gate until it is answered, any other
    call opens it, and so does silence for a short while. The gate is secured when, since the last boot, the safe
    defaults and the limit orders of running sessions have had their turn. `boot_count` counts the boots that this
    connection has heard of.
    """

    def __init__(self, *, needs_boot: bool, is_commissioned: bool = True) -> None:
        self.needs_boot = needs_boot
        self._is_commissioned = is_commissioned
        self.boot_count = 0
        self.is_pending = False
        self._asked: set[str] = set()
        self._is_over = False
        self._open = asyncio.Event()
        self._decided = asyncio.Event()
        self._secured = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether commands may be sent."""
        return self._open.is_set()

    def give_way(self) -> None:
        """Let commands pass without a boot; a station that is not commissioned gets what it may get while Pending."""
        if self._is_commissioned:
            self._open.set()
        self._decided.set()

    def spoke(self) -> None:
        """A call that is no boot was answered: a station whose acceptance holds will send none."""
        if not self.needs_boot and not self._decided.is_set():
            self.give_way()

    def knocked(self) -> None:
        """A boot has come: nothing may be sent before its answer."""
        if not self._is_over:
            self._open.clear()
            self._decided.clear()
            self._secured.clear()

    @property
    def is_secured(self) -> bool:
        """Whether there is time for more than limits."""
        return self._secured.is_set()

    async def secured(self) -> None:
        """Return once the safe defaults and orders have had their turn since the last boot."""
        await self._secured.wait()

    def secure(self, boot_count: int) -> None:
        """The safe defaults and orders have had their turn, at this count of boots."""
        if boot_count == self.boot_count and self.is_open:
            self._secured.set()

    def answered(self, status: BootStatus) -> None:
        """A boot was answered: that is, its answer has left."""
        self.boot_count += 1
        self._secured.clear()
        self.is_pending = self.needs_boot = status is BootStatus.PENDING
        if self.is_pending:
            self._open.clear()
            self._decided.set()
        else:
            self._is_commissioned = True
            self._asked.clear()
            self.give_way()

    async def opened(self) -> None:
        """Return once the station is accepted (or nobody waits for its boot any more)."""
        await self._open.wait()

    async def lets(self, command: Command) -> bool:
        """Wait until the boot is decided; return whether the command may be sent (OCPP 1.6 §4.2, OCPP 2.0.1 B02).

        Raises StationOffline when the connection ends meanwhile.
        """
        await self._decided.wait()
        if self._is_over:
            raise StationOffline("the station has hung up")
        return self.is_open or not isinstance(command, ApplyProfile | StartSession | StopSession)

    async def lets_action(self, action: str) -> bool:
        """As `lets`, for a call in the standard's own words."""
        await self._decided.wait()
        if self._is_over:
            raise StationOffline("the station has hung up")
        return self.is_open or action not in BARRED_ACTIONS

    def hang_up(self) -> None:
        """The connection is over: nobody waits any longer."""
        self._is_over = True
        self._decided.set()

    async def heard_within(self, seconds_s: float) -> bool:
        """Wait for a decision in real time; return whether it has come."""
        try:
            async with asyncio.timeout(seconds_s):
                await self._decided.wait()
        except TimeoutError:
            return False
        return True

    def asked_for(self, action: str) -> None:
        """We made the station send this: it is heard even while it is pending."""
        self._asked.add(action)

    def is_asked(self, action: str) -> bool:
        """Whether we made the station send this."""
        return action in self._asked
