"""The car park's process as the runner sees it, and what the ledger thought meanwhile."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import orjson
from sqlalchemy.exc import SQLAlchemyError

from proofs.crash.books import Books
from proofs.crash.controller import Death

BACK_SHARE = 0.9
VIEW_EVERY_S = 2.0
LINE_LIMIT_BYTES = 1 << 22
STOP_TIMEOUT_S = 10.0
UNREADABLE = (OSError, SQLAlchemyError, asyncpg.PostgresError, IndexError)


class CarPark:
    """The car park's process: what it said every second, and its figures at the end."""

    def __init__(self, process: asyncio.subprocess.Process, on_violation: Callable[[dict[str, Any]], None]) -> None:
        self.seconds: list[tuple[float, int]] = []
        self.figures: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._process = process
        self._on_violation = on_violation

    async def listen(self) -> None:
        """Take in what it says; raises RuntimeError when it ends without its figures."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = orjson.loads(line)
            if said["type"] == "second":
                self.seconds.append((said["at_s"], said["online"]))
            elif said["type"] == "violation":
                self._on_violation(said)
            else:
                self.figures.set_result(said)
                return
        raise RuntimeError("the car park's process ended by itself")

    async def say(self, **fields: Any) -> None:
        """Write it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(fields) + b"\n")
        await self._process.stdin.drain()

    def back_s(self, death: Death) -> float | None:
        """Return when nine tenths of the stations that were online before a death were so again."""
        before = next((count for said_s, count in reversed(self.seconds) if said_s <= death.killed_s), 0)
        since_s = death.listening_s or float("inf")
        wanted = BACK_SHARE * before
        return next((said_s for said_s, count in self.seconds if said_s > since_s and count >= wanted), None)


@asynccontextmanager
async def car_park(told: dict[str, Any], on_violation: Callable[[dict[str, Any]], None]) -> AsyncIterator[CarPark]:
    """Run the car park's process while the context lasts."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proofs.crash.yard"), stdin=pipe, stdout=pipe, limit=LINE_LIMIT_BYTES
    )
    try:
        park = CarPark(process, on_violation)
        await park.say(**told)
        yield park
    finally:
        for end in (process.terminate, process.kill):
            with suppress(ProcessLookupError, TimeoutError):
                end()
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
                break


class Watch:
    """Looks how full the ledger is, and what it thought when the wires were over a rating."""

    def __init__(self, books: Books) -> None:
        self.violations: list[dict[str, Any]] = []
        self.view_count = self.full_count = self.over_count = 0
        self._books = books
        self._seen = asyncio.Event()

    def note(self, said: dict[str, Any]) -> None:
        """Keep a violation; the ledger is looked at at once."""
        self.violations.append(said)
        self._seen.set()

    async def look(self) -> None:
        """Look every two seconds, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(VIEW_EVERY_S):
                    await self._seen.wait()
            self._seen.clear()
            try:
                view = await self._books.view()
            except UNREADABLE:
                continue
            self.view_count += 1
            self.full_count += view.is_full
            self.over_count += bool(view.excesses)
            for said in self.violations:
                said.setdefault("ledger", view.told())
