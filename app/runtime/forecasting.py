"""The forecast loop of every site: fetches what is due, then issues a forecast of our own where it is wanted.

Business time, every quarter of an hour, a little after it, so that the readings of the last slot are there. Sites fail
by themselves; all of them share one thread for learning, so that the stations keep the rest of the machine.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import httpx
import structlog

from app.bus import Bus
from app.domain.intervals import PLAN_SLOT, floor_slot
from app.operations import forecast_feeds, forecasting
from app.operations.forecasting import History
from app.operations.transaction import Transactions
from app.runtime.every_site import for_every_site
from app.runtime.supervise import Health, supervise
from app.scheduling.forecasting.learner import LearntSun
from app.sources.fetching import client

log = structlog.get_logger()

SETTLE = timedelta(seconds=20)
LOOK_AT_LEAST = timedelta(minutes=5)

WentWell = Callable[[], None]


class ForecastLoops:
    """Runs the loop of every site there is, and of those that are added; `web` fetches (None: one of its own)."""

    def __init__(
        self, transactions: Transactions, bus: Bus, health: Health, web: httpx.AsyncClient | None = None
    ) -> None:
        self._transactions = transactions
        self._bus = bus
        self._health = health
        self._web = web
        self._learning = asyncio.Semaphore(1)

    async def run(self) -> None:
        """Run until cancelled."""
        async with self._web or client() as web, asyncio.TaskGroup() as group:
            await for_every_site(
                "forecasts",
                self._transactions,
                self._bus,
                self._health,
                lambda site_id: self._start(group, web, site_id),
                LOOK_AT_LEAST,
            )

    def _start(self, group: asyncio.TaskGroup, web: httpx.AsyncClient, site_id: str) -> None:
        async def forecasts(went_well: WentWell) -> None:
            await self._forecast(web, site_id, went_well)

        group.create_task(supervise(f"forecasts {site_id}", forecasts, self._health))

    async def _forecast(self, web: httpx.AsyncClient, site_id: str, went_well: WentWell) -> None:
        clock = self._transactions.clock
        history: History | None = None
        learnt: LearntSun | None = None
        while True:
            await forecast_feeds.fetch_due(self._transactions, web, site_id)
            async with self._learning:
                history, learnt = await self._issue(site_id, history, learnt)
            went_well()
            await clock.sleep_until(floor_slot(clock.now()) + PLAN_SLOT + SETTLE)

    async def _issue(
        self, site_id: str, history: History | None, learnt: LearntSun | None
    ) -> tuple[History, LearntSun | None]:
        """Issue a forecast where it is wanted; return what the next one starts from."""
        async with self._transactions() as tx:
            question = await forecasting.look(tx, site_id, history)
        if not question.is_wanted:
            return question.history, learnt
        answer, learnt = await asyncio.to_thread(forecasting.told, question, learnt)
        if answer is not None:
            async with self._transactions() as tx:
                row = await forecasting.issue(tx, question, answer)
            if row is not None:
                log.info("forecast_issued", site_id=site_id, method=row.method)
        return question.history, learnt
