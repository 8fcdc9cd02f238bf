"""What follows from metered power in the database: trust, proofs, remedies, alarms, and the others coming down."""

import uuid
from datetime import timedelta

import pytest
from rows import MORNING, add_driver, add_site, add_station
from sqlalchemy import select, update

from app.bus.subjects import site_limits, station_orders
from app.domain.commands import Accepted, RateUnit, StartSession, StopSession, Trigger
from app.domain.errors import CommandRefused, Invalid, NotFound
from app.domain.facts import Metered, Sample, SessionEnded, SessionStarted, StationBooted
from app.domain.raw import ChangeKind, Effect, Impact, LimitChange
from app.operations import limit_report, limits, obedience, proofs, raw_door
from app.operations.station_facts import record_facts
from app.scheduling.proving import Proof, Verdict
from app.store.electrical import AlarmRow
from app.store.plan import DesiredLimitRow, LimitRow, PlanRow
from app.store.session import SessionRow
from app.store.station import EvseRow, StationRow
from app.store.watches import EvseWatchRow

pytestmark = pytest.mark.database

SAFE_W = 1200.0
PROVEN = Proof(Verdict.PROVEN, RateUnit.A)


class Park:
    """A site of 10 kW with stations of 6.4 kW (1.2 kW by default), a car at each that is wanted to get `wanted`."""

    def __init__(self, transactions, clock):
        self.transactions = transactions
        self.clock = clock

    async def arrive(self, **wanted_w):
        async with self.transactions() as tx:
            await add_site(tx, limit_w=10_000.0)
            await add_driver(tx)
            plan = PlanRow(plan_id=uuid.uuid4(), site_id="north", revision=1, made_at=tx.now, body="{}", inputs="{}")
            tx.session.add(plan)
            await tx.session.flush()
            for station_id, target_w in wanted_w.items():
                (evse_id,) = await add_station(tx, station_id)
                start = SessionStarted(1, tx.now, tx.now, f"tx-{station_id}", "CARD-1", 0.0, "start")
                await record_facts(tx, station_id, [start])
                row = (await tx.session.scalars(select(SessionRow).where(SessionRow.evse_id == evse_id))).one()
                wanted = {"session_id": row.session_id, "plan_id": plan.plan_id, "target_w": target_w}
                tx.session.add(DesiredLimitRow(evse_id=evse_id, **wanted))

    async def want(self, station_id, target_w):
        async with self.transactions() as tx:
            evse = select(EvseRow.evse_id).where(EvseRow.station_id == station_id).scalar_subquery()
            wanted = update(DesiredLimitRow).where(DesiredLimitRow.evse_id == evse)
            await tx.session.execute(wanted.values(target_w=target_w))

    async def cycle(self):
        """Run the limit loop once and have every station take and accept what is sent; return the rings."""
        async with self.transactions() as tx:
            await limits.allocate_site(tx, "north")
            rings, stations = set(tx.rings), list(await tx.session.scalars(select(StationRow.station_id)))
        for station_id in stations:
            async with self.transactions() as tx:
                orders = await limits.take_orders(tx, station_id)
            for order in orders:
                async with self.transactions() as tx:
                    await limits.record_outcome(tx, order.order_no, Accepted())
        return rings

    async def meter(self, station_id, power_w):
        """Have the station meter this power now; return the rings."""
        async with self.transactions() as tx:
            sample = Sample("Power.Active.Import", power_w, "W")
            fact = Metered(1, tx.now, tx.now, f"tx-{station_id}", None, power_w, (sample,))
            await record_facts(tx, station_id, [fact])
            return tx.rings

    async def run(self, span_s, step_s=10, **powers_w):
        """Let time pass in steps, with these stations metering these powers."""
        for _ in range(0, span_s, step_s):
            self.clock.advance(seconds=step_s)
            for station_id, power_w in powers_w.items():
                await self.meter(station_id, power_w)
            await self.cycle()

    async def evse(self, station_id) -> EvseRow:
        async with self.transactions() as tx:
            return (await tx.session.scalars(select(EvseRow).where(EvseRow.station_id == station_id))).one()

    async def limit_w(self, station_id):
        """Return the limit that the station accepted last."""
        async with self.transactions() as tx:
            query = select(LimitRow).join(EvseRow, EvseRow.evse_id == LimitRow.evse_id)
            query = query.where(EvseRow.station_id == station_id, LimitRow.outcome == "accepted")
            return (await tx.session.scalars(query.order_by(LimitRow.order_no.desc()).limit(1))).one().power_w

    async def alarms(self, *, ended=False):
        """Return the open (or ended) alarms' kinds and details by subject."""
        async with self.transactions() as tx:
            rows = await tx.session.scalars(select(AlarmRow).order_by(AlarmRow.alarm_id))
            return {(row.kind, row.subject): row.detail for row in rows if (row.ended_at is not None) == ended}


