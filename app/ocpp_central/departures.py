"""Connections that are over, written down; where the database is gone, as soon as it is back.

Without that a station that does not come back after an outage would count as connected for ever.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

import structlog

from app.domain.errors import DatabaseUnavailable
from app.operations import admission, limits
from app.operations.transaction import Transactions

log = structlog.get_logger()

RETRY_S = 5.0
MOST_WAITING_COUNT = 20_000


@dataclass(frozen=True, slots=True)
class Departure:
    """A connection that is over, and the orders whose outcome nobody will hear of any more (rule R5)."""

    station_id: str
    connection_id: str
    unsettled: Collection[int] = field(default=())


class Departures:
    """What could not be written yet is kept, bounded: the oldest goes first, and a restart knows that nobody is up."""

    def __init__(self, transactions: Transactions, retry_s: float = RETRY_S) -> None:
        self._transactions = transactions
        self._retry_s = retry_s
        self._waiting: dict[str, Departure] = {}
        self._bell = asyncio.Event()

    async def record(self, departure: Departure) -> None:
        """Write a departure down, now or later."""
        if await self._write(departure):
            return
        log.warning("disconnect_not_recorded", station_id=departure.station_id)
        self._waiting[departure.connection_id] = departure
        while len(self._waiting) > MOST_WAITING_COUNT:
            del self._waiting[next(iter(self._waiting))]
        self._bell.set()

    async def run(self) -> None:
        """Write what waits until cancelled; never ends by itself."""
        while True:
            await self._bell.wait()
            await asyncio.sleep(self._retry_s)
            for departure in tuple(self._waiting.values()):
                if not await self._write(departure):
                    break
                self._waiting.pop(departure.connection_id, None)
            if not self._waiting:
                self._bell.clear()

    async def _write(self, departure: Departure) -> bool:
        """Forget the connection unless a newer one took its place; return whether the database was there."""
        try:
            async with self._transactions() as tx:
                for order_no in sorted(departure.unsettled):
                    await limits.record_outcome(tx, order_no, None)
                await admission.move(tx, [admission.Departure(departure.station_id, departure.connection_id)])
        except DatabaseUnavailable:
            return False
        return True
