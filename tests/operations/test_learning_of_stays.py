import asyncio
from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from rows import MORNING, add_driver, add_site, add_station
from sqlalchemy import select, update

from app.domain.booking import EnergyWish
from app.domain.facts import SessionStarted
from app.operations import habits, intents, learning, planning, plans, records, stays
from app.operations.station_facts import record_facts
from app.runtime.learning import StayLoops
from app.runtime.supervise import Health
from app.store.session import SessionRow
from app.store.site import SiteRow
from app.store.stay_queries import LearntNote
from app.store.stays import LearntStaysRow, PastStayRow

pytestmark = pytest.mark.database

DAY = timedelta(days=1)


@pytest.fixture
async def driver_id(transactions):
    """A driver who said 17:00 UTC and 12 kWh on each of twelve days, stayed from 7:00 to 9:00 and took 5 kWh."""
    async with transactions() as tx:
        await add_site(tx)
        (evse_id,) = await add_station(tx)
        driver_id = await add_driver(tx)
        for day in range(1, 13):
            arrived_at = MORNING - day * DAY
            tx.session.add(
                SessionRow(
                    session_id=uuid4(),
                    site_id="north",
                    station_id="cp1",
                    evse_id=evse_id,
                    station_ref=f"past-{day}",
                    start_key=f"past-{day}",
                    driver_id=driver_id,
                    started_at=arrived_at,
                    ended_at=arrived_at + timedelta(hours=2),
                    delivered_wh=5_000.0,
                    departs_at=arrived_at + timedelta(hours=10),
                    need_wh=12_000.0,
                    intent_source="driver",
                )
            )
        await tx.session.flush()
        assert await stays.take_in_missing(tx, "north")
    return driver_id


@pytest.fixture
def look(transactions):
    async def look():
        async with transactions() as tx:
            return await learning.look(tx, "north")

    return look


@pytest.fixture
def keep(transactions):
    async def keep(lesson):
        learnt = learning.told(lesson)
        async with transactions() as tx:
            return await learning.keep(tx, lesson, learnt)

    return keep


async def read(transactions):
    async with transactions() as tx:
        return await learning.at_hand(tx, "north")


async def test_what_is_learnt_is_stored_at_hand_and_not_learnt_again_until_something_is_due(
    driver_id, transactions, look, keep, clock
):
    assert await read(transactions) is None
    lesson = await look()
    assert (len(lesson.rows), lesson.instead_of) == (12, None)
    assert await keep(lesson)
    learnt = await read(transactions)
    assert learnt.stays_count == 12
    assert await read(transactions) is learnt, "it is read once"
    assert await look() is None
    clock.advance(hours=24)
    assert await look() is not None


async def test_a_site_without_stays_learns_nothing(transactions, look):
    async with transactions() as tx:
        await add_site(tx)
    assert await look() is None


def test_it_is_due_after_a_night_of_the_site_and_when_there_are_as_many_stays_again():
    tokyo = ZoneInfo("Asia/Tokyo")
    note = LearntNote(uuid4(), MORNING, "any", 100)  # 16:00 in Tokyo
    assert not learning.is_due(note, 99, tokyo, MORNING + timedelta(hours=10, minutes=59))
    assert learning.is_due(note, 0, tokyo, MORNING + timedelta(hours=11))
    assert learning.is_due(note, 100, tokyo, MORNING)
    assert not learning.is_due(LearntNote(uuid4(), MORNING, "any", 2), 9, tokyo, MORNING)


@pytest.mark.parametrize("change", [{"body": b"dust"}, {"method": "older"}])
async def test_what_cannot_be_read_is_ignored_and_learnt_anew(driver_id, transactions, look, keep, change):
    await keep(await look())
    async with transactions() as tx:
        await tx.session.execute(update(LearntStaysRow).values(learnt_id=uuid4(), **change))
    assert await read(transactions) is None
    assert await keep(await look())
    assert await read(transactions) is not None


async def test_who_is_forgotten_while_it_is_learnt_is_not_learnt(driver_id, transactions, look, keep):
    lesson = await look()
    async with transactions() as tx:
        await habits.forget(tx, driver_id)
    assert not await keep(lesson)
    assert await read(transactions) is None
    assert await look() is None, "there are no other stays"


async def test_who_is_forgotten_is_in_no_row_and_not_at_hand(driver_id, transactions, look, keep):
    await keep(await look())
    assert str(driver_id) in (await read(transactions)).drivers
    async with transactions() as tx:
        await habits.forget(tx, driver_id)
    assert await read(transactions) is None
    async with transactions() as tx:
        assert (await tx.session.scalars(select(LearntStaysRow.body))).all() == [b""]
        assert (await tx.session.scalars(select(PastStayRow))).all() == []
    assert "north" not in learning._AT_HAND