@pytest.fixture
def park(transactions, clock):
    assert clock.now() == MORNING
    return Park(transactions, clock)


async def test_a_station_that_draws_too_much_is_counted_at_nameplate_at_once_and_the_others_come_down(park):
    await park.arrive(liar=2000.0, honest=6400.0)
    await park.cycle()
    await park.run(30, liar=2000.0, honest=6400.0)
    assert await park.limit_w("honest") == 6400.0
    assert await park.alarms() == {}
    park.clock.advance(seconds=1)
    await park.meter("liar", 6400.0)
    await park.cycle()
    assert await park.limit_w("honest") == 3600.0
    assert ("surprised", "liar/1") in await park.alarms()
    assert (await park.evse("liar")).distrusted_at is None


async def test_the_report_and_the_raw_door_count_a_station_that_drew_too_much_as_the_limit_loop_does(
    park, transactions
):
    await park.arrive(liar=2000.0, honest=3600.0)
    await park.cycle()
    await park.run(30, liar=2000.0, honest=3600.0)
    park.clock.advance(seconds=1)
    await park.meter("liar", 6400.0)
    await park.cycle()
    async with transactions() as tx:
        found = await limit_report.report(tx, "north")
        assert found.rows[0].in_force == 10_000.0
        (doubt,) = found.doubtful
        assert (doubt.station_id, doubt.unproven_for) == ("liar", limit_report.TOO_HIGH)
        change = LimitChange(ChangeKind.SESSION, 1, 20.0, is_replaceable=True)
        with pytest.raises(CommandRefused) as refused:
            await raw_door.enter(tx, "honest", Impact(Effect.LIMITS, changes=(change,)))
        assert refused.value.missing_w == pytest.approx(400.0)


async def test_a_surprise_that_is_covered_is_told_once_however_often_is_looked_at_it(park):
    await park.arrive(liar=2000.0)
    await park.cycle()
    await park.run(30, liar=2000.0)
    park.clock.advance(seconds=1)
    await park.meter("liar", 6400.0)
    for _ in range(5):
        await park.cycle()
        park.clock.advance(seconds=3)
    async with park.transactions() as tx:
        told = list(await tx.session.scalars(select(AlarmRow).where(AlarmRow.kind == "surprised")))
    assert [(row.subject, row.ended_at is not None) for row in told] == [("liar/1", True)]


async def test_the_second_such_value_is_disobedience_and_containment_is_told_with_its_duration(park):
    await park.arrive(liar=2000.0, honest=6400.0)
    await park.cycle()
    await park.run(30, liar=2000.0, honest=6400.0)
    await park.run(40, liar=6400.0, honest=3600.0)
    liar = await park.evse("liar")
    assert liar.distrusted_at is not None
    alarms, ended = await park.alarms(), await park.alarms(ended=True)
    assert "6.4 kW" in alarms["disobeys", "liar/1"]["reason"]
    assert ("surprised", "liar/1") not in alarms
    assert ("surprised", "liar/1") in ended
    assert liar.surprised_at is None
    accepted_w = await park.limit_w("liar")
    await park.run(700, step_s=100, honest=3600.0)
    assert await park.limit_w("liar") == accepted_w  # nothing is sent to it any more
    assert await park.limit_w("honest") == 3600.0


