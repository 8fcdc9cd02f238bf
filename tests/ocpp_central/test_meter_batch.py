import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from rows import MORNING
from sqlalchemy import select

from app.domain.errors import DatabaseUnavailable
from app.domain.facts import Metered, Sample
from app.ocpp_central.batch import GroupCommit, MeterBatch
from app.store.session import MeterValueRow

pytestmark = pytest.mark.database


def metered(register_wh, minutes=0):
    at = MORNING + timedelta(minutes=minutes)
    sample = Sample("Energy.Active.Import.Register", register_wh, "Wh")
    return Metered(1, at, at, None, register_wh, None, (sample,))


class Counted:
    """Transactions that are counted, and that wait for a gate before they commit."""

    def __init__(self, transactions):
        self._transactions = transactions
        self.clock = transactions.clock
        self.gate = asyncio.Event()
        self.count = 0

    @asynccontextmanager
    async def __call__(self):
        self.count += 1
        async with self._transactions() as tx:
            yield tx
            await self.gate.wait()


@asynccontextmanager
async def running(batch):
    task = asyncio.create_task(batch.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def values(transactions):
    async with transactions() as tx:
        return sorted(await tx.session.scalars(select(MeterValueRow.value)))


async def test_what_comes_while_a_commit_runs_shares_the_next_one_and_nobody_is_answered_before(park, transactions):
    counted = Counted(transactions)
    batch = MeterBatch(counted)
    async with running(batch):
        waiting = [asyncio.create_task(batch.record("cp16", [metered(0.0)]))]
        await asyncio.sleep(0.05)
        waiting += [asyncio.create_task(batch.record("cp16", [metered(float(each), each)])) for each in range(1, 20)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        counted.gate.set()
        async with asyncio.timeout(5):
            await asyncio.gather(*waiting)
    assert counted.count == 2
    assert await values(transactions) == [float(each) for each in range(20)]


async def test_without_a_database_everybody_hears_of_it_and_the_writer_goes_on(park, transactions):
    batch = MeterBatch(transactions)
    async with running(batch):
        transactions.is_down = True
        with pytest.raises(DatabaseUnavailable):
            await batch.record("cp16", [metered(1.0)])
        transactions.is_down = False
        await batch.record("cp16", [metered(2.0)])
    assert await values(transactions) == [2.0]


async def test_one_stations_broken_values_do_not_spoil_the_others(park, transactions):
    counted = Counted(transactions)
    batch = MeterBatch(counted)
    async with running(batch):
        first = asyncio.create_task(batch.record("cp16", [metered(1.0)]))
        await asyncio.sleep(0.05)
        bad = asyncio.create_task(batch.record("cp16", [object()]))
        good = asyncio.create_task(batch.record("cp201", [metered(2.0)]))
        counted.gate.set()
        async with asyncio.timeout(5):
            found = await asyncio.gather(first, bad, good, return_exceptions=True)
    assert found[0] == ()
    assert isinstance(found[1], AttributeError)
    assert found[2] == ()
    assert await values(transactions) == [1.0, 2.0]


async def test_a_station_that_has_hung_up_takes_no_turn(park, transactions):
    counted = Counted(transactions)
    asked = []

    async def work(tx, questions):
        asked.extend(questions)
        return questions

    batch = GroupCommit("questions", counted, work, most_count=10)
    async with running(batch):
        first = asyncio.create_task(batch.ask("first"))
        await asyncio.sleep(0.05)
        gone, last = asyncio.create_task(batch.ask("gone")), asyncio.create_task(batch.ask("last"))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        counted.gate.set()
        async with asyncio.timeout(5):
            assert await asyncio.gather(first, last) == ["first", "last"]
    assert asked == ["first", "last"]
