"""The conductor: moves the house's clock and the simulators' clock together, never past anything in flight."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from app.demo.child import Child
from app.runtime.clock import SteppedClock

LONGEST_STEP = timedelta(seconds=15)
TICK = timedelta(seconds=1)
QUIET_TIMEOUT_S = 120.0

Watcher = Callable[[datetime, dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Pace:
    """How fast the day went: `reached` is business seconds per real second over the whole of it."""

    began_s: float = field(default_factory=monotonic)
    business_s: float = 0.0

    @property
    def reached(self) -> float:
        """Business seconds per real second."""
        return self.business_s / max(monotonic() - self.began_s, 1e-9)

    async def keep_below(self, ceiling: float) -> None:
        """Wait until the speed is not above the ceiling."""
        ahead_s = self.business_s / ceiling - (monotonic() - self.began_s)
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)


def next_goal(now: datetime, wake_at: datetime | None, ends_at: datetime) -> datetime:
    """Return the whole second to step to: the next sleeper's, at least one second and at most 15 away."""
    goal = min(now + LONGEST_STEP, ends_at)
    if wake_at is not None and wake_at < goal:
        goal = wake_at
    if goal.microsecond:
        goal = goal.replace(microsecond=0) + TICK
    return max(goal, now + TICK)


async def conduct(child: Child, clock: SteppedClock, ends_at: datetime, speed: float, watch: Watcher) -> Pace:
    """Play until `ends_at`; `speed` is a ceiling. `watch` sees the simulators' state after each second with events."""
    pace = Pace()
    start_at = clock.now()
    while clock.now() < ends_at:
        await clock.quiet(QUIET_TIMEOUT_S)
        stepped = await child.ask("step", to=next_goal(clock.now(), clock.next_wake_at(), ends_at).isoformat())
        clock.move_to(datetime.fromisoformat(stepped["at"]))
        if stepped["has_events"]:
            acted = await child.ask("act")
            await watch(clock.now(), acted["state"])
        pace.business_s = (clock.now() - start_at).total_seconds()
        await pace.keep_below(speed)
    await clock.quiet(QUIET_TIMEOUT_S)
    return pace