async def test_a_single_odd_value_costs_a_moment_and_no_trust(park):
    await park.arrive(odd=2000.0)
    await park.cycle()
    await park.run(20, odd=2000.0)
    await park.run(10, odd=6400.0)
    await park.run(20, odd=2000.0)
    assert (await park.evse("odd")).distrusted_at is None
    assert await park.alarms() == {}
    async with park.transactions() as tx:
        assert (await tx.session.scalars(select(EvseWatchRow.above_at))).all() in ([], [None])


async def test_a_limit_that_was_lowered_a_moment_ago_explains_what_is_drawn(park):
    await park.arrive(slow=6400.0)
    await park.cycle()
    await park.run(30, slow=6400.0)
    await park.want("slow", 1200.0)
    await park.cycle()
    await park.run(10, slow=6400.0)
    assert await park.alarms() == {}
    await park.run(60, slow=1200.0)
    assert (await park.evse("slow")).distrusted_at is None


async def test_the_station_is_asked_for_another_value_at_once(park, transactions):
    await park.arrive(liar=2000.0)
    await park.cycle()
    await park.run(30, liar=2000.0)
    park.clock.advance(seconds=1)
    assert site_limits("north") in await park.meter("liar", 6400.0)
    assert station_orders("liar") in await park.cycle()
    async with transactions() as tx:
        assert await obedience.remedies(tx, "liar") == (Trigger("meter_values", 1),)
    async with transactions() as tx:
        assert await obedience.remedies(tx, "liar") == ()


async def test_an_operator_may_trust_a_station_again_and_its_default_is_proven_anew(park, transactions):
    await park.arrive(liar=2000.0)
    await park.cycle()
    await park.run(30, liar=2000.0)
    await park.run(30, liar=6400.0)
    assert (await park.evse("liar")).distrusted_at is not None
    async with transactions() as tx:
        await obedience.trust(tx, "liar", 1)
        assert {station_orders("liar"), site_limits("north")} <= tx.rings
    liar = await park.evse("liar")
    assert (liar.distrusted_at, liar.default_verified_at) == (None, None)
    async with transactions() as tx:
        with pytest.raises(Invalid):
            await obedience.trust(tx, "liar", 2)
        with pytest.raises(NotFound):
            await obedience.trust(tx, "ghost", None)


async def test_trust_that_returns_is_not_told_as_a_clock_that_is_off(park):
    await park.arrive(liar=2000.0)
    await park.cycle()
    await park.run(30, liar=2000.0)
    await park.run(30, liar=6400.0)
    await park.run(4300, step_s=100, liar=1150.0)
    assert (await park.evse("liar")).distrusted_at is None
    assert ("uncontrollable", "liar/1") not in {**await park.alarms(), **await park.alarms(ended=True)}


async def test_metered_power_shows_a_default_that_cannot_be_read_back_r8(park, transactions):
    await park.arrive(mute=6400.0)
    async with transactions() as tx:
        await record_facts(tx, "mute", [StationBooted(tx.now, tx.now, "Acme", "M", None, None)])
        await proofs.record(tx, "mute", 1, Proof(Verdict.INSTALLED, RateUnit.A, "it could not be read back: Rejected"))
    await park.cycle()
    assert "could not be read back" in (await park.alarms())["unproven", "mute/1"]["reason"]
    assert site_limits("north") in await park.meter("mute", 1150.0)
    await park.run(50, mute=1150.0)
    assert (await park.evse("mute")).default_verified_at is None
    await park.run(30, mute=1150.0)
    mute = await park.evse("mute")
    assert (mute.default_verified_at is not None, mute.verified_as is not None) == (True, True)
    await park.run(30, mute=1150.0)
    assert ("unproven", "mute/1") not in await park.alarms()
    assert await park.limit_w("mute") == 6400.0


async def test_a_boot_ends_a_metered_proof_that_is_under_way(park, transactions):
    await park.arrive(mute=6400.0)
    async with transactions() as tx:
        await record_facts(tx, "mute", [StationBooted(tx.now, tx.now, "Acme", "M", None, None)])
        await proofs.record(tx, "mute", 1, Proof(Verdict.INSTALLED, RateUnit.A, "no answer"))
    await park.run(50, mute=1150.0)
    async with transactions() as tx:
        await record_facts(tx, "mute", [StationBooted(tx.now, tx.now, "Acme", "M", None, None)])
    await park.run(60, mute=1150.0)
    assert (await park.evse("mute")).default_verified_at is None


