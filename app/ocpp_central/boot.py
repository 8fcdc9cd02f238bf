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
    """Whether the station of this connection is accepted; acceptance is durable, so a reconnect starts accepted.

    `boot_count` counts the boots that this connection has heard of.
    """

    def __init__(self, *, needs_boot: bool) -> None:
        self.boot_count = 0
        self.is_pending = False
        self._asked: set[str] = set()
        self._is_over = False
        self._open = asyncio.Event()
        self._decided = asyncio.Event()
        if not needs_boot:
            self.give_way()

    @property
    def is_open(self) -> bool:
        """Whether commands may be sent."""
        return self._open.is_set()

    def give_way(self) -> None:
        """Let commands pass without a boot."""
        self._open.set()
        self._decided.set()

    def answered(self, status: BootStatus) -> None:
        """A boot was answered: that is, its answer has left."""
        self.boot_count += 1
        self.is_pending = status is BootStatus.PENDING
        if self.is_pending:
            self._open.clear()
            self._decided.set()
        else:
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
