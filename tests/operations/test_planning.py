import asyncio
import os
import uuid
from datetime import timedelta

import pytest
from rows import MORNING, add_driver, add_site, add_station
from sqlalchemy import func, select, text, update

from app.domain.errors import NotFound
from app.domain.facts import SessionEnded, SessionStarted
from app.operations import limits, planning, records
from app.operations.station_facts import record_facts
from app.scheduling.planner import plan
from app.store import plan_queries
from app.store.plan import DesiredLimitRow, LimitRow, PlanRow
from app.store.session import SessionRow
from app.store.station import EvseRow

pytestmark = pytest.mark.database


@pytest.fixture
async def park(transactions):
    async with transactions() as tx:
        await add_site(tx)
        await add_driver(tx)
        for station_id in ("cp1", "cp2"):
            await add_station(tx, station_id)
            await record_facts(tx, station_id, [SessionStarted(1, tx.now, tx.now, "tx-1", "CARD-1", 0.0, "start")])


@pytest.fixture
def replan(transactions, park):
    async def replan():
        async with transactions() as tx:
            made = await planning.replan_site(tx, "north")
            assert "site.north.limits" in tx.rings
            return made

    return replan


async def rows(transactions, row):
    async with transactions() as tx:
        return list(await tx.session.scalars(select(row)))


async def test_a_plan_is_kept_with_what_it_was_made_from_and_what_it_wants_now(transactions, replan):
    made = await replan()
    (row,) = await rows(transactions, PlanRow)
    assert (row.revision, row.made_at) == (1, MORNING)
    assert records.read_plan_json(row.body) == made
    inputs = records.read_snapshot_json(records.unpacked(row.inputs_zip))
    assert [demand.need_wh for demand in inputs.demands] == [12_000.0, 12_000.0]
    assert plan(inputs, row.made_at) == made
    assert row.planner == records.planner_name()
    desired = await rows(transactions, DesiredLimitRow)
    assert {each.evse_id: each.target_w for each in desired} == {line.evse_id: line.target_w for line in made.lines}
    assert {each.plan_id for each in desired} == {row.plan_id}


async def test_the_next_plan_replaces_what_is_wanted(transactions, replan):
    await replan()
    async with transactions() as tx:
        await record_facts(tx, "cp1", [SessionEnded(1, tx.now, tx.now, "tx-1", None, "end")])
    assert len(await rows(transactions, DesiredLimitRow)) == 1
    await replan()
    async with transactions() as tx:
        left = await tx.session.scalar(select(SessionRow).where(SessionRow.ended_at.is_(None)))
    (desired,) = await rows(transactions, DesiredLimitRow)
    assert desired.session_id == left.session_id
    newest = max(await rows(transactions, PlanRow), key=lambda row: row.revision)
    assert (newest.revision, desired.plan_id) == (2, newest.plan_id)


async def test_a_session_that_has_what_it_needs_is_no_longer_limited(transactions, replan):
    await replan()
    async with transactions() as tx:
        await tx.session.execute(update(SessionRow).values(delivered_wh=12_000.0))
    await replan()
    assert await rows(transactions, DesiredLimitRow) == []


async def test_plans_of_one_site_take_turns(transactions, replan):
    await asyncio.gather(*(replan() for _ in range(4)))
    assert sorted(row.revision for row in await rows(transactions, PlanRow)) == [1, 2, 3, 4]


async def test_only_the_newest_plans_are_kept(transactions, replan):
    last = planning.KEPT_PLANS_COUNT + planning.PRUNE_EVERY_COUNT - 1
    async with transactions() as tx:
        statement = """
            INSERT INTO plan (plan_id, site_id, revision, made_at, body, inputs)
            SELECT gen_random_uuid(), 'north', number, :made_at, '{}', '{}' FROM generate_series(1, :last) AS number
        """
        await tx.session.execute(text(statement), {"made_at": MORNING, "last": last})
    await replan()
    async with transactions() as tx:
        lowest, count = (await tx.session.execute(select(func.min(PlanRow.revision), func.count()))).one()
    assert (lowest, count) == (planning.PRUNE_EVERY_COUNT + 1, planning.KEPT_PLANS_COUNT)


async def test_large_records_push_the_oldest_plans_out_and_the_newest_stays(transactions, park):
    async with transactions() as tx:
        for revision in range(1, 6):
            made = {"made_at": MORNING, "body": "{}", "inputs_zip": os.urandom(10_000)}
            tx.session.add(PlanRow(plan_id=uuid.uuid4(), site_id="north", revision=revision, **made))
        await tx.session.flush()
        for most_bytes, left in ((100_000, [1, 2, 3, 4, 5]), (35_000, [3, 4, 5]), (100, [5])):
            await plan_queries.keep_bytes(tx.session, "north", most_bytes)
            assert list(await tx.session.scalars(select(PlanRow.revision).order_by(PlanRow.revision))) == left


async def test_a_site_that_does_not_exist_is_not_found(transactions):
    async with transactions() as tx:
        with pytest.raises(NotFound):
            await planning.replan_site(tx, "ghost")


@pytest.fixture
def charge(transactions, clock, replan):
    """Let a minute pass in which the car at cp1 draws `power_w` under an accepted limit; return its learnt cap."""

    async def charge(limit_w, power_w):
        async with transactions() as tx:
            charging = await tx.session.scalar(select(SessionRow).where(SessionRow.station_id == "cp1"))
            tx.session.add(
                LimitRow(
                    evse_id=charging.evse_id,
                    session_id=charging.session_id,
                    power_w=limit_w,
                    reason="test",
                    intended_at=tx.now,
                    ends_at=tx.now + timedelta(minutes=10),
                    outcome="accepted",
                    outcome_at=tx.now,
                )
            )
        clock.advance(minutes=1)
        async with transactions() as tx:
            is_its = EvseRow.evse_id == charging.evse_id
            await tx.session.execute(update(EvseRow).where(is_its).values(power_w=power_w, metered_at=tx.now))
        await replan()
        async with transactions() as tx:
            row = await tx.session.get_one(SessionRow, charging.session_id)
            return row.learnt_cap_w

    return charge


async def test_a_cap_is_learnt_from_a_car_that_draws_less_and_kept_while_its_limit_follows(charge):
    assert await charge(6000.0, 5900.0) is None
    learnt_w = await charge(6000.0, 3000.0)
    assert learnt_w == pytest.approx(3300.0)
    assert await charge(3300.0, 3000.0) == learnt_w
    assert await charge(3300.0, 3000.0) == learnt_w
    assert await charge(1500.0, 1500.0) == learnt_w
    assert await charge(0.0, 0.0) == learnt_w


async def test_a_car_that_fills_its_cap_may_have_more_again(charge):
    await charge(6000.0, 3000.0)
    assert await charge(3300.0, 3290.0) is None


async def test_a_plan_becomes_limits_that_a_station_can_take(transactions, replan):
    made = await replan()
    async with transactions() as tx:
        wake_at = await limits.allocate_site(tx, "north")
    assert wake_at > MORNING
    async with transactions() as tx:
        orders = (*await limits.take_orders(tx, "cp1"), *await limits.take_orders(tx, "cp2"))
    wanted_w = sorted(line.target_w for line in made.lines)
    assert sorted(order.power_w for order in orders if order.power_w) == [power_w for power_w in wanted_w if power_w]