async def test_a_boot_reads_again_what_was_proven_and_a_new_firmware_is_a_new_station_r8(park, transactions):
    await park.arrive(cp1=1200.0)

    async def boot(firmware):
        async with transactions() as tx:
            await record_facts(tx, "cp1", [StationBooted(tx.now, tx.now, "Acme", "M", "S1", firmware)])
        async with transactions() as tx:
            (due,) = await proofs.due(tx, "cp1")
            return due.is_expected

    assert not await boot("1.0")
    async with transactions() as tx:
        await proofs.record(tx, "cp1", 1, PROVEN)
    assert await boot("1.0")
    assert not await boot("1.1")
    async with transactions() as tx:
        await proofs.record(tx, "cp1", 1, PROVEN)
        await tx.session.execute(update(EvseRow).values(default_verified_at=None, wiring="L1-L2"))
    async with transactions() as tx:
        assert not (await proofs.due(tx, "cp1"))[0].is_expected


async def test_a_default_behind_a_sessions_limit_is_not_taken_as_read(park, transactions):
    await park.arrive(cp1=6400.0)
    async with transactions() as tx:
        await proofs.record(tx, "cp1", 1, PROVEN)
    await park.cycle()
    park.clock.advance(seconds=20)
    await park.cycle()
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).values(default_verified_at=None))
    async with transactions() as tx:
        assert not (await proofs.due(tx, "cp1"))[0].is_expected


async def test_a_forgotten_default_is_a_surprise_and_a_harmless_boot_is_none(park, transactions):
    await park.arrive(cp1=1200.0)
    async with transactions() as tx:
        await record_facts(tx, "cp1", [StationBooted(tx.now, tx.now, "Acme", "M", None, None)])
    assert (await park.evse("cp1")).surprised_for == "it has booted"
    await park.cycle()
    assert (await park.alarms(), await park.alarms(ended=True)) == ({}, {})
    async with transactions() as tx:
        await proofs.record(tx, "cp1", 1, Proof(Verdict.PROVEN, RateUnit.A, is_forgotten=True))
    await park.cycle()
    assert (await park.alarms(ended=True))["surprised", "cp1/1"]["contained_s"] == 0.0


async def test_a_pause_that_is_ignored_is_helped_along_and_told(park, transactions):
    await park.arrive(cp1=0.0)
    await park.cycle()
    await park.run(30, cp1=1100.0)
    assert (await park.alarms())["ignores", "cp1/1"] == {"ignores": "pause", "step": "repeat"}
    async with transactions() as tx:
        assert "repeat" in set(await tx.session.scalars(select(LimitRow.reason)))
    await park.run(70, cp1=1100.0)
    async with transactions() as tx:
        assert 1200.0 in set(await tx.session.scalars(select(LimitRow.power_w)))
    stops = ()
    while not stops:
        await park.run(10, cp1=1100.0)
        async with transactions() as tx:
            stops = await obedience.remedies(tx, "cp1")
    assert stops == (StopSession("tx-cp1"),)
    assert park.clock.now() < MORNING + timedelta(minutes=5)
    async with transactions() as tx:
        ended = SessionEnded(1, tx.now, tx.now, "tx-cp1", 500.0, "end", "Remote")
        await record_facts(tx, "cp1", [ended])
    await park.run(20, cp1=0.0)
    async with transactions() as tx:
        (start,) = await obedience.remedies(tx, "cp1")
    assert isinstance(start, StartSession)
    assert (start.evse_number, start.token) == (1, "CARD-1")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"takes_leases": False}, "it cannot hold a limit that ends by itself"),
        ({"lease_slack": None}, "its clock is unknown"),
        ({"lease_slack": timedelta(hours=1)}, "its clock is too far off"),
    ],
)
async def test_a_station_that_cannot_be_controlled_gets_nothing_above_its_safe_power_and_is_told_r6(
    park, transactions, values, reason
):
    await park.arrive(cp1=6400.0)
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(**values))
    await park.cycle()
    assert (await park.alarms())["uncontrollable", "cp1/1"] == {"reason": reason}
    async with transactions() as tx:
        assert (await tx.session.scalars(select(LimitRow))).all() == []


