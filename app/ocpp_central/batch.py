"""Group commit: what stations bring while the last transaction ran shares the next one. No timer.

So are recorded how sessions go on and who connects, and so are read handshakes and what is due at stations: thousands
of stations that come back at once cost a few dozen transactions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

from app.domain.errors import DatabaseUnavailable
from app.operations import metering
from app.operations.metering import Running
from app.operations.transaction import Transactions, Tx

log = structlog.get_logger()

CAPACITY_COUNT = 5000
PATIENCE_S = 90.0

Doubts = tuple[str, ...]
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Asked, Answer]):
    """The writer of one kind. When its queue is full, stations wait: that is the back-pressure.

    `work` answers what was asked, in its order, within one transaction. `weigh` says how much of `most_count` one
    question takes. What nobody waits for any more (a station that has hung up) is left out.
    """

    def __init__(
        self,
        name: str,
        transactions: Transactions,
        work: Callable[[Tx, Sequence[Asked]], Awaitable[Sequence[Answer]]],
        *,
        most_count: int,
        weigh: Callable[[Asked], int] = lambda _: 1,
    ) -> None:
        self._name = name
        self._transactions = transactions
        self._work = work
        self._most_count = most_count
        self._weigh = weigh
        self._queue: asyncio.Queue[tuple[Asked, asyncio.Future[Answer]]] = asyncio.Queue(CAPACITY_COUNT)

    async def ask(self, asked: Asked) -> Answer:
        """Return the answer once it is committed; raises DatabaseUnavailable, or what the work raises."""
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        try:
            with self._transactions.clock.hold():
                async with asyncio.timeout(PATIENCE_S):
                    await self._queue.put((asked, done))
                    return await done
        except TimeoutError:
            raise DatabaseUnavailable(f"no turn in time: {self._name}") from None

    async def run(self) -> None:
        """Commit until cancelled; never ends by itself."""
        while True:
            together = [await self._queue.get()]
            count = self._weigh(together[0][0])
            while count < self._most_count and not self._queue.empty():
                together.append(self._queue.get_nowait())
                count += self._weigh(together[-1][0])
            await self._commit([each for each in together if not each[1].done()])

    async def _commit(self, together: Sequence[tuple[Asked, "asyncio.Future[Answer]"]]) -> None:
        if not together:
            return
        try:
            async with self._transactions() as tx:
                answers = await self._work(tx, [asked for asked, _ in together])
        except DatabaseUnavailable as unavailable:
            for _, done in together:
                _fail(done, unavailable)
        except Exception as broken:  # noqa: BLE001 - what one station brings must not stop the writer
            await self._commit_singly(together, broken)
        else:
            for (_, done), answer in zip(together, answers, strict=True):
                if not done.done():
                    done.set_result(answer)

    async def _commit_singly(
        self, together: Sequence[tuple[Asked, "asyncio.Future[Answer]"]], broken: Exception
    ) -> None:
        if len(together) == 1:
            log.error("group_commit_failed", what=self._name, error=type(broken).__name__)
            _fail(together[0][1], broken)
            return
        for waiting in together:
            await self._commit([waiting])


class MeterBatch:
    """Group commit of how sessions go on."""

    def __init__(self, transactions: Transactions) -> None:
        self._commits = GroupCommit(
            "meter values", transactions, metering.record_together, most_count=1000, weigh=lambda call: len(call[1])
        )

    async def record(self, station_id: str, facts: Sequence[Running]) -> Doubts | None:
        """Return once the facts are committed, with what of them is not believed.

        None: they cannot be recorded with others, so none of them is.

        Raises DatabaseUnavailable, or what the operation raises.
        """
        return await self._commits.ask((station_id, facts))

    async def run(self) -> None:
        """Commit until cancelled; never ends by itself."""
        await self._commits.run()


def _fail(done: "asyncio.Future[Answer]", broken: Exception) -> None:
    if not done.done():
        done.set_exception(broken)
