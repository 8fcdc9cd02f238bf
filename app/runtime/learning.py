"""The loop of every site that learns how cars stay: after stays have ended, every night, and when one is forgotten.

Business time. All sites share one thread, so that the stations keep the rest of the machine. What is learnt lies in the
database: a restarted process, and another one that stands by, find it there.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from app.bus import Bus
from app.bus.subjects import site_changed, site_stays
from app.operations import learning, outlooks, stays
from app.operations.transaction import Transactions
from app.runtime.every_site import for_every_site
from app.runtime.supervise import Health, supervise

log = structlog.get_logger()

LOOK_AT_LEAST = timedelta(minutes=15)
PATIENCE = timedelta(seconds=5)

WentWell = Callable[[], None]


class StayLoops:
    """Runs the loop of every site there is, and of those that are added."""

    def __init__(self, transactions: Transactions, bus: Bus, health: Health) -> None:
        self._transactions = transactions
        self._bus = bus
        self._health = health
        self._learning = asyncio.Semaphore(1)

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            await for_every_site(
                "stays",
                self._transactions,
                self._bus,
                self._health,
                lambda site_id: self._start(group, site_id),
                LOOK_AT_LEAST,
            )

    def _start(self, group: asyncio.TaskGroup, site_id: str) -> None:
        async def learns(went_well: WentWell) -> None:
            await self._learn(site_id, went_well)

        group.create_task(supervise(f"stays {site_id}", learns, self._health))

    async def _learn(self, site_id: str, went_well: WentWell) -> None:
        clock = self._transactions.clock
        await self._take_in(site_id)
        with self._bus.listen(site_stays(site_id)) as bell:
            while True:
                async with self._learning:
                    await self._learn_once(site_id)
                went_well()
                if await bell.next(clock.now() + LOOK_AT_LEAST):
                    until_at = clock.now() + PATIENCE
                    while clock.now() < until_at:
                        await bell.next(until_at)

    async def _take_in(self, site_id: str) -> None:
        """Write the stays that ended before there was a place for them, page by page."""
        is_more = True
        while is_more:
            async with self._transactions() as tx:
                is_more = await stays.take_in_missing(tx, site_id)

    async def _learn_once(self, site_id: str) -> None:
        async with self._transactions() as tx:
            lesson = await learning.look(tx, site_id)
            outlooks.let_go(site_id, await learning.at_hand(tx, site_id))
        if lesson is None:
            return
        learnt = await asyncio.to_thread(learning.told, lesson)
        async with self._transactions() as tx:
            is_kept = await learning.keep(tx, lesson, learnt)
            tx.ring(site_changed(site_id) if is_kept else site_stays(site_id))
        if is_kept and learnt is not None:
            log.info("stays_learnt", site_id=site_id, stays_count=learnt.stays.stays_count)
