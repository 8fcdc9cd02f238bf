"""What was odd about which station's messages, counted in memory and written every few seconds, by model.

Counting never waits and never fails; what cannot be written yet is kept, bounded, and added later.
"""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from app.domain.errors import DatabaseUnavailable
from app.operations import repairs
from app.operations.transaction import Transactions

log = structlog.get_logger()

WRITE_EVERY_S = 10.0
LAST_WRITE_S = 2.0
CAPACITY_COUNT = 20_000
LONGEST_KIND_COUNT = 64
OWN_WORDS = re.compile(r"[\w.-]*\d[\w.-]*")


class RepairBook:
    """The counts of all stations, written while `writing()` lasts and once more at its end."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, station_id: str, what: str, count: int = 1) -> None:
        """Count a repair, an allowance, a refusal or a doubt; numbers and references in it are left out."""
        key = (station_id, OWN_WORDS.sub("…", what)[:LONGEST_KIND_COUNT])
        if key in self._counts or len(self._counts) < CAPACITY_COUNT:
            self._counts[key] += count

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write every ten seconds while the context lasts, and what is left at its end."""
        writer = asyncio.create_task(self._run())
        try:
            yield
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WRITE_S):
                    await self.write()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Add what was counted to the database; keep it for the next time where that fails."""
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        try:
            async with self._transactions() as tx:
                await repairs.record(tx, counts)
        except DatabaseUnavailable:
            self._counts.update(counts)
        except Exception as broken:
            log.error("repairs_failed", error=type(broken).__name__, exc_info=True)
