"""The business loops of one site: planning (on changes, at least every 5 minutes) and limits (the real-time loop).

Planning follows a ring in a moment where it was quiet. The limit loop runs on every reading of the site's meters and
answer of a station, at most every 3 seconds; on every plan, at most every second; and when its last cycle asked for
it: a lease is to be renewed, headroom comes free, a reading would be stale. What may be sent is the ledger's to say,
however often it is asked.

Both are level-triggered: they reread the database, so that restarting one is always safe and a lost ring only costs
latency.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from app.bus import Bus, Subscription
from app.bus.subjects import site_changed, site_limits
from app.operations import bookings, leadership, limits, planning
from app.operations.planning import Planner, in_thread
from app.operations.transaction import Transactions
from app.runtime.every_site import for_every_site
from app.runtime.supervise import Health, supervise

REPLAN_AT_LEAST = timedelta(minutes=5)
MOMENT = timedelta(milliseconds=100)  # what a station says at one go
PATIENCE = timedelta(seconds=1)  # between two plans, at least; and for rings that belong together
BETWEEN_CYCLES = timedelta(seconds=3)  # of the limit loop without a new plan, at least: a meter may tell every second
MOST_AT_ONCE_COUNT = 4  # of the database's connections: the rest is for the stations and the API
BOOKING_SWEEP = timedelta(minutes=5)
STAND_BY_S = 2.0

WentWell = Callable[[], None]


def next_plan_at(rung_at: datetime, began_at: datetime) -> datetime:
    """Return when to plan after a ring: in a moment where the last plan is a second old, else when it is."""
    return max(rung_at + MOMENT, began_at + PATIENCE)


def next_cycle_at(rung_at: datetime, began_at: datetime, *, is_planned: bool) -> datetime:
    """Return when to run the next cycle of the limit loop after a ring.

    A new plan is carried out at once, though never two within a second; other rings are collected for a second, and
    come to nothing within three of the last cycle.
    """
    if is_planned:
        return max(rung_at, began_at + PATIENCE)
    return max(rung_at + PATIENCE, began_at + BETWEEN_CYCLES)


class SiteLoops:
    """Starts the loops of every site there is, and of those that are added while it runs.

    They work at sites that this `house` leads (rule R9), and stand by at the others: they look every `stand_by_s` (real
    time, as all of leadership) whether the lead can be had.
    """

    def __init__(
        self,
        transactions: Transactions,
        bus: Bus,
        health: Health,
        house: str,
        stand_by_s: float = STAND_BY_S,
        planner: Planner = in_thread,
    ) -> None:
        self._planner = planner
        self._transactions = transactions
        self._house = house
        self._stand_by_s = stand_by_s
        self._bus = bus
        self._health = health
        self._planned: set[str] = set()  # sites with a plan that the limit loop has not looked at
        self._turns = asyncio.Semaphore(MOST_AT_ONCE_COUNT)

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(supervise("bookings", self._sweep_bookings, self._health))
            await for_every_site(
                "sites",
                self._transactions,
                self._bus,
                self._health,
                lambda site_id: self._start(group, site_id),
                REPLAN_AT_LEAST,
            )

    def _start(self, group: asyncio.TaskGroup, site_id: str) -> None:
        async def plans(went_well: WentWell) -> None:
            await self._plan(site_id, went_well)

        async def limit_orders(went_well: WentWell) -> None:
            await self._limit(site_id, went_well)

        group.create_task(supervise(f"planning {site_id}", plans, self._health))
        group.create_task(supervise(f"limits {site_id}", limit_orders, self._health))

    async def _plan(self, site_id: str, went_well: WentWell) -> None:
        clock = self._transactions.clock
        with self._bus.listen(site_changed(site_id)) as bell:
            while True:
                began_at = clock.now()
                async with self._turns, self._transactions() as tx:
                    leads = await leadership.lead(tx, site_id, self._house) is not None
                    if leads:
                        await planning.replan_site(tx, site_id, self._planner)
                        self._planned.add(site_id)
                went_well()
                if not leads:
                    await asyncio.sleep(self._stand_by_s)
                elif await bell.next(clock.now() + REPLAN_AT_LEAST):
                    until_at = next_plan_at(clock.now(), began_at)
                    while clock.now() < until_at:
                        await bell.next(until_at)

    async def _limit(self, site_id: str, went_well: WentWell) -> None:
        with self._bus.listen(site_limits(site_id)) as bell:
            while True:
                began_at = self._transactions.clock.now()
                self._planned.discard(site_id)
                async with self._turns, self._transactions() as tx:
                    term = await leadership.lead(tx, site_id, self._house)
                    wake_at = None if term is None else await limits.allocate_site(tx, site_id, term)
                went_well()
                if wake_at is None:
                    await asyncio.sleep(self._stand_by_s)
                elif await bell.next(wake_at):
                    await self._collect(bell, site_id, began_at)

    async def _collect(self, bell: Subscription, site_id: str, began_at: datetime) -> None:
        """Wait until the next cycle of the limit loop is due; a plan that comes meanwhile brings it forward."""
        clock = self._transactions.clock
        rung_at = clock.now()
        while True:
            until_at = next_cycle_at(rung_at, began_at, is_planned=site_id in self._planned)
            if clock.now() >= until_at:
                return
            await bell.next(until_at)

    async def _sweep_bookings(self, went_well: WentWell) -> None:
        clock = self._transactions.clock
        while True:
            async with self._transactions() as tx:
                await bookings.expire(tx)
            went_well()
            await clock.sleep_until(clock.now() + BOOKING_SWEEP)
