"""The database side of the site limit, with the real ledger and allocator."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from rows import MORNING, add_driver, add_site, add_station
from sqlalchemy import select, update

from app.domain.commands import Accepted, RateUnit, Rejected, Unsupported
from app.domain.errors import NotFound
from app.domain.facts import SessionEnded, SessionStarted, StationBooted
from app.operations import admission, limits, proofs
from app.operations.station_facts import record_facts
from app.scheduling.orders import RETRY_PAUSE
from app.scheduling.proving import DefaultDue, Proof, Verdict
from app.store.plan import DesiredLimitRow, LimitRow, PlanRow
from app.store.session import SessionRow
from app.store.station import EvseRow, StationRow

pytestmark = pytest.mark.database

LEASE = timedelta(minutes=10)
SLACK = timedelta(seconds=30)
SAFE_W = 1200.0


class Park:
    """A site of 10 kW with stations of 6.4 kW (1.2 kW by default), a car at each."""

    def __init__(self, transactions, clock):
        self.transactions = transactions
        self.clock = clock
        self.revision = 0

    async def arrive(self, *station_ids):
        async with self.transactions() as tx:
            await add_site(tx, limit_w=10_000.0)
            await add_driver(tx)
            for station_id in station_ids:
                await add_station(tx, station_id)
                start = SessionStarted(1, tx.now, tx.now, f"tx-{station_id}", "CARD-1", 0.0, "start")
                await record_facts(tx, station_id, [start])

    async def want(self, **powers_w):
        """Make a plan that wants these powers at these stations."""
        async with self.transactions() as tx:
            plan_id = uuid.uuid4()
            self.revision += 1
            made = {"made_at": tx.now, "body": "{}", "inputs": "{}"}
            tx.session.add(PlanRow(plan_id=plan_id, site_id="north", revision=self.revision, **made))
            await tx.session.flush()
            rows = await tx.session.scalars(select(SessionRow).where(SessionRow.station_id.in_(powers_w)))
            for row in rows:
                target_w = powers_w[row.station_id]
                desired = DesiredLimitRow(
                    evse_id=row.evse_id, session_id=row.session_id, plan_id=plan_id, target_w=target_w
                )
                await tx.session.merge(desired)

    async def allocate(self):
        async with self.transactions() as tx:
            return await limits.allocate_site(tx, "north")

    async def take(self, station_id="cp1"):
        async with self.transactions() as tx:
            return await limits.take_orders(tx, station_id)

    async def answer(self, order_no, outcome):
        async with self.transactions() as tx:
            await limits.record_outcome(tx, order_no, outcome)
            return tx.rings

    async def rows(self):
        async with self.transactions() as tx:
            return list(await tx.session.scalars(select(LimitRow).order_by(LimitRow.order_no)))

    async def accept(self, station_id="cp1"):
        """Allocate, take and accept; return the power that the station accepted."""
        await self.allocate()
        (order,) = await self.take(station_id)
        await self.answer(order.order_no, Accepted())
        return order.power_w


@pytest.fixture
def park(transactions, clock):
    return Park(transactions, clock)


async def test_an_intent_is_written_and_rung_before_anything_can_be_sent(park, transactions):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    async with transactions() as tx:
        await limits.allocate_site(tx, "north")
        assert tx.rings == {"station.cp1.orders"}
    (row,) = await park.rows()
    assert (row.power_w, row.intended_at, row.ends_at) == (6000.0, MORNING, MORNING + LEASE + SLACK)
    assert (row.taken_at, row.outcome, row.is_closed) == (None, None, False)


async def test_an_order_is_handed_out_once_with_all_that_its_lease_needs(park):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    await park.allocate()
    (order,) = await park.take()
    assert (order.station_id, order.evse_number, order.station_ref) == ("cp1", 1, "tx-cp1")
    assert (order.power_w, order.safe_power_w, order.w_per_a, order.phase_count) == (6000.0, SAFE_W, 200.0, 1)
    assert (order.intended_at, order.lease_ends_at) == (MORNING, MORNING + LEASE)
    assert await park.take() == ()


async def test_an_unanswered_order_is_not_doubled_until_it_is_overdue(park, clock):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    await park.allocate()
    await park.take()
    clock.advance(seconds=119)
    await park.allocate()
    assert len(await park.rows()) == 1
    clock.advance(seconds=1)
    await park.allocate()
    assert len(await park.rows()) == 2


async def test_an_acknowledged_limit_is_renewed_in_time_and_not_before(park, clock):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    assert await park.accept() == 6000.0
    clock.advance(minutes=1)
    wake_at = await park.allocate()
    assert MORNING + timedelta(minutes=1) < wake_at <= MORNING + timedelta(minutes=5)
    assert len(await park.rows()) == 1
    clock.advance(minutes=4)
    await park.allocate()
    assert [row.reason for row in await park.rows()] == ["raise", "renew"]


async def test_all_that_may_be_in_force_stays_below_the_limit(park):
    await park.arrive("cp1", "cp2", "cp3")
    await park.want(cp1=6400.0, cp2=6400.0, cp3=6400.0)
    await park.allocate()
    possible_w = {row.evse_id: row.power_w for row in await park.rows()}
    assert sum(possible_w.values()) + SAFE_W * (3 - len(possible_w)) <= 10_000.0
    assert sum(possible_w.values()) == pytest.approx(10_000.0)


async def test_power_is_raised_elsewhere_only_settle_after_the_reduction_was_acknowledged(park, clock):
    await park.arrive("cp1", "cp2")
    await park.want(cp1=6400.0, cp2=SAFE_W)
    await park.accept("cp1")
    clock.advance(seconds=30)
    await park.want(cp1=2000.0, cp2=6400.0)

    async def raised_w():
        orders = await park.take("cp2")
        for order in orders:
            await park.answer(order.order_no, Accepted())
        return max((row.power_w for row in await park.rows() if row.session_id in cp2), default=0.0)

    async with park.transactions() as tx:
        cp2 = set(await tx.session.scalars(select(SessionRow.session_id).where(SessionRow.station_id == "cp2")))
    await park.allocate()
    (lower,) = await park.take("cp1")
    assert lower.power_w == 2000.0
    assert await raised_w() <= 3600.0
    clock.advance(seconds=5)
    await park.answer(lower.order_no, Accepted())
    clock.advance(seconds=11)
    await park.allocate()
    assert await raised_w() <= 3600.0
    clock.advance(seconds=2)
    await park.allocate()
    assert await raised_w() == 6400.0


@pytest.mark.parametrize("outcome", [Rejected("busy"), Unsupported(), None])
async def test_after_a_failure_a_station_gets_a_pause_but_a_further_reduction_does_not_wait(park, clock, outcome):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    await park.allocate()
    (order,) = await park.take()
    assert await park.answer(order.order_no, outcome) == {"site.north.limits"}
    assert await park.allocate() == MORNING + RETRY_PAUSE
    assert len(await park.rows()) == 1
    clock.advance(seconds=1)
    await park.want(cp1=0.0)
    await park.allocate()
    assert [row.power_w for row in await park.rows()] == [6000.0, 0.0]


async def test_a_refused_order_never_was_in_force_and_an_unknown_one_may_be(park):
    await park.arrive("cp1", "cp2")
    await park.want(cp1=6000.0, cp2=6000.0)
    await park.allocate()
    (order,) = await park.take("cp1")
    await park.answer(order.order_no, None)
    row = (await park.rows())[0]
    assert (row.outcome, row.is_closed) == ("unknown", False)
    await park.answer(order.order_no, Rejected("x" * 300))
    row = (await park.rows())[0]
    assert (row.outcome, row.is_closed, row.outcome_detail) == ("refused", True, "x" * 200)


async def test_a_late_acknowledgement_replaces_unknown_and_a_second_answer_changes_nothing(park, clock):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    await park.allocate()
    (order,) = await park.take()
    await park.answer(order.order_no, None)
    clock.advance(seconds=40)
    assert await park.answer(order.order_no, Accepted()) == {"site.north.limits"}
    clock.advance(seconds=40)
    assert await park.answer(order.order_no, Rejected("no")) == set()
    assert await park.answer(order.order_no + 1, Accepted()) == set()
    (row,) = await park.rows()
    assert (row.outcome, row.outcome_at) == ("accepted", MORNING + timedelta(seconds=40))


async def test_a_newer_order_supersedes_one_that_no_socket_has_taken(park, clock):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    await park.allocate()
    clock.advance(minutes=3)
    await park.want(cp1=3000.0)
    await park.allocate()
    assert [order.power_w for order in await park.take()] == [3000.0]
    assert [(row.outcome, row.is_closed) for row in await park.rows()] == [("unsent", True), (None, False)]


async def test_an_offline_or_unproven_station_receives_nothing(park, transactions):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    await park.allocate()
    async with transactions() as tx:
        await admission.move(tx, [admission.Departure("cp1", "socket-1")])
    await park.allocate()
    assert await park.take() == ()
    assert [(row.outcome, row.is_closed) for row in await park.rows()] == [("unsent", True)]
    async with transactions() as tx:
        await admission.move(tx, [admission.Arrival("cp1", "ocpp1.6", "socket-2")])
        await record_facts(tx, "cp1", [StationBooted(tx.now, tx.now, "Acme", "M", None, None)])
    await park.allocate()
    assert await park.take() == ()


async def test_an_unproven_station_counts_with_its_nameplate(park, transactions):
    await park.arrive("cp1", "cp2")
    await park.want(cp1=6400.0)
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).where(EvseRow.station_id == "cp2").values(default_verified_at=None))
    await park.allocate()
    assert [order.power_w for order in await park.take()] == [3600.0]


async def test_a_default_that_was_just_proven_frees_its_headroom_and_gets_orders_only_after_settle_r4(
    park, transactions, clock
):
    await park.arrive("cp1", "cp2")
    await park.want(cp1=6400.0, cp2=3000.0)
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).where(EvseRow.station_id == "cp2").values(default_verified_at=None))
    await park.allocate()
    assert [order.power_w for order in await park.take("cp1")] == [3600.0]
    async with transactions() as tx:
        await proofs.record(tx, "cp2", 1, Proof(Verdict.PROVEN, RateUnit.A))
    clock.advance(seconds=11)
    wake_at = await park.allocate()
    assert await park.take("cp2") == ()
    assert wake_at <= clock.now() + timedelta(seconds=5)
    clock.advance(seconds=1)
    await park.allocate()
    assert [order.power_w for order in await park.take("cp2")] == [3000.0]


async def test_orders_of_an_ended_session_and_of_an_old_lease_are_never_sent(park, transactions, clock):
    await park.arrive("cp1", "cp2")
    await park.want(cp1=3000.0, cp2=3000.0)
    await park.allocate()
    async with transactions() as tx:
        await tx.session.execute(
            update(SessionRow).where(SessionRow.station_id == "cp1").values(ended_at=tx.now, end_reason="superseded")
        )
    assert await park.take("cp1") == ()
    clock.advance(minutes=10)
    assert await park.take("cp2") == ()
    assert {row.outcome for row in await park.rows()} == {"unsent"}


async def test_a_reported_end_frees_the_power_settle_later(park, transactions, clock):
    await park.arrive("cp1", "cp2")
    await park.want(cp1=6400.0)
    await park.accept("cp1")
    clock.advance(seconds=30)
    await park.want(cp2=6400.0)
    async with transactions() as tx:
        await record_facts(tx, "cp1", [SessionEnded(1, tx.now, tx.now, "tx-cp1", None, "end")])
        assert "site.north.limits" in tx.rings
    assert await park.accept("cp2") == 3600.0
    clock.advance(seconds=13)
    assert await park.accept("cp2") == 6400.0


async def test_an_order_whose_answer_is_not_known_keeps_its_power_after_the_end(park, transactions, clock):
    await park.arrive("cp1", "cp2")
    await park.want(cp1=6400.0)
    await park.allocate()
    (order,) = await park.take("cp1")
    await park.answer(order.order_no, None)
    async with transactions() as tx:
        await record_facts(tx, "cp1", [SessionEnded(1, tx.now, tx.now, "tx-cp1", None, "end")])
    await park.want(cp2=6400.0)
    clock.advance(minutes=5)
    assert await park.accept("cp2") == 3600.0
    clock.advance(minutes=5, seconds=43)
    assert await park.accept("cp2") == 6400.0


async def test_entries_that_can_no_longer_be_in_force_are_closed(park, clock):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    await park.accept()
    clock.advance(seconds=60)
    await park.want(cp1=3000.0)
    await park.accept()
    clock.advance(seconds=13)
    await park.allocate()
    assert [row.is_closed for row in await park.rows()] == [True, False]
    clock.advance(hours=1)
    await park.want(cp1=SAFE_W)
    await park.allocate()
    assert [row.is_closed for row in (await park.rows())[:2]] == [True, True]


async def test_after_a_crash_what_was_taken_is_unknown_and_what_was_not_never_left(park, transactions):
    await park.arrive("cp1", "cp2")
    await park.want(cp1=3000.0, cp2=3000.0)
    await park.allocate()
    await park.take("cp1")
    async with transactions() as tx:
        await admission.forget_connections(tx)
    assert sorted((row.outcome, row.is_closed) for row in await park.rows()) == [("unknown", False), ("unsent", True)]


async def test_two_limit_loops_of_a_site_take_turns(park):
    await park.arrive("cp1", "cp2", "cp3")
    await park.want(cp1=6400.0, cp2=6400.0, cp3=6400.0)
    await asyncio.gather(*(park.allocate() for _ in range(4)))
    rows = await park.rows()
    assert len({row.evse_id for row in rows}) == len(rows)


async def test_two_sockets_never_take_the_same_order(park):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    await park.allocate()
    taken = await asyncio.gather(*(park.take() for _ in range(4)))
    assert sum(len(orders) for orders in taken) == 1


async def test_unproven_defaults_are_due_until_they_are_read_back(park, transactions):
    await park.arrive("cp1")
    async with transactions() as tx:
        await record_facts(tx, "cp1", [StationBooted(tx.now, tx.now, "Acme", "M", None, None)])
    async with transactions() as tx:
        assert await proofs.due(tx, "cp1") == (DefaultDue(1, SAFE_W, 200.0, 1, is_unit_told=False),)
        await proofs.record(tx, "cp1", 1, Proof(Verdict.PROVEN, RateUnit.A))
        assert tx.rings == {"site.north.limits", "site.north.changed"}
        assert await proofs.due(tx, "cp1") == ()
        await proofs.record(tx, "cp1", 1, Proof(Verdict.UNPROVEN, RateUnit.A, "refused"))
        assert len(await proofs.due(tx, "cp1")) == 1


async def test_a_station_without_leases_gets_no_orders_r6(park, transactions):
    await park.arrive("cp1", "cp2")
    await park.want(cp1=6000.0, cp2=6000.0)
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).where(StationRow.station_id == "cp1").values(takes_leases=False))
    await park.allocate()
    assert await park.take("cp1") == ()
    assert [order.station_id for order in await park.take("cp2")] == ["cp2"]


async def test_an_order_that_a_station_turns_out_not_to_hold_is_never_sent_r6(park, transactions):
    await park.arrive("cp1")
    await park.want(cp1=6000.0)
    await park.allocate()
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(takes_leases=False))
    await park.allocate()
    assert await park.take("cp1") == ()


async def test_the_rate_unit_is_the_stations(park, transactions):
    await park.arrive("cp1")
    async with transactions() as tx:
        assert await proofs.rate_unit(tx, "cp1") is RateUnit.A
        await tx.session.execute(update(StationRow).values(rate_unit="W"))
    async with transactions() as tx:
        assert await proofs.rate_unit(tx, "cp1") is RateUnit.W


async def test_what_does_not_exist_is_not_found(park, transactions):
    await park.arrive("cp1")
    async with transactions() as tx:
        for work in (
            limits.allocate_site(tx, "ghost"),
            limits.take_orders(tx, "ghost"),
            proofs.due(tx, "ghost"),
            proofs.rate_unit(tx, "ghost"),
            proofs.record(tx, "cp1", 9, Proof(Verdict.PROVEN, RateUnit.A)),
        ):
            with pytest.raises(NotFound):
                await work
