"""The doorbell between rooms: rings carry no data, losing one costs latency, never correctness.

`Bus` is the protocol, `local.LocalBus` the in-process one. Subjects are spelled in `subjects`.
A subscriber that is woken holds a stepped clock until it listens again, so that business time never outruns work.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

Handler = Callable[[Any], Awaitable[Any]]


class Subscription(Protocol):
    """One listener's bell. Rings that come while it works are remembered (once)."""

    async def next(self, until_at: datetime | None = None) -> bool:
        """Wait for a ring, or for business time `until_at`; return whether it rang."""
        ...


class Bus(Protocol):
    """Rings (lossy, level-triggered) and asks (one responder, one answer)."""

    def ring(self, subject: str) -> None:
        """Wake every listener of the subject."""
        ...

    def listen(self, *subjects: str) -> AbstractContextManager[Subscription]:
        """Listen to subjects until the context ends."""
        ...

    def serve(self, subject: str, handler: Handler) -> AbstractContextManager[None]:
        """Answer asks on a subject until the context ends; the newest server of a subject wins."""
        ...

    async def ask(self, subject: str, request: Any, timeout_s: float) -> Any:
        """Return the server's answer; raises StationOffline when nobody serves it, StationTimeout when it is late."""
        ...
