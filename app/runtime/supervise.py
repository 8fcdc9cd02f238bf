"""Loops that must not die: restarted after any error, reported as a readiness problem while they fail."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class Health:
    """What readiness has to say: one line per failing part, none when all is well."""

    def __init__(self) -> None:
        self._problems: dict[str, str] = {}

    def failing(self, part: str, why: str) -> None:
        """Report a part as failing."""
        self._problems[part] = why

    def well(self, part: str) -> None:
        """Take a report back."""
        self._problems.pop(part, None)

    def problems(self) -> list[str]:
        """Return the current problems, sorted."""
        return [f"{part}: {why}" for part, why in sorted(self._problems.items())]


async def supervise(part: str, run: Callable[[Callable[[], None]], Awaitable[None]], health: Health) -> None:
    """Run a level-triggered loop for ever. `run` gets a callback to say that one round went well.

    An error is logged, reported to `health` and followed by a growing pause in real time (0.5 to 30 s).
    """
    pause_s = FIRST_PAUSE_S

    def went_well() -> None:
        nonlocal pause_s
        pause_s = FIRST_PAUSE_S
        health.well(part)

    while True:
        try:
            await run(went_well)
            health.failing(part, "ended")
        except Exception as broken:
            health.failing(part, type(broken).__name__)
            log.error("loop_failed", part=part, error=type(broken).__name__, detail=str(broken)[:300], exc_info=True)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
