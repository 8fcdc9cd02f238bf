"""Business time as a protocol: the wall clock in production, a stepped clock in the demo and in tests."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Business time (slots, leases, settle, meter intervals, re-plans); never used for I/O timeouts."""

    def now(self) -> datetime:
        """Return the current business time, aware, in UTC."""
        ...

    async def sleep_until(self, at: datetime) -> None:
        """Return when business time has reached `at` (at once if it has)."""
        ...

    def hold(self) -> AbstractContextManager[None]:
        """Keep a stepped clock from advancing while a call, commit or plan is in flight; free on a wall clock."""
        ...
