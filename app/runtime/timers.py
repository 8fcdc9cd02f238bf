"""Wall-clock jobs (APScheduler as an alarm clock): housekeeping, our own certificates. Nothing reactive is a job."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.operations import housekeeping
from app.operations.transaction import Transactions

log = structlog.get_logger()


@contextmanager
def timers(
    transactions: Transactions, keep: timedelta, renew_tls: Callable[[datetime], object]
) -> Iterator[AsyncIOScheduler]:
    """Run the wall-clock jobs while the context lasts; `renew_tls` renews our own chains where they end soon."""

    async def housekeep() -> None:
        async with transactions() as tx:
            pruned = await housekeeping.prune(tx, keep)
        log.info("housekeeping", **pruned)

    async def renew() -> None:
        await asyncio.to_thread(renew_tls, transactions.clock.now())

    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_job(housekeep, "cron", hour=17, minute=40, id="housekeeping")
    scheduler.add_job(renew, "cron", hour=17, minute=50, id="renew_tls")
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)
