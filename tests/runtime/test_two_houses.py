"""Two houses on one database (rule R9): one works, the other stands by and takes over; nothing is ordered twice."""

import asyncio
from datetime import timedelta

import pytest
from rows import add_driver, add_site, add_station
from sqlalchemy import func, select, update

from app.bus.local import LocalBus
from app.bus.subjects import site_limits
from app.domain.commands import Accepted
from app.domain.errors import Fenced
from app.domain.facts import SessionStarted
from app.operations import limits
from app.operations.station_facts import record_facts
from app.operations.transaction import Transactions
from app.runtime.loops import SiteLoops
from app.runtime.presence import Presence
from app.runtime.supervise import Health
from app.store.electrical import SiteLeaderRow
from app.store.plan import LimitRow

pytestmark = pytest.mark.database

PATIENCE_S = 20
STAND_BY_S = 0.05


class Runner:
    """The part of a house that plans and allocates: its presence, its bus and its loops."""

    def __init__(self, engine, clock, url):
        self.health = Health()
        self.bus = LocalBus(clock)
        self.transactions = Transactions(engine, self.bus, clock)
        self.presence = Presence(url)
        self._tasks = []

    async def start(self):
        self._tasks.append(asyncio.create_task(self.presence.keep(lambda: None)))
        await self.presence.began()
        self.run()

    def run(self):
        site_loops = SiteLoops(self.transactions, self.bus, self.health, self.presence.house, STAND_BY_S)
        self._tasks.append(asyncio.create_task(site_loops.run()))

    async def kill(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def freeze(self):
        """Its loops stand still; its connections stay."""
        loop_task = self._tasks.pop()
        loop_task.cancel()
        await asyncio.gather(loop_task, return_exceptions=True)


@pytest.fixture
async def site(transactions):
    async with transactions() as tx:
        await add_site(tx)
        await add_driver(tx)
        await add_station(tx)
        await record_facts(tx, "cp1", [SessionStarted(1, tx.now, tx.now, "tx-1", "CARD-1", 0.0, "start")])


@pytest.fixture
async def houses(engine, clock, database_url):
    made = [Runner(engine, clock, database_url) for _ in range(2)]
    yield made
    for each in made:
        await each.kill()


async def holder(transactions):
    async with transactions() as tx:
        row = (await tx.session.execute(select(SiteLeaderRow.holder, SiteLeaderRow.term))).first()
        return (None, 0) if row is None else tuple(row)


async def until(check, clock):
    """Look until it is so; business time passes meanwhile, for the loops collect rings for a second of it."""
    async with asyncio.timeout(PATIENCE_S):
        while not await check():
            await asyncio.sleep(0.02)
            clock.advance(seconds=0.2)


async def leads(transactions, runner, clock):
    async def check():
        return (await holder(transactions))[0] == runner.presence.house

    await until(check, clock)


async def written(transactions):
    async with transactions() as tx:
        return list(await tx.session.scalars(select(LimitRow).order_by(LimitRow.order_no)))


async def terms(transactions):
    return [row.term for row in await written(transactions)]


async def is_written(transactions, expected):
    return await terms(transactions) == expected


def ring(*houses):
    """Every bell of the site: whoever leads looks again."""
    for each in houses:
        each.bus.ring(site_limits("north"))


async def accept(house):
    """Take what is ordered and accept it, as the station's own session does."""
    async with house.transactions() as tx:
        for order in await limits.take_orders(tx, "cp1"):
            await limits.record_outcome(tx, order.order_no, Accepted())


async def several_looks(clock):
    for _ in range(10):
        await asyncio.sleep(STAND_BY_S)
        clock.advance(seconds=0.2)


async def test_one_house_works_and_the_other_stands_by_and_nothing_is_ordered_twice(site, houses, transactions, clock):
    one, two = houses
    await one.start()
    await leads(transactions, one, clock)
    await two.start()
    await until(lambda: is_written(transactions, [1]), clock)
    ring(one, two)
    await several_looks(clock)
    assert await terms(transactions) == [1]
    assert await holder(transactions) == (one.presence.house, 1)
    assert one.health.problems() == two.health.problems() == []


async def test_a_killed_house_is_followed_at_once_and_its_books_go_on(site, houses, transactions, clock):
    one, two = houses
    await one.start()
    await until(lambda: is_written(transactions, [1]), clock)
    await two.start()
    await accept(one)
    await one.kill()
    await leads(transactions, two, clock)
    await several_looks(clock)
    assert await terms(transactions) == [1]  # what is in force is known, and not sent again
    clock.advance(minutes=4)
    await until(lambda: is_written(transactions, [1, 2]), clock)
    await several_looks(clock)
    renewed = (await written(transactions))[-1]
    assert (renewed.reason, renewed.power_w, await terms(transactions)) == ("renew", 0.0, [1, 2])


async def test_a_frozen_house_is_followed_at_its_leases_end_and_finds_itself_fenced(site, houses, transactions, clock):
    one, two = houses
    await one.start()
    await until(lambda: is_written(transactions, [1]), clock)
    await two.start()
    await accept(one)
    await one.freeze()
    await several_looks(clock)
    assert await holder(transactions) == (one.presence.house, 1)
    async with transactions() as tx:  # its lease is over
        await tx.session.execute(update(SiteLeaderRow).values(ends_at=func.now() - timedelta(seconds=1)))
    await leads(transactions, two, clock)
    clock.advance(minutes=4)
    await until(lambda: is_written(transactions, [1, 2]), clock)
    (decided,) = [each for each in await written(transactions) if each.term == 1]
    with pytest.raises(Fenced):  # what it decides before it knows
        await write_again(one, decided)
    one.run()
    clock.advance(minutes=4)
    await accept(two)
    ring(one, two)
    await several_looks(clock)
    assert await holder(transactions) == (two.presence.house, 2)
    assert set(await terms(transactions)) == {1, 2}
    assert (await terms(transactions)).count(1) == 1


async def write_again(house, row):
    async with house.transactions() as tx:
        tx.session.add(
            LimitRow(
                evse_id=row.evse_id,
                session_id=row.session_id,
                power_w=row.power_w,
                reason="raise",
                intended_at=tx.now,
                ends_at=tx.now + timedelta(minutes=10),
                term=row.term,
            )
        )
