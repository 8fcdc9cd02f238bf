"""What fixtures are made of: a clock that the test moves, and databases on the tests' server."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg

MORNING = datetime(2026, 4, 1, 7, tzinfo=UTC)


class FakeClock:
    """Business time as the test says: set `at`, or `advance` it."""

    def __init__(self, at: datetime = MORNING) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, **span: float) -> datetime:
        """Move on by a timedelta's keyword arguments; return the new time."""
        self.at += timedelta(**span)
        return self.at

    async def sleep_until(self, at: datetime) -> None:
        while self.at < at:  # noqa: ASYNC110 - the test moves the time, nothing signals it
            await asyncio.sleep(0.001)

    def hold(self) -> AbstractContextManager[None]:
        return nullcontext()


def on_database(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement, timeout=60)
    finally:
        await connection.close(timeout=10)
