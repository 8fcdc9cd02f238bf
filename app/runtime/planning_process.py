"""Large plans in a process of their own, so that stations are answered while a thousand cars are being planned.

A thread shares the interpreter's lock with everything else. The process is started when snapshots come near the size
for it, asked one at a time, given up when it is late, and started again when it dies; meanwhile a thread plans. It ends
with the server: its stdin ends, whatever happens to the parent.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from app.domain.intervals import PLAN_SLOT
from app.domain.plan import ChargingPlan
from app.domain.snapshot import SiteSnapshot
from app.operations.planning import in_thread
from app.operations.records import read_plan_json, snapshot_json
from app.runtime.planning_child import LENGTH_BYTES, question
from app.scheduling.planner import HORIZON

log = structlog.get_logger()

TIMEOUT_S = 15.0  # the limit loop of the site waits for the plan
END_TIMEOUT_S = 2.0
WARM_SHARE = 0.5
LONGEST_ANSWER_BYTES = 256 * 1024 * 1024
CHILD = (sys.executable, "-m", "app.runtime.planning_child")

Broken = (OSError, EOFError, TimeoutError, ValueError)


def cell_count(snapshot: SiteSnapshot, now: datetime) -> int:
    """Return about how large a plan will be: cars (plugged in, booked) times slots."""
    cars = len(snapshot.demands) + len(snapshot.expected)
    ends_at = [each.departs_at for each in snapshot.demands] + [each.period.end_at for each in snapshot.expected]
    return cars * max(1, (min(max(ends_at, default=now), now + HORIZON) - now) // PLAN_SLOT + 1)


class PlanningProcess:
    """A planner (see `operations.planning`) that leaves plans of `least_count` cells and more to its process."""

    def __init__(self, least_count: int, command: tuple[str, ...] = CHILD, timeout_s: float = TIMEOUT_S) -> None:
        self._least_count = least_count
        self._command = command
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None

    async def __call__(self, snapshot: SiteSnapshot, now: datetime) -> ChargingPlan:
        """Return the plan."""
        count = cell_count(snapshot, now)
        if count < self._least_count * WARM_SHARE:
            return await in_thread(snapshot, now)
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout_s):
                    child = await self._started()
                    if count >= self._least_count:
                        return await self._ask(child, snapshot, now)
            except Broken as broken:
                await self.end(at_once=True)
                log.warning("planning_process_failed", error=type(broken).__name__, detail=str(broken)[:200])
            except asyncio.CancelledError:
                await self.end(at_once=True)  # an answer that nobody waits for must not be taken for the next one
                raise
        return await in_thread(snapshot, now)

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child is not None and self._child.returncode is not None:
            await self.end(at_once=True)
        if self._child is None:
            pipe = asyncio.subprocess.PIPE
            self._child = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, start_new_session=True
            )
            log.info("planning_process_started", pid=self._child.pid)
        return self._child

    async def _ask(self, child: asyncio.subprocess.Process, snapshot: SiteSnapshot, now: datetime) -> ChargingPlan:
        if child.stdin is None or child.stdout is None:
            raise EOFError("the planning process has no pipes")
        text = await asyncio.to_thread(snapshot_json, snapshot)
        child.stdin.write(question(text, now))
        await child.stdin.drain()
        length = int.from_bytes(await child.stdout.readexactly(LENGTH_BYTES), "big")
        if length > LONGEST_ANSWER_BYTES:
            raise ValueError("the planning process does not answer with a plan")
        return await asyncio.to_thread(read_plan_json, await child.stdout.readexactly(length))

    async def end(self, *, at_once: bool = False) -> None:
        """End the process, if there is one, and wait until it is gone; `at_once`: without a chance to finish."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            async with asyncio.timeout(0 if at_once else END_TIMEOUT_S):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


@asynccontextmanager
async def planning_process(least_count: int) -> AsyncIterator[PlanningProcess]:
    """Yield a planner whose process, once started, ends with the context."""
    planner = PlanningProcess(least_count)
    try:
        yield planner
    finally:
        await planner.end()
