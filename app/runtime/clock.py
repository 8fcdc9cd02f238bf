"""The two clocks: the wall's, and one that is stepped by whoever conducts a simulated day."""

import asyncio
import heapq
import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime

QUIET_ROUNDS = 6


class WallClock:
    """Business time is the time of day. The only place that reads it."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    async def sleep_until(self, at: datetime) -> None:
        """Return when the wall clock has reached `at`, also if it is set meanwhile (re-read at least every minute)."""
        while (left_s := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - time has no event to wait for
            await asyncio.sleep(min(left_s, 60.0))

    def hold(self) -> AbstractContextManager[None]:
        """Nothing keeps the wall clock."""
        return nullcontext()


class SteppedClock:
    """Business time that moves only when `move_to` is called, and should only be moved when `quiet` returned.

    Work in flight takes a `hold`. A sleeper that is woken holds the clock until it has reached its next await, by which
    time it has either taken a hold of its own (a transaction, a call) or sleeps again.
    """

    def __init__(self, start_at: datetime) -> None:
        self._now = start_at.astimezone(UTC)
        self._holds = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        """Return the business time it was last moved to."""
        return self._now

    async def sleep_until(self, at: datetime) -> None:
        """Return once the clock was moved to `at` or beyond."""
        if at <= self._now:
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at, next(self._numbers), sleeper))
        await sleeper

    @contextmanager
    def _holding(self) -> Iterator[None]:
        self._take()
        try:
            yield
        finally:
            self._release()

    def hold(self) -> AbstractContextManager[None]:
        """Keep the clock while something is in flight."""
        return self._holding()

    def _take(self) -> None:
        self._holds += 1
        self._idle.clear()

    def _release(self) -> None:
        self._holds -= 1
        if self._holds == 0:
            self._idle.set()

    @property
    def hold_count(self) -> int:
        """How many things are in flight."""
        return self._holds

    async def quiet(self, timeout_s: float) -> None:
        """Return when nothing is in flight, and stays so over a few turns of the event loop; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            rounds = 0
            while rounds < QUIET_ROUNDS:
                if self._holds:
                    await self._idle.wait()
                    rounds = 0
                await asyncio.sleep(0)
                rounds = 0 if self._holds else rounds + 1

    def next_wake_at(self) -> datetime | None:
        """Return when the next sleeper wants to be woken; None if nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def move_to(self, at: datetime) -> None:
        """Set business time, never backwards (ValueError), and wake everybody whose time has come."""
        if at < self._now:
            raise ValueError("business time cannot run backwards")
        self._now = at.astimezone(UTC)
        loop = asyncio.get_running_loop()
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                self._take()
                sleeper.set_result(None)
                loop.call_soon(loop.call_soon, self._release)
