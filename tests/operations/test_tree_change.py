"""A tree that changes while cars charge: it waits for the limit loop, and what is too much then is shed."""

import asyncio
from datetime import timedelta

import pytest
from rows import add_driver, add_site, add_station
from sqlalchemy import select, update

from app.bus.subjects import site_limits
from app.domain.commands import Accepted, RateUnit
from app.domain.electrical import EvsePlace
from app.domain.errors import Conflict
from app.domain.facts import SessionStarted
from app.domain.wiring import Feeder
from app.operations import electrical, limit_report, limits, proofs
from app.operations.adoption import adopt
from app.operations.station_facts import record_facts
from app.scheduling.proving import Proof, Verdict
from app.store.plan import DesiredLimitRow, LimitRow, PlanRow
from app.store.session import SessionRow
from app.store.site import lock_site
from app.store.specs import read_site
from app.store.station import EvseRow, StationRow

pytestmark = pytest.mark.database

WIDE = [Feeder("panel", rating_a=60.0)]
NARROW = [Feeder("panel", rating_a=40.0)]


@pytest.fixture
async def charging(transactions, clock):
    """Two cars at a panel of 60 A, both allowed 25 A."""
    async with transactions() as tx:
        await add_site(tx, limit_w=30_000.0)
        await add_driver(tx)
        for station_id in ("cp1", "cp2"):
            await add_station(tx, station_id)
            start = SessionStarted(1, tx.now, tx.now, f"tx-{station_id}", "CARD-1", 0.0, "start")
            await record_facts(tx, station_id, [start])
        await tx.session.execute(update(EvseRow).values(default_verified_at=tx.now - timedelta(minutes=5)))
    places = {(station_id, 1): {"feeder_id": "panel", "wiring": "L1-L2"} for station_id in ("cp1", "cp2")}
    async with transactions() as tx:
        await electrical.change(tx, "north", {}, WIDE, places)
    async with transactions() as tx:
        plan_id = "00000000-0000-0000-0000-000000000001"
        tx.session.add(PlanRow(plan_id=plan_id, site_id="north", revision=1, made_at=tx.now, body="{}", inputs="{}"))
        await tx.session.flush()
        for row in await tx.session.scalars(select(SessionRow)):
            tx.session.add(
                DesiredLimitRow(evse_id=row.evse_id, session_id=row.session_id, plan_id=plan_id, target_w=5000.0)
            )
    await allocate(transactions)
    assert await accept(transactions) == [5000.0, 5000.0]
    clock.at += timedelta(seconds=30)


async def allocate(transactions):
    async with transactions() as tx:
        await limits.allocate_site(tx, "north")


async def accept(transactions):
    """Both stations take their orders and accept them; return the powers."""
    powers_w = []
    for station_id in ("cp1", "cp2"):
        async with transactions() as tx:
            orders = await limits.take_orders(tx, station_id)
        for order in orders:
            async with transactions() as tx:
                await limits.record_outcome(tx, order.order_no, Accepted())
            powers_w.append(order.power_w)
    return powers_w


async def holds(transactions):
    async with transactions() as tx:
        return (await limit_report.report(tx, "north")).holds


async def test_a_tighter_feeder_is_shed_to_by_the_next_cycle(transactions, clock, bus, charging):
    assert await holds(transactions)
    with bus.listen(site_limits("north")) as bell:
        async with transactions() as tx:
            await electrical.change(tx, "north", {}, NARROW)
        assert await bell.next(clock.at)
    assert not await holds(transactions)
    await allocate(transactions)
    shed_w = await accept(transactions)
    assert sum(shed_w) / 200.0 <= 40.0 + 1e-3
    clock.at += timedelta(seconds=13)
    assert await holds(transactions)


async def test_wiring_that_turns_out_to_be_another_is_counted_there_at_once(transactions, charging):
    async with transactions() as tx:
        await electrical.change(tx, "north", {}, WIDE, {("cp1", 1): {"wiring": "L2-L3"}})
    async with transactions() as tx:
        rows = {row.key: row.in_force for row in (await limit_report.report(tx, "north")).rows}
    assert [rows["panel", name] for name in ("L1", "L2", "L3")] == [25.0, 50.0, 25.0]


async def test_a_tree_that_cannot_be_safe_changes_nothing(transactions, charging):
    with pytest.raises(Conflict) as refused:
        async with transactions() as tx:
            await electrical.change(tx, "north", {}, [Feeder("panel", rating_a=33.0, margin_a=22.0)])
    assert [field for field, _ in refused.value.wrong] == ["feeders.panel.rating_a"] * 2
    async with transactions() as tx:
        assert (await electrical.get(tx, "north")).feeders == tuple(WIDE)


async def test_a_change_waits_while_the_site_is_allocated(transactions, charging):
    async def narrow():
        async with transactions() as tx:
            await electrical.change(tx, "north", {}, NARROW)

    async with transactions() as tx:
        await lock_site(tx.session, "north")
        waiting = asyncio.create_task(narrow())
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        open_count = len((await tx.session.scalars(select(LimitRow).where(~LimitRow.is_closed))).all())
        assert open_count == 2
    await waiting


async def test_limits_of_a_connector_that_turns_out_to_be_dc_are_in_w_and_one_in_a_is_never_proven(transactions):
    """A limit in A is of a DC connector's output: at 800 V it lets four times the power pass that it would at 200 V."""
    async with transactions() as tx:
        await add_site(tx, limit_w=100_000.0)
        await add_station(tx, "quick")
        dc = {"phase_count": 3, "is_dc": True, "min_current_a": 8.0, "wiring": "L1-L2-L3", "feeder_id": "panel"}
        await electrical.change(tx, "north", {}, WIDE, {("quick", 1): dc})
    async with transactions() as tx:
        assert await proofs.rate_unit(tx, "quick") is RateUnit.W
        (due,) = await proofs.due(tx, "quick")
        assert due.rate_unit is RateUnit.W
        ((_, spec),) = (await read_site(tx.session, "north"))[1]
        assert spec.least_phase_count == 3
        await proofs.record(tx, "quick", 1, Proof(Verdict.PROVEN, RateUnit.A))
    async with transactions() as tx:
        row = (await tx.session.scalars(select(EvseRow))).one()
        assert (row.default_verified_at, row.unproven_for) == (None, proofs.IN_DC_AMPERES)
        await proofs.record(tx, "quick", 1, Proof(Verdict.PROVEN, RateUnit.W))
    async with transactions() as tx:
        assert (await tx.session.scalars(select(EvseRow))).one().default_verified_at is not None


async def test_a_station_with_a_dc_connector_is_adopted_with_limits_in_w(transactions):
    async with transactions() as tx:
        await add_site(tx, limit_w=100_000.0)
        ac, dc = EvsePlace("both", 1, 30.0), EvsePlace("both", 2, 32.0, 3, is_dc=True, min_current_a=8.0)
        await adopt(tx, station_id="both", site_id="north", security_profile=1, evses=[ac, dc])
        await adopt(tx, station_id="slow", site_id="north", security_profile=1, evses=[EvsePlace("slow", 1, 30.0)])
    async with transactions() as tx:
        rows = {row.station_id: row.rate_unit for row in await tx.session.scalars(select(StationRow))}
        assert rows == {"both": "W", "slow": "A"}
