"""From stored readings to limits and alarms: B⁺, recovery, supervision and the demand guard in the limit loop."""

import uuid
from datetime import timedelta

import pytest
from rows import MORNING, add_driver, add_site, add_station
from sqlalchemy import select

from app.domain.commands import Accepted
from app.domain.facts import SessionStarted
from app.operations import limits, measuring, readings
from app.operations.station_facts import record_facts
from app.store.electrical import AlarmRow, FeederRow
from app.store.plan import DesiredLimitRow, PlanRow
from app.store.session import SessionRow
from app.store.specs import read_site, site_spec

pytestmark = pytest.mark.database

STEP = timedelta(seconds=5)
MINUTE = timedelta(minutes=1)


class Park:
    """A site of 20 kW with one station of 6.4 kW (1.2 kW by default) whose car wants everything."""

    def __init__(self, transactions, clock):
        self.transactions = transactions
        self.clock = clock

    async def open(self, **changes):
        async with self.transactions() as tx:
            values = {"limit_w": 20_000.0, "reserve_w": 18_000.0, "rise_w": 2_000.0, **changes}
            await add_site(tx, **values)
            await add_driver(tx)
            await add_station(tx, "cp1")
            tx.session.add(FeederRow(site_id="north", feeder_id="panel", kind="panel", rating_a=100.0))
            start = SessionStarted(1, tx.now, tx.now, "tx-cp1", "CARD-1", 0.0, "start")
            await record_facts(tx, "cp1", [start])
            plan_id = uuid.uuid4()
            made = {"made_at": tx.now, "body": "{}", "inputs": "{}"}
            tx.session.add(PlanRow(plan_id=plan_id, site_id="north", revision=1, **made))
            await tx.session.flush()
            row = (await tx.session.scalars(select(SessionRow))).one()
            tx.session.add(
                DesiredLimitRow(evse_id=row.evse_id, session_id=row.session_id, plan_id=plan_id, target_w=6_400.0)
            )

    async def read(self, building_w, **more):
        async with self.transactions() as tx:
            await readings.record(tx, "north", readings.Reading(tx.now, 0.0, building_w, **more))

    async def run(self, building_w, span, grid_w=None, **more):
        """Give a reading every 5 s, each a watt above the one before; end with the last."""
        for number in range(span // STEP):
            drawn_w = None if grid_w is None else grid_w + number
            await self.read(building_w + number, grid_w=drawn_w, **more)
            self.clock.at += STEP
        self.clock.at -= STEP

    async def cycle(self):
        """Run the limit loop once; return the power of the order that the station accepts, None without one."""
        async with self.transactions() as tx:
            self.wake_at = await limits.allocate_site(tx, "north")
        async with self.transactions() as tx:
            orders = await limits.take_orders(tx, "cp1")
        for order in orders:
            async with self.transactions() as tx:
                await limits.record_outcome(tx, order.order_no, Accepted())
        return orders[-1].power_w if orders else None

    async def alarms(self, kind):
        async with self.transactions() as tx:
            query = select(AlarmRow).where(AlarmRow.kind == kind).order_by(AlarmRow.alarm_id)
            return [(row.subject, row.detail, row.began_at, row.ended_at) for row in await tx.session.scalars(query)]


@pytest.fixture
def park(transactions, clock):
    return Park(transactions, clock)


async def test_what_a_healthy_meter_leaves_of_the_reserve_goes_to_the_cars(park):
    await park.open()
    assert await park.cycle() == 2_000.0
    await park.run(10_000.0, MINUTE)
    park.clock.at += timedelta(seconds=1)
    assert await park.cycle() == 6_400.0
    assert await park.alarms("meter") == [
        ("site building", {"reason": "stale"}, MORNING, park.clock.at),
    ]


async def test_the_loop_wakes_when_a_reading_goes_stale_and_falls_back_to_the_reserve(park):
    await park.open()
    await park.run(10_000.0, MINUTE)
    assert await park.cycle() == 6_400.0
    heard_at = park.clock.at
    await park.cycle()
    assert park.wake_at <= heard_at + timedelta(seconds=10, milliseconds=1)
    park.clock.at = park.wake_at
    assert await park.cycle() == 2_000.0
    assert [(subject, detail) for subject, detail, _, _ in await park.alarms("meter")] == [
        ("site building", {"reason": "stale"})
    ]


async def test_a_refused_reading_is_an_alarm_with_its_reason_until_the_meter_is_well_again(park):
    await park.open()
    await park.run(10_000.0, MINUTE)
    async with park.transactions() as tx:
        await readings.note_refused(tx, "north", "building_kw: must be a finite number")
    began_at = park.clock.at
    assert await park.cycle() == 2_000.0
    expected = ("site reading", {"reason": "building_kw: must be a finite number"}, began_at)
    assert await park.alarms("meter") == [(*expected, None)]
    park.clock.at += STEP
    await park.run(10_100.0, 4 * STEP)
    await park.cycle()
    assert await park.alarms("meter") == [(*expected, park.clock.at)]


async def test_a_load_above_its_reserve_begins_a_recovery_that_is_told_with_its_duration(park):
    await park.open()
    await park.run(10_000.0, MINUTE)
    assert await park.cycle() == 6_400.0
    park.clock.at += STEP
    await park.read(18_500.0)
    began_at = park.clock.at
    assert await park.cycle() == 1_200.0
    ((subject, detail, told_at, ended_at),) = await park.alarms("over_limit")
    assert (subject, told_at, ended_at) == ("", began_at, None)
    assert detail == {"over_kw": 6.9, "reserve_exceeded_kw": 0.5}
    park.clock.at += timedelta(seconds=15)
    await park.read(11_000.0)
    await park.cycle()
    ((_, _, told_at, ended_at),) = await park.alarms("over_limit")
    assert (told_at, ended_at) == (began_at, park.clock.at)


async def test_where_every_car_is_at_its_safe_current_already_it_is_said_that_nothing_is_left_to_lower(park):
    await park.open()
    await park.read(21_000.0)
    await park.cycle()
    ((_, detail, _, _),) = await park.alarms("over_limit")
    assert detail["is_nothing_left_to_lower"]


async def test_ten_seconds_above_a_rating_are_an_alarm(park):
    await park.open()
    await park.run(10_000.0, MINUTE, grid_w=21_000.0, totals={"panel": {"L2": 112.0}})
    await park.cycle()
    found = [(subject, detail) for subject, detail, _, _ in await park.alarms("over_rating")]
    assert sorted(found) == [("", {"over_kw": 1.01}), ("panel L2", {"over_a": 12.0})]


async def test_the_demand_guard_lowers_the_cars_and_tells_when_that_is_not_enough(park):
    await park.open(demand_target_w=12_000.0)
    await park.run(8_000.0, MINUTE, grid_w=8_000.0)
    allowed_w = await park.cycle()
    assert 1_200.0 < allowed_w < 2_500.0
    assert await park.alarms("demand") == []
    park.clock.at += STEP
    await park.run(15_000.0, MINUTE, grid_w=17_000.0)
    assert await park.cycle() == 0.0
    ((subject, detail, _, _),) = await park.alarms("demand")
    assert (subject, detail["target_kw"], detail["starts_at"]) == ("", 12.0, "2026-04-01T07:00:00+00:00")
    assert detail["least_mean_kw"] > 15.0
    assert await park.alarms("over_limit") == []
    assert park.wake_at <= MORNING + timedelta(minutes=30)


async def test_what_the_grids_meter_gives_away_beyond_the_cars_is_counted_and_told(park):
    await park.open()
    await park.run(10_000.0, MINUTE, grid_w=19_500.0)
    assert await park.cycle() == 20_000.0 - (19_505.0 - 1_200.0)
    assert [(subject, detail) for subject, detail, _, _ in await park.alarms("meter")] == [
        ("site building", {"reason": "load beyond what it shows"})
    ]


async def test_a_single_call_counts_the_reserve_or_a_load_that_is_above_it(park):
    async def counted():
        async with park.transactions() as tx:
            row, _ = await read_site(tx.session, "north")
            return await measuring.beyond_reserve(tx, site_spec(row))

    await park.open()
    await park.run(10_000.0, MINUTE)
    assert await counted() == {}
    park.clock.at += STEP
    await park.read(18_500.0)
    assert await counted() == {(None, None): 20_500.0}
