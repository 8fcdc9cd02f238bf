"""The gate's books: what is written before a raw call leaves, and what becomes of it."""

from datetime import timedelta

import pytest
from rows import MORNING, add_driver, add_site, add_station
from sqlalchemy import select

from app.bus.subjects import site_limits, station_orders
from app.domain.commands import Accepted, RateUnit
from app.domain.errors import CommandRefused, NotFound
from app.domain.facts import SessionEnded, SessionStarted
from app.domain.raw import ChangeKind, Effect, Impact, LimitChange
from app.operations import limits, proofs, raw_door
from app.operations.station_facts import record_facts
from app.scheduling.proving import Proof, Verdict
from app.store.plan import LONGEST_ON_THE_WAY, DesiredLimitRow, LimitRow, PlanRow
from app.store.session import SessionRow
from app.store.station import EvseRow

pytestmark = pytest.mark.database

RAISE = Impact(Effect.LIMITS, changes=(LimitChange(ChangeKind.SESSION, 1, 20.0, is_replaceable=True),))
RAISED_W = 4000.0


@pytest.fixture
async def session(transactions):
    """A running session at EVSE 1 of `cp1`, at a site of 10 kW."""
    async with transactions() as tx:
        await add_site(tx, limit_w=10_000.0)
        await add_driver(tx)
        await add_station(tx, evses=2)
        await record_facts(tx, "cp1", [SessionStarted(1, tx.now, tx.now, "tx-1", "CARD-1", 0.0, "start")])
    async with transactions() as tx:
        return (await tx.session.scalars(select(SessionRow))).one()


@pytest.fixture
def order(transactions, session):
    """Write an order of ours; returns its number."""

    async def write(power_w, **more):
        async with transactions() as tx:
            values = {"reason": "raise", "intended_at": tx.now, "ends_at": tx.now + timedelta(seconds=630)} | more
            row = LimitRow(
                evse_id=session.evse_id, session_id=session.session_id, power_w=power_w, is_closed=False, **values
            )
            tx.session.add(row)
            await tx.session.flush()
            return row.order_no

    return write


@pytest.fixture
def rows(transactions):
    async def read():
        async with transactions() as tx:
            return list(await tx.session.scalars(select(LimitRow).order_by(LimitRow.order_no)))

    return read


async def enter(transactions, impact=RAISE):
    async with transactions() as tx:
        return await raw_door.enter(tx, "cp1", impact)


async def leave(transactions, passage, outcome):
    async with transactions() as tx:
        await raw_door.leave(tx, passage, outcome)
        return tx.rings


async def test_an_order_of_ours_that_no_socket_took_is_dropped_for_the_newer_raw_one(transactions, order, rows):
    """Sent after it, but numbered before it, it would be taken for replaced while it is in force."""
    await order(5000.0)
    passage = await enter(transactions)
    dropped, raw = await rows()
    assert (dropped.outcome, dropped.is_closed) == ("unsent", True)
    assert (raw.order_no, raw.power_w, raw.reason, raw.taken_at) == (passage.order_nos[0], RAISED_W, "raw", MORNING)


async def test_a_raw_order_waits_for_its_answer_like_any_other_and_rings_then(transactions, session):
    passage = await enter(transactions)
    async with transactions() as tx:
        assert await limits.take_orders(tx, "cp1") == ()
    assert await leave(transactions, passage, Accepted()) == {site_limits("north")}


async def test_once_a_lease_has_replaced_it_a_raw_order_is_never_renewed(transactions, session, order, rows, clock):
    """Its own end lies far ahead; taken for in force when the lease is over, it would be renewed without any room."""
    passage = await enter(transactions)
    await leave(transactions, passage, Accepted())
    lease_no = await order(2000.0, taken_at=clock.at)
    async with transactions() as tx:
        await limits.record_outcome(tx, lease_no, Accepted())
    clock.advance(minutes=30)
    async with transactions() as tx:
        plan = PlanRow(plan_id=session.session_id, site_id="north", revision=1, made_at=tx.now, body="{}", inputs="{}")
        tx.session.add(plan)
        await tx.session.flush()
        desired = DesiredLimitRow(
            evse_id=session.evse_id, session_id=session.session_id, plan_id=plan.plan_id, target_w=RAISED_W
        )
        tx.session.add(desired)
        await limits.allocate_site(tx, "north")
    assert [row.reason for row in await rows() if not row.is_closed] == ["raise"]


@pytest.mark.parametrize(("outcome", "keep"), [(Accepted(), timedelta(0)), (None, LONGEST_ON_THE_WAY)])
async def test_a_raw_order_ends_with_its_session(transactions, session, rows, outcome, keep):
    passage = await enter(transactions)
    await leave(transactions, passage, outcome)
    async with transactions() as tx:
        await record_facts(tx, "cp1", [SessionEnded(1, tx.now, tx.now, "tx-1", 10.0, "stop")])
    (row,) = await rows()
    assert row.ends_at == MORNING + keep


async def test_a_refusal_leaves_the_books_as_they_were(transactions, session, order, rows):
    await order(3000.0)
    too_much = Impact(Effect.LIMITS, changes=(LimitChange(ChangeKind.DEFAULT, None, 6.0),))
    with pytest.raises(CommandRefused) as refused:
        await enter(transactions, too_much)
    assert refused.value.missing_w == pytest.approx(2800.0)
    (row,) = await rows()
    assert (row.outcome, row.is_closed) == (None, False)
    async with transactions() as tx:
        assert all(evse.default_verified_at for evse in await tx.session.scalars(select(EvseRow)))


async def test_a_call_that_may_lose_profiles_costs_the_proof_before_and_after(transactions, session):
    passage = await enter(transactions, Impact(Effect.UNVERIFIES))
    async with transactions() as tx:
        assert not any(evse.default_verified_at for evse in await tx.session.scalars(select(EvseRow)))
        for number in (1, 2):
            await proofs.record(tx, "cp1", number, Proof(Verdict.PROVEN, RateUnit.A))
    assert await leave(transactions, passage, None) == {site_limits("north"), station_orders("cp1")}
    async with transactions() as tx:
        assert not any(evse.default_verified_at for evse in await tx.session.scalars(select(EvseRow)))


async def test_a_harmless_call_changes_nothing(transactions, session):
    async with transactions() as tx:
        passage = await raw_door.enter(tx, "cp1", Impact(Effect.HARMLESS))
        assert tx.rings == set()
    assert await leave(transactions, passage, Accepted()) == set()


async def test_a_station_that_is_gone_has_no_door(transactions):
    async with transactions() as tx:
        with pytest.raises(NotFound):
            await raw_door.enter(tx, "gone", RAISE)


@pytest.mark.parametrize("impact", [None, Impact(Effect.FORBIDDEN, "never")])
def test_what_is_unclassified_or_forbidden_is_refused_whatever_the_site_holds(impact):
    with pytest.raises(CommandRefused):
        raw_door.classified(impact)