async def test_when_all_stays_are_too_old_nothing_is_known(driver_id, transactions, look, keep, clock):
    await keep(await look())
    clock.advance(days=500)
    assert await keep(await look())
    assert await read(transactions) is None
    assert await look() is None


@pytest.fixture
def come(transactions):
    async def come():
        """Let the driver plug in without a word."""
        async with transactions() as tx:
            await record_facts(tx, "cp1", [SessionStarted(1, tx.now, tx.now, "tx-1", "CARD-1", 0.0, "start")])

    return come


@pytest.fixture
def replan(transactions):
    async def replan():
        """Plan; return the session, and its demand as the plan's record has it."""
        async with transactions() as tx:
            await planning.replan_site(tx, "north")
        async with transactions() as tx:
            row = await tx.session.scalar(select(SessionRow).where(SessionRow.ended_at.is_(None)))
            kept = await plans.record(tx, (await plans.newest(tx, "north")).plan_id)
            demands = records.read_snapshot_json(kept.inputs).demands
            return row, demands[0] if demands else None

    return replan


async def test_nothing_learnt_leaves_a_silent_car_with_the_site_s_default_and_no_outlook(driver_id, come, replan):
    await come()
    row, demand = await replan()
    assert (row.intent_source, row.need_wh, demand.outlook) == ("assumed", 12_000.0, None)


async def test_a_silent_car_wants_what_is_usual_until_its_driver_speaks(
    driver_id, transactions, look, keep, come, replan
):
    await keep(await look())
    await come()
    row, demand = await replan()
    assert row.intent_source == "learnt"
    assert "12" in row.intent_basis
    assert timedelta(hours=1) <= row.departs_at - MORNING <= timedelta(hours=4)
    assert 4_000.0 <= row.need_wh <= 6_000.0
    assert (demand.departs_at, demand.need_wh, demand.source) == (row.departs_at, row.need_wh, "learnt")
    async with transactions() as tx:
        said_at = MORNING + timedelta(hours=10)
        await intents.put(tx, row.session_id, departs_at=said_at, wish=EnergyWish(need_wh=12_000.0))
    row, demand = await replan()
    assert (row.intent_source, row.departs_at, row.need_wh) == ("driver", said_at, 12_000.0)
    shares = demand.outlook.stays_share
    assert len(shares) == 40, "up to the departure"
    assert list(shares) == sorted(shares, reverse=True)
    assert shares[-1] < 0.5 < shares[0], "it usually leaves long before what was said"


async def test_a_silent_car_that_got_what_is_usual_is_not_stopped(driver_id, transactions, look, keep, come, replan):
    await keep(await look())
    await come()
    await replan()
    async with transactions() as tx:
        await tx.session.execute(
            update(SessionRow).where(SessionRow.ended_at.is_(None)).values(delivered_wh=SessionRow.need_wh)
        )
    assert (await replan())[1] is None


async def test_a_site_where_missing_costs_nothing_takes_departures_as_said(
    driver_id, transactions, look, keep, come, replan
):
    await keep(await look())
    await come()
    async with transactions() as tx:
        await tx.session.execute(update(SiteRow).values(miss_cost_ratio=0.0))
    row, demand = await replan()
    assert (row.intent_source, demand.outlook) == ("learnt", None)


async def test_the_loop_takes_old_stays_in_learns_and_learns_again_without_who_is_forgotten(
    driver_id, transactions, bus, clock
):
    async with transactions() as tx:
        other = await add_driver(tx, "CARD-2")
        some = select(SessionRow.session_id).order_by(SessionRow.started_at).limit(3).scalar_subquery()
        await tx.session.execute(update(SessionRow).where(SessionRow.session_id.in_(some)).values(driver_id=other))
        for row in await tx.session.scalars(select(PastStayRow)):
            await tx.session.delete(row)
    loops = asyncio.create_task(StayLoops(transactions, bus, Health()).run())
    async with asyncio.timeout(30):
        while (learnt := await read(transactions)) is None:
            clock.advance(seconds=1)
            await asyncio.sleep(0.02)
        assert set(learnt.drivers) == {str(driver_id), str(other)}
        async with transactions() as tx:
            await habits.forget(tx, other)
        clock.advance(seconds=1)
        while (learnt := await read(transactions)) is None:
            clock.advance(seconds=1)
            await asyncio.sleep(0.02)
        assert (learnt.drivers, learnt.stays_count) == ((str(driver_id),), 9)
    loops.cancel()
    await asyncio.gather(loops, return_exceptions=True)
