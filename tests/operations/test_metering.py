import asyncio
from datetime import timedelta

import pytest
from rows import MORNING, add_driver, add_site, add_station, dump
from sqlalchemy import func, select

from app.domain.facts import Activity, Metered, Sample, SessionEnded, SessionStarted, SessionUpdated
from app.operations.metering import is_running, record_metered, record_together
from app.operations.station_facts import record_facts
from app.store.session import MeterValueRow, SessionRow
from app.store.station import EvseRow, QuarantineRow, StationRow

pytestmark = pytest.mark.database


def at(minutes):
    return MORNING + timedelta(minutes=minutes)


def metered(minutes, register_wh=None, power_w=None, ref="tx-cp1", evse_number=1, samples=None):
    if samples is None:
        samples = () if register_wh is None else (Sample("Energy.Active.Import.Register", register_wh, "Wh"),)
    return Metered(evse_number, at(minutes), at(minutes), ref, register_wh, power_w, samples)


@pytest.fixture
async def park(transactions, clock):
    """Two stations, each with a car that arrived at 7:00 with its register at 1 kWh; now it is 8:00."""
    async with transactions() as tx:
        await add_site(tx)
        await add_driver(tx)
        for station_id in ("cp1", "cp2"):
            await add_station(tx, station_id)
            start = SessionStarted(1, MORNING, MORNING, f"tx-{station_id}", "CARD-1", 1000.0, "start")
            await record_facts(tx, station_id, [start])
    clock.advance(hours=1)


@pytest.fixture
def meter(transactions, park):
    async def meter(*batch):
        async with transactions() as tx:
            doubts = await record_metered(tx, batch)
            return doubts, "site.north.changed" in tx.rings

    return meter


@pytest.fixture
def delivered_wh(transactions):
    async def delivered_wh():
        async with transactions() as tx:
            rows = await tx.session.scalars(select(SessionRow).order_by(SessionRow.station_id))
            return [row.delivered_wh for row in rows]

    return delivered_wh


async def evse_power(transactions):
    async with transactions() as tx:
        row = await tx.session.scalar(select(EvseRow).where(EvseRow.station_id == "cp1"))
        return row.power_w, row.metered_at


async def test_values_of_several_stations_are_recorded_together(transactions, meter, delivered_wh):
    await meter(("cp1", metered(59, 3000.0)), ("cp2", metered(59, 2000.0, ref="tx-cp2")), ("cp1", metered(60, 3500.0)))
    assert await delivered_wh() == [2500.0, 1000.0]
    async with transactions() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(MeterValueRow)) == 3


async def test_a_station_whose_registers_are_all_in_kwh_is_told_of_by_its_power(meter):
    await meter(("cp1", metered(58, 1001.0, 6000.0)))
    doubts, _ = await meter(("cp1", metered(59, 1001.1, 6000.0)), ("cp2", metered(59, 1100.0, 6000.0, ref="tx-cp2")))
    assert doubts == ["the register grows a thousand times slower than the power says"]


async def test_repeated_values_change_nothing(transactions, meter):
    batch = [("cp1", metered(59, 3000.0, 6000.0)), ("cp1", metered(59, 2000.0)), ("cp1", metered(59, 9e6))]
    await meter(*batch)
    tables = ("meter_value", "evse", "charging_session", "quarantine")
    async with transactions() as tx:
        before = await dump(tx, *tables)
    await meter(*batch, *batch)
    async with transactions() as tx:
        assert await dump(tx, *tables) == before


async def test_every_sample_has_its_own_row_and_phases_do_not_collide(transactions, meter):
    samples = tuple(Sample("Voltage", 230.0 + number, "V", phase) for number, phase in enumerate(("L1", "L2", "")))
    await meter(("cp1", metered(59, samples=samples)))
    async with transactions() as tx:
        values = set(await tx.session.scalars(select(MeterValueRow.value)))
    assert values == {230.0, 231.0, 232.0}


async def test_power_moves_only_to_newer_and_fresh_readings(transactions, meter):
    await meter(("cp1", metered(59, power_w=6000.0)))
    await meter(("cp1", metered(58, power_w=1.0)), ("cp1", metered(59, power_w=2.0)))
    assert await evse_power(transactions) == (6000.0, at(59))


