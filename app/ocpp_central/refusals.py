"""Refused handshakes, written down after they were answered: an answer's time tells nothing about identities."""

import asyncio
from collections import Counter

import structlog

from app.domain.errors import DatabaseUnavailable
from app.operations import admission
from app.operations.transaction import Transactions

log = structlog.get_logger()

MOST_WAITING_COUNT = 1000


class Refusals:
    """Counts what is to be noted; the same again costs nothing, and what does not fit is only counted."""

    def __init__(self, transactions: Transactions, counts: Counter[str]) -> None:
        self._transactions = transactions
        self._counts = counts
        self._waiting: dict[tuple[str, str, str], int] = {}
        self._bell = asyncio.Event()

    def note(self, identity: str, reason: str, address: str) -> None:
        """Have a refusal written down."""
        key = (identity, reason, address)
        if key not in self._waiting and len(self._waiting) >= MOST_WAITING_COUNT:
            self._counts["refusal_not_noted"] += 1
            return
        self._waiting[key] = self._waiting.get(key, 0) + 1
        self._bell.set()

    async def run(self) -> None:
        """Write until cancelled; never ends by itself."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            await self.write()

    async def write(self) -> None:
        """Write down what waits. Without a database it is lost: these notes are worth less than its recovery."""
        waiting, self._waiting = self._waiting, {}
        try:
            async with self._transactions() as tx:
                for (identity, reason, address), count in sorted(waiting.items()):
                    await admission.note_refusal(tx, identity, reason, address, count)
        except asyncio.CancelledError:
            self._waiting = waiting | self._waiting  # for the last write, when we are closing
            raise
        except DatabaseUnavailable:
            self._counts["refusal_not_noted"] += len(waiting)
        except Exception as broken:  # noqa: BLE001 - an odd identity must not stop the writer
            log.error("refusals_failed", error=type(broken).__name__)
