"""Wall-clock jobs (APScheduler as an alarm clock): nightly housekeeping. Nothing reactive is a job."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.operations import housekeeping
from app.operations.transaction import Transactions

log = structlog.get_logger()


@contextmanager
def timers(transactions: Transactions, keep: timedelta) -> Iterator[AsyncIOScheduler]:
    """Run the wall-clock jobs while the context lasts."""

    async def housekeep() -> None:
        async with transactions() as tx:
            pruned = await housekeeping.prune(tx, keep)
        log.info("housekeeping", **pruned)

    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_job(housekeep, "cron", hour=17, minute=40, id="housekeeping")
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)
