"""Group commit of how sessions go on: what stations sent while the last commit ran shares the next one. No timer."""

import asyncio
from collections.abc import Sequence

import structlog

from app.domain.errors import DatabaseUnavailable
from app.operations import metering
from app.operations.metering import Running
from app.operations.transaction import Transactions

log = structlog.get_logger()

MOST_TOGETHER_COUNT = 1000
CAPACITY_COUNT = 5000
PATIENCE_S = 90.0

Doubts = tuple[str, ...]
Waiting = tuple[str, Sequence[Running], "asyncio.Future[Doubts | None]"]


class MeterBatch:
    """The writer. When its queue is full, stations wait: that is the back-pressure."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(CAPACITY_COUNT)

    async def record(self, station_id: str, facts: Sequence[Running]) -> Doubts | None:
        """Return once the facts are committed, with what of them is not believed.

        None: they cannot be recorded with others, so none of them is.

        Raises DatabaseUnavailable, or what the operation raises.
        """
        done: asyncio.Future[Doubts | None] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._queue.put((station_id, facts, done))
                return await done
        except TimeoutError:
            raise DatabaseUnavailable("meter values could not be committed in time") from None

    async def run(self) -> None:
        """Commit until cancelled; never ends by itself."""
        while True:
            together = [await self._queue.get()]
            count = len(together[0][1])
            while count < MOST_TOGETHER_COUNT and not self._queue.empty():
                together.append(self._queue.get_nowait())
                count += len(together[-1][1])
            await self._commit(together)

    async def _commit(self, together: Sequence[Waiting]) -> None:
        try:
            async with self._transactions() as tx:
                taken = await metering.record_together(tx, [(station_id, facts) for station_id, facts, _ in together])
        except DatabaseUnavailable as unavailable:
            for waiting in together:
                _fail(waiting, unavailable)
        except Exception as broken:  # noqa: BLE001 - one station's odd values must not stop the writer
            await self._commit_singly(together, broken)
        else:
            for (_, _, done), doubts in zip(together, taken, strict=True):
                if not done.done():
                    done.set_result(doubts)

    async def _commit_singly(self, together: Sequence[Waiting], broken: Exception) -> None:
        if len(together) == 1:
            log.error("meter_values_failed", station_id=together[0][0], error=type(broken).__name__)
            _fail(together[0], broken)
            return
        for waiting in together:
            await self._commit([waiting])


def _fail(waiting: Waiting, broken: Exception) -> None:
    if not waiting[2].done():
        waiting[2].set_exception(broken)