async def test_readings_older_than_five_minutes_are_kept_but_are_not_live(transactions, meter, delivered_wh):
    await meter(("cp1", metered(54, 3000.0, power_w=6000.0)))
    assert await evse_power(transactions) == (None, None)
    assert await delivered_wh() == [2000.0, 0.0]


async def test_a_clock_that_runs_ahead_does_not_block_later_power(transactions, meter):
    ahead = Metered(1, at(600), at(59), "tx-cp1", None, 6000.0)
    await meter(("cp1", ahead))
    await meter(("cp1", metered(60, power_w=3000.0)))
    assert await evse_power(transactions) == (3000.0, at(60))


async def test_without_a_reference_values_belong_to_the_session_that_runs_there(meter, delivered_wh):
    await meter(("cp1", metered(59, 3000.0, ref=None)), ("cp2", metered(59, 1500.0, ref="-1")))
    assert await delivered_wh() == [2000.0, 500.0]


async def test_values_from_before_the_session_are_not_its_energy(meter, delivered_wh):
    await meter(("cp1", metered(-1, 1500.0, ref=None)))
    assert await delivered_wh() == [0.0, 0.0]


async def test_late_values_of_an_ended_session_count_up_to_its_end(transactions, meter, delivered_wh):
    async with transactions() as tx:
        await record_facts(tx, "cp1", [SessionEnded(1, at(30), at(30), "tx-cp1", None, "end")])
    await meter(("cp1", metered(29, 2000.0)), ("cp1", metered(31, 5000.0)))
    assert await delivered_wh() == [1000.0, 0.0]


async def test_impossible_values_are_quarantined_and_the_rest_counts(transactions, meter, delivered_wh):
    doubts, _ = await meter(
        ("cp1", metered(50, 3000.0)),
        ("cp1", metered(51, 2999.0)),
        ("cp1", metered(52, 9e9)),
        ("cp2", metered(50, 1500.0, ref="tx-cp2", evse_number=5)),
        ("cp2", metered(51, -3.0, ref="tx-cp2")),
    )
    assert sorted(doubts) == [
        "the register grew faster than the EVSE can deliver",
        "the register is negative",
        "the register ran backwards",
        "the station has no EVSE 5",
    ]
    assert await delivered_wh() == [2000.0, 0.0]
    async with transactions() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(QuarantineRow)) == 4


async def test_values_of_the_main_meter_and_of_absurd_evses_are_harmless(transactions, meter):
    doubts, _ = await meter(
        ("cp1", metered(59, 5.0, ref=None, evse_number=0)), ("cp1", metered(59, 5.0, evse_number=1634030126))
    )
    assert doubts == ["the station has no EVSE 1634030126"]
    async with transactions() as tx:
        assert list(await tx.session.scalars(select(MeterValueRow.evse_number))) == [0]


async def test_values_of_a_station_that_is_not_provisioned_are_ignored(transactions, meter):
    assert await meter(("ghost", metered(59, 5.0, 100.0))) == ([], False)
    async with transactions() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(MeterValueRow)) == 0


async def test_the_planner_hears_of_material_changes_only(meter):
    assert (await meter(("cp1", metered(56, power_w=6000.0))))[1]
    assert not (await meter(("cp1", metered(57, 2000.0, power_w=6200.0))))[1]
    assert (await meter(("cp1", metered(58, power_w=5000.0))))[1]
    assert not (await meter(("cp1", metered(59, 8900.0))))[1]


async def test_the_planner_hears_when_a_session_has_what_it_needs(transactions, meter):
    async with transactions() as tx:
        row = await tx.session.scalar(select(SessionRow).where(SessionRow.station_id == "cp1"))
        row.need_wh = 4000.0
    assert not (await meter(("cp1", metered(58, 4900.0))))[1]
    assert (await meter(("cp1", metered(59, 5000.0))))[1]
    assert not (await meter(("cp1", metered(60, 5100.0))))[1]


async def test_texts_that_no_column_can_hold_are_cut(transactions, meter):
    odd = Sample("m\x00" * 90, 1.0, "u" * 99, "p" * 99, "l" * 99, "\ud800" * 99)
    await meter(("cp1", metered(59, ref="r\x00" * 90, samples=(odd,))))
    async with transactions() as tx:
        row = await tx.session.scalar(select(MeterValueRow))
    assert (row.measurand, row.unit, row.context) == ("m" * 64, "u" * 16, "?" * 32)


