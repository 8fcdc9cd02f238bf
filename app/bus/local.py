"""The bus of one process."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

from app.bus import Handler
from app.domain.clock import Clock
from app.domain.errors import StationOffline, StationTimeout


class LocalSubscription:
    """See `app.bus.Subscription`. Holds the clock from a ring (or wake-up) until it is listened to again.

    There are several for every connection: none keeps more than it needs.
    """

    __slots__ = ("_clock", "_hold", "_is_rung", "_waiting")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hold: AbstractContextManager[None] | None = None
        self._is_rung = False
        self._waiting: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Remember a ring and hold the clock for the work that it brings."""
        self._is_rung = True
        self._rouse()

    def _rouse(self) -> None:
        self._take()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _take(self) -> None:
        if self._hold is None:
            self._hold = self._clock.hold()
            self._hold.__enter__()

    def release(self) -> None:
        """Let business time go on."""
        if self._hold is not None:
            hold, self._hold = self._hold, None
            hold.__exit__(None, None, None)

    async def next(self, until_at: datetime | None = None) -> bool:
        """Wait for a ring, or for business time `until_at`; return whether it rang."""
        if not self._is_rung:
            self.release()
            await self._wait(until_at)
        self._take()
        was_rung, self._is_rung = self._is_rung, False
        return was_rung

    async def _wait(self, until_at: datetime | None) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        alarm = None if until_at is None else asyncio.ensure_future(self._alarm(until_at))
        try:
            await self._waiting
        finally:
            self._waiting = None
            if alarm is not None:
                alarm.cancel()

    async def _alarm(self, until_at: datetime) -> None:
        await self._clock.sleep_until(until_at)
        self._rouse()


class LocalBus:
    """See `app.bus.Bus`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: dict[str, set[LocalSubscription]] = defaultdict(set)
        self._servers: dict[str, Handler] = {}

    def ring(self, subject: str) -> None:
        """Wake every listener of the subject."""
        for listener in self._listeners.get(subject, ()):
            listener.wake()

    @contextmanager
    def _listening(self, subjects: tuple[str, ...]) -> Iterator[LocalSubscription]:
        subscription = LocalSubscription(self._clock)
        for subject in subjects:
            self._listeners[subject].add(subscription)
        try:
            yield subscription
        finally:
            for subject in subjects:
                self._listeners[subject].discard(subscription)
                if not self._listeners[subject]:
                    del self._listeners[subject]
            subscription.release()

    def listen(self, *subjects: str) -> AbstractContextManager[LocalSubscription]:
        """Listen to subjects until the context ends."""
        return self._listening(subjects)

    @contextmanager
    def _serving(self, subject: str, handler: Handler) -> Iterator[None]:
        self._servers[subject] = handler
        try:
            yield
        finally:
            if self._servers.get(subject) is handler:
                del self._servers[subject]

    def serve(self, subject: str, handler: Handler) -> AbstractContextManager[None]:
        """Answer asks on a subject until the context ends; the newest server of a subject wins."""
        return self._serving(subject, handler)

    async def ask(self, subject: str, request: Any, timeout_s: float) -> Any:
        """Return the server's answer; raises StationOffline when nobody serves it, StationTimeout when it is late."""
        handler = self._servers.get(subject)
        if handler is None:
            raise StationOffline("the station is not connected")
        try:
            with self._clock.hold():
                async with asyncio.timeout(timeout_s):
                    return await handler(request)
        except TimeoutError:
            raise StationTimeout("the station did not answer in time") from None