async def test_a_station_that_never_came_is_unproven_for_that_and_not_for_its_profile(park, transactions):
    await park.arrive(cp1=6400.0)
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(connection_id=None, last_seen_at=None))
        await tx.session.execute(update(EvseRow).values(default_verified_at=None))
    await park.cycle()
    assert (await park.alarms())["unproven", "cp1/1"] == {"reason": "it has never connected"}


async def test_a_station_that_never_came_is_not_told_as_uncontrollable(park, transactions):
    await park.arrive(cp1=6400.0)
    async with transactions() as tx:
        unseen = {"lease_slack": None, "connection_id": None, "last_seen_at": None}
        await tx.session.execute(update(StationRow).values(**unseen))
    await park.cycle()
    assert await park.alarms() == {}


async def test_an_unknown_clock_is_told_once_a_car_waits_for_the_station(park, transactions):
    await park.arrive(cp1=6400.0)
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(lease_slack=None))
        await tx.session.execute(update(EvseRow).values(occupancy="free"))
    await park.cycle()
    assert await park.alarms() == {}
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).values(occupancy="occupied"))
    await park.cycle()
    assert ("uncontrollable", "cp1/1") in await park.alarms()


async def test_a_slow_clock_lengthens_what_the_ledger_counts(park, transactions):
    await park.arrive(cp1=6400.0)
    async with transactions() as tx:
        await proofs.note_slack(tx, "cp1", timedelta(minutes=2))
    await park.cycle()
    async with transactions() as tx:
        (row,) = (await tx.session.scalars(select(LimitRow))).all()
        assert row.ends_at - row.lease_ends_at == timedelta(minutes=2)


async def test_a_clock_that_turns_out_slow_lengthens_the_leases_that_run_already_but_none_that_ended_r6(
    park, transactions
):
    await park.arrive(cp1=6400.0, cp2=2000.0)
    await park.cycle()
    async with transactions() as tx:
        await record_facts(tx, "cp2", [SessionEnded(1, tx.now, tx.now, "tx-cp2", 10.0, "stop")])
        for station_id in ("cp1", "cp2"):
            await proofs.note_slack(tx, station_id, timedelta(minutes=4))
    async with transactions() as tx:
        runs, over = (await tx.session.scalars(select(LimitRow).order_by(LimitRow.evse_id))).all()
        assert runs.ends_at - runs.lease_ends_at == timedelta(minutes=4)
        assert over.ends_at == tx.now
        await proofs.note_slack(tx, "cp1", timedelta(seconds=30))
    async with transactions() as tx:
        runs = (await tx.session.scalars(select(LimitRow).order_by(LimitRow.evse_id))).first()
        assert runs.ends_at - runs.lease_ends_at == timedelta(minutes=4)


async def test_limits_sent_in_w_count_as_they_may_flow_once_the_station_takes_a(park, transactions):
    await park.arrive(cp1=4500.0)
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(rate_unit="W"))
    await park.cycle()
    async with transactions() as tx:
        await proofs.record(tx, "cp1", 1, PROVEN)
    async with transactions() as tx:
        (sent,) = (await tx.session.scalars(select(LimitRow))).all()
        assert (sent.power_w, sent.is_closed) == (pytest.approx(5000.0), False)  # 25 A at 180 V
    park.clock.advance(seconds=13)
    await park.cycle()
    assert await park.limit_w("cp1") == 4500.0


async def test_another_unit_has_all_defaults_of_the_station_proven_anew_and_drops_what_was_not_sent(park, transactions):
    await park.arrive(cp1=4500.0)
    async with transactions() as tx:
        await limits.allocate_site(tx, "north")
    async with transactions() as tx:
        station = await tx.session.get_one(StationRow, "cp1")
        await proofs.spell(tx, station, RateUnit.W)
    async with transactions() as tx:
        assert [each.evse_number for each in await proofs.due(tx, "cp1")] == [1]
        (order,) = (await tx.session.scalars(select(LimitRow))).all()
        assert (order.outcome, order.is_closed) == ("unsent", True)