async def test_batches_that_hold_the_same_evses_in_another_order_do_not_deadlock(meter, delivered_wh):
    first = [("cp1", metered(40, 2000.0)), ("cp2", metered(40, 2000.0, ref="tx-cp2"))]
    await asyncio.gather(*(meter(*batch) for batch in (first, first[::-1]) * 5))
    assert await delivered_wh() == [1000.0, 1000.0]


async def test_values_that_name_a_session_but_no_evse_count_where_the_session_is(meter, delivered_wh, transactions):
    doubts, rang = await meter(("cp2", metered(59, 3000.0, 4000.0, ref="tx-cp2", evse_number=0)))
    assert (doubts, rang) == ([], True)
    assert await delivered_wh() == [0.0, 2000.0]
    async with transactions() as tx:
        power = select(EvseRow.power_w).where(EvseRow.station_id == "cp2")
        assert (await tx.session.scalars(power)).one() == 4000.0
        numbers = await tx.session.scalars(select(MeterValueRow.evse_number).where(MeterValueRow.station_id == "cp2"))
        assert set(numbers) == {1}


async def test_a_station_that_only_meters_is_seen(meter, transactions, clock):
    clock.advance(minutes=3)
    await meter(("cp1", metered(30, 3000.0)))
    async with transactions() as tx:
        seen = dict((await tx.session.execute(select(StationRow.station_id, StationRow.last_seen_at))).all())
        assert seen["cp1"] == tx.now
        assert seen["cp2"] != tx.now


def updated(minutes, activity=Activity.CHARGING, station_id="cp1", evse_number=1, **more):
    key = f"event:{station_id}:{minutes}:{activity}"
    values = {"station_ref": f"tx-{station_id}", "business_key": key, "activity": activity} | more
    return SessionUpdated(evse_number=evse_number, at=at(minutes), received_at=at(minutes), **values)


CALLS = [
    ("cp1", (updated(50), metered(50, 2000.0, 3000.0))),
    ("cp2", (updated(51, station_id="cp2", evse_number=0), metered(51, 1500.0, ref="tx-cp2", evse_number=0))),
    ("cp1", (updated(40, Activity.PAUSED_BY_EV), metered(40, 1500.0))),
    ("cp1", (updated(50), metered(50, 2000.0, 3000.0))),
    ("cp1", (updated(52, Activity.PAUSED_BY_STATION, offline=True),)),
    ("cp2", (updated(53, Activity.PAUSED_BY_EV, "cp2", evse_number=7), metered(53, 1600.0, ref="tx-cp2"))),
    ("cp2", (updated(54, None, "cp2"), metered(54, 1700.0, 7000.0, ref="tx-cp2"))),
]
TABLES = ("meter_value", "evse", "charging_session", "session_message")


async def test_calls_recorded_together_say_what_they_say_one_by_one_2_0_1_e02(transactions, park):
    class Undone(Exception):
        pass

    async def outcome(*steps):
        try:
            async with transactions() as tx:
                for step in steps:
                    await step(tx)
                await tx.session.flush()
                rows = await dump(tx, *TABLES)
                raise Undone
        except Undone:
            return rows, tx.rings

    def alone(station_id, facts):
        return lambda tx: record_facts(tx, station_id, facts)

    one_by_one = await outcome(*(alone(station_id, facts) for station_id, facts in CALLS))
    together = await outcome(lambda tx: record_together(tx, CALLS))
    assert together == one_by_one
    assert len(together[0]["session_message"]) == 2 + 6


async def test_a_call_of_an_unknown_session_is_left_to_be_recorded_alone(transactions, park):
    unknown = ("cp1", (updated(49, station_ref="lost"), metered(49, 2000.0, ref="lost")))
    async with transactions() as tx:
        assert await record_together(tx, [unknown, CALLS[0]]) == [None, ()]
        rows = await dump(tx, "session_message", "meter_value")
    assert [row["station_ref"] for row in rows["session_message"]].count("lost") == 0
    assert [row["station_ref"] for row in rows["meter_value"]] == ["tx-cp1"]


def test_only_calls_of_running_sessions_share_a_transaction():
    assert is_running((updated(1), metered(1)))
    assert not is_running(())
    assert not is_running((updated(1, token="CARD-1"),))
    assert not is_running((SessionStarted(1, MORNING, MORNING, "tx", None, None, "start"), metered(1)))
