import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rows import CARD, MORNING, add_booking, add_car, add_driver, add_site, add_station, dump
from sqlalchemy import func, select, text, update

from app.domain.errors import NotFound
from app.domain.facts import (
    Activity,
    BootStatus,
    Metered,
    Occupancy,
    Sample,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationSeen,
    StatusReported,
    Suspicious,
    TokenPresented,
    TokenStatus,
)
from app.operations.station_facts import record_facts
from app.store.base import Base
from app.store.driver import BookingRow, TokenRow
from app.store.session import SessionMessageRow, SessionRow
from app.store.station import EvseRow, QuarantineRow, StationRow

pytestmark = pytest.mark.database

TABLES = (
    "charging_session",
    "session_message",
    "meter_value",
    "evse",
    "quarantine",
    "booking",
    "station",
    "limit_entry",
)


def at(minutes=0.0):
    return MORNING + timedelta(minutes=minutes)


def started(minutes=0.0, key="start-1", ref=None, token=CARD, meter_start_wh=1000.0, evse_number=1, **changes):
    return SessionStarted(evse_number, at(minutes), at(minutes), ref, token, meter_start_wh, key, **changes)


def updated(minutes=1.0, key="update-1", ref="tx-1", evse_number=1, **changes):
    return SessionUpdated(evse_number, at(minutes), at(minutes), ref, key, **changes)


def ended(minutes=60.0, key="end-1", ref="tx-1", meter_stop_wh=None, **changes):
    return SessionEnded(None, at(minutes), at(minutes), ref, meter_stop_wh, key, **changes)


def metered(minutes, register_wh, power_w=None, ref="tx-1", evse_number=1):
    samples = (Sample("Energy.Active.Import.Register", register_wh, "Wh"),)
    return Metered(evse_number, at(minutes), at(minutes), ref, register_wh, power_w, samples)


def status(minutes, occupancy=None, activity=None, evse_number=1, fault=None):
    return StatusReported(evse_number, at(minutes), at(minutes), occupancy, activity, fault)


def booted(minutes=0.0, **changes):
    values = {"vendor": "Acme", "model": "M1", "serial": "S1", "firmware": "1.0"}
    return StationBooted(at(minutes), at(minutes), **(values | changes))


@pytest.fixture
async def park(transactions):
    """A site with one station of two EVSEs and one driver."""
    async with transactions() as tx:
        await add_site(tx)
        await add_station(tx, evses=2)
        await add_driver(tx)


@pytest.fixture
def tell(transactions, park):
    async def tell(*facts):
        async with transactions() as tx:
            return await record_facts(tx, "cp1", facts)

    return tell


@pytest.fixture
def sessions(transactions):
    async def sessions():
        async with transactions() as tx:
            return list(await tx.session.scalars(select(SessionRow).order_by(SessionRow.started_at)))

    return sessions


@pytest.fixture
def evse(transactions):
    async def evse(number=1):
        async with transactions() as tx:
            return await tx.session.scalar(select(EvseRow).where(EvseRow.evse_number == number))

    return evse


@pytest.fixture
def reasons(transactions):
    async def reasons():
        async with transactions() as tx:
            return list(await tx.session.scalars(select(QuarantineRow.reason).order_by(QuarantineRow.quarantine_id)))

    return reasons


async def test_a_boot_of_a_commissioned_station_is_accepted_and_its_defaults_are_read_again(transactions, tell, evse):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(needs_boot=True))
    assert (await tell(booted())).boot_status is BootStatus.ACCEPTED
    assert (await evse()).default_verified_at is None
    async with transactions() as tx:
        station = await tx.session.get_one(StationRow, "cp1")
    assert (station.needs_boot, station.vendor, station.serial, station.booted_at) == (False, "Acme", "S1", MORNING)


async def test_a_boot_of_a_station_that_is_not_commissioned_stays_pending(transactions, tell):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(needs_boot=True, is_commissioned=False))
    assert (await tell(booted())).boot_status is BootStatus.PENDING
    async with transactions() as tx:
        assert (await tx.session.get_one(StationRow, "cp1")).needs_boot


async def test_facts_of_an_unknown_station_are_an_error_of_ours(transactions):
    async with transactions() as tx:
        with pytest.raises(NotFound):
            await record_facts(tx, "nobody", [StationSeen(MORNING, MORNING)])


async def test_a_status_moves_live_state_only_forwards(tell, evse):
    await tell(status(5, Occupancy.OCCUPIED, Activity.CHARGING))
    await tell(status(4, Occupancy.FREE, Activity.NONE))
    row = await evse()
    assert (row.occupancy, row.activity, row.status_at) == ("occupied", "charging", at(5))
    await tell(status(5, Occupancy.FAULTED, None, fault="GroundFailure"))
    row = await evse()
    assert (row.occupancy, row.activity, row.fault) == ("faulted", "charging", "GroundFailure")


async def test_a_status_of_an_evse_that_the_station_does_not_have_is_quarantined(tell, reasons):
    recorded = await tell(status(0, Occupancy.FREE, evse_number=9), status(0, Occupancy.FREE, evse_number=0))
    assert recorded.quarantined == ("the station has no EVSE 9",)
    assert await reasons() == ["the station has no EVSE 9"]


@pytest.mark.parametrize(
    ("token", "changes", "expected"),
    [
        ("CARD-1", {}, TokenStatus.ACCEPTED),
        ("card-1", {}, TokenStatus.ACCEPTED),
        ("CARD-1", {"is_blocked": True}, TokenStatus.BLOCKED),
        ("CARD-1", {"expires_at": MORNING}, TokenStatus.EXPIRED),
        ("CARD-1", {"expires_at": MORNING + timedelta(seconds=1)}, TokenStatus.ACCEPTED),
        ("CARD-2", {}, TokenStatus.INVALID),
        ("CARD-1\x00\ud800", {}, TokenStatus.INVALID),
    ],
)
async def test_a_presented_token_is_looked_up_case_insensitively(transactions, tell, token, changes, expected):
    if changes:
        async with transactions() as tx:
            await tx.session.execute(update(TokenRow).values(**changes))
    assert (await tell(TokenPresented(token, MORNING, MORNING))).token_status is expected


async def test_a_start_issues_a_positive_31_bit_reference_and_a_repetition_gets_the_same(tell, sessions):
    first = await tell(started())
    assert 0 < int(first.station_ref) < 2**31
    assert first.token_status is TokenStatus.ACCEPTED
    assert await tell(started()) == first
    (row,) = await sessions()
    assert (row.station_ref, row.started_at, row.meter_start_wh) == (first.station_ref, MORNING, 1000.0)


async def test_without_a_booking_the_sites_default_is_assumed(tell, sessions):
    await tell(started())
    (row,) = await sessions()
    assert (row.intent_source, row.need_wh, row.departs_at) == ("assumed", 12_000.0, at(8 * 60))
    assert row.driver_id is not None


async def test_a_booking_of_the_tokens_driver_gives_the_intent_and_becomes_arrived(transactions, tell, sessions):
    async with transactions() as tx:
        driver_id = await tx.session.scalar(select(TokenRow.driver_id))
        car = await add_car(tx, driver_id, 3000.0)
        evse_id = await tx.session.scalar(select(EvseRow.evse_id).where(EvseRow.evse_number == 2))
        await add_booking(tx, driver_id, evse_id, at(5), at(300), vehicle_id=car)
    await tell(started(minutes=1))
    (row,) = await sessions()
    assert (row.intent_source, row.need_wh, row.departs_at) == ("booking", 9_000.0, at(300))
    assert row.max_charge_w == 3000.0
    async with transactions() as tx:
        booking = await tx.session.scalar(select(BookingRow))
    assert (booking.state, booking.evse_id) == ("arrived", row.evse_id)


async def test_a_drivers_only_car_limits_the_session(transactions, tell, sessions):
    async with transactions() as tx:
        await add_car(tx, await tx.session.scalar(select(TokenRow.driver_id)), 3300.0)
    await tell(started())
    assert [row.max_charge_w for row in await sessions()] == [3300.0]


async def test_a_start_with_an_unknown_token_is_stored_answered_and_wants_nothing(tell, sessions):
    recorded = await tell(started(token="STRANGER"))
    assert recorded.token_status is TokenStatus.INVALID
    assert recorded.station_ref is not None
    (row,) = await sessions()
    assert (row.driver_id, row.token, row.need_wh) == (None, "STRANGER", 0.0)


async def test_a_start_at_an_evse_that_does_not_exist_is_answered_and_quarantined(tell, sessions, reasons):
    first = await tell(started(evse_number=7))
    again = await tell(started(evse_number=7))
    assert first.station_ref == again.station_ref is not None
    assert await sessions() == []
    assert await reasons() == ["the station has no EVSE 7"]


async def test_a_new_start_closes_the_session_that_still_runs_there(tell, sessions, reasons):
    old = (await tell(started())).station_ref
    await tell(started(minutes=30, key="start-2"))
    first, second = await sessions()
    assert (first.ended_at, first.end_reason) == (at(30), "superseded")
    assert second.ended_at is None
    assert await reasons() == [f"session {old} was still running at EVSE 1"]


async def test_the_late_end_of_a_closed_session_still_counts(tell, sessions):
    old = (await tell(started())).station_ref
    await tell(started(minutes=30, key="start-2"))
    await tell(ended(minutes=20, ref=old, meter_stop_wh=2500.0))
    first, _ = await sessions()
    assert (first.ended_at, first.delivered_wh) == (at(20), 1500.0)


async def test_an_offline_start_from_before_the_running_session_does_not_disturb_it(tell, sessions):
    await tell(started(minutes=30, key="live", ref="tx-live"))
    await tell(started(minutes=0, key="old", ref="tx-old", offline=True), ended(minutes=20, ref="tx-old", offline=True))
    old, live = await sessions()
    assert (old.station_ref, old.ended_at, old.is_offline_replay) == ("tx-old", at(20), True)
    assert (live.station_ref, live.ended_at) == ("tx-live", None)


async def test_offline_facts_do_not_move_live_state(tell, evse):
    await tell(status(1, Occupancy.FREE, Activity.NONE))
    await tell(
        started(minutes=2, ref="tx-1", offline=True, activity=Activity.CHARGING),
        updated(minutes=3, offline=True, activity=Activity.PAUSED_BY_EV),
        ended(minutes=4, offline=True),
    )
    row = await evse()
    assert (row.occupancy, row.activity, row.status_at, row.power_w) == ("free", "none", at(1), None)


async def test_a_car_that_comes_after_a_full_one_is_not_taken_for_full(tell, evse):
    await tell(status(1, Occupancy.OCCUPIED, Activity.PAUSED_BY_EV))
    await tell(started(minutes=2))
    assert (await evse()).activity == "connected"


async def test_energy_follows_the_register_and_an_end_frees_the_evse(tell, sessions, evse):
    await tell(started(ref="tx-1"), metered(30, 3000.0, 6000.0))
    assert (await evse()).power_w == 6000.0
    await tell(ended(meter_stop_wh=4000.0, reason="EVDisconnected"))
    (row,) = await sessions()
    assert (row.delivered_wh, row.meter_last_wh, row.ended_at) == (3000.0, 4000.0, at(60))
    assert row.end_reason == "EVDisconnected"
    assert ((await evse()).power_w, (await evse()).activity) == (0.0, "none")


async def test_impossible_registers_are_quarantined_and_the_end_counts(tell, sessions, reasons):
    await tell(started(ref="tx-1", meter_start_wh=-5.0), metered(10, 5000.0))
    recorded = await tell(ended(meter_stop_wh=4000.0))
    assert recorded.quarantined == ("the register ran backwards",)
    (row,) = await sessions()
    assert (row.delivered_wh, row.ended_at) == (0.0, at(60))
    assert await reasons() == ["the register is negative", "the register ran backwards"]


async def test_the_end_of_an_unknown_session_is_quarantined_once_and_answered(tell, sessions, reasons):
    for _ in range(2):
        await tell(ended(ref="-1"))
    assert await sessions() == []
    assert await reasons() == ["the end of an unknown session"]


async def test_a_second_end_with_another_key_changes_nothing(tell, sessions):
    await tell(started(ref="tx-1"), ended(meter_stop_wh=2000.0))
    recorded = await tell(ended(minutes=90, key="end-2", meter_stop_wh=3000.0))
    assert recorded.quarantined == ("another end of a session that is over",)
    assert [(row.ended_at, row.delivered_wh) for row in await sessions()] == [(at(60), 1000.0)]


@pytest.mark.ocpp("1.6", "StopTransaction")
async def test_a_second_stop_of_a_session_of_ours_is_the_same_one_whatever_it_says_1_6_4_10(tell, sessions, reasons):
    recorded = await tell(started())
    first = ended(ref=recorded.station_ref, meter_stop_wh=2000.0, issued_key="issued")
    again = ended(90, "end-2", recorded.station_ref, 3000.0, issued_key="issued")
    await tell(first)
    assert (await tell(again)).quarantined == ()
    assert [(row.ended_at, row.delivered_wh) for row in await sessions()] == [(at(60), 1000.0)]
    assert await reasons() == []


@pytest.mark.ocpp("1.6", "StopTransaction")
@pytest.mark.parametrize("ref", ["0", "-1", "77"])
async def test_stops_of_ids_that_were_never_issued_are_kept_by_time_and_register_1_6_4_10(tell, reasons, ref):
    for key in ("end-1", "end-1", "end-2"):
        await tell(ended(key=key, ref=ref, meter_stop_wh=2000.0, issued_key="issued"))
    assert await reasons() == ["the end of an unknown session"] * 2


async def test_an_update_of_an_unknown_session_creates_it_and_its_late_start_completes_it(tell, sessions, reasons):
    await tell(updated(minutes=5, activity=Activity.CHARGING), metered(6, 1500.0))
    (row,) = await sessions()
    assert (row.started_at, row.intent_source, row.delivered_wh) == (at(5), "assumed", 0.0)
    assert await reasons() == ["an update of an unknown session: its start was lost"]
    await tell(started(ref="tx-1", offline=True))
    (row,) = await sessions()
    assert (row.started_at, row.meter_start_wh, row.delivered_wh) == (MORNING, 1000.0, 500.0)
    assert len(await reasons()) == 1


async def test_a_late_update_never_reopens_an_ended_session(tell, sessions, evse):
    await tell(started(ref="tx-1"), ended())
    await tell(updated(minutes=30, activity=Activity.CHARGING))
    assert [row.ended_at for row in await sessions()] == [at(60)]
    assert (await evse()).activity == "none"


async def test_an_end_before_its_start_leaves_no_session_running(tell, sessions, reasons):
    await tell(started(key="live", ref="tx-live"))
    await tell(ended(), updated(minutes=30), started(minutes=2, ref="tx-1"))
    live, late = await sessions()
    assert (live.station_ref, live.ended_at) == ("tx-live", None)
    assert (late.station_ref, late.ended_at) == ("tx-1", at(60))
    assert await reasons() == [
        "the end of an unknown session",
        "an update of a session that is over, or at no EVSE of the station",
    ]


async def test_a_late_token_gives_a_running_session_its_driver(transactions, tell, sessions):
    await tell(started(ref="tx-1", token=None))
    recorded = await tell(updated(token="card-1"))
    assert recorded.token_status is TokenStatus.ACCEPTED
    (row,) = await sessions()
    assert row.driver_id is not None
    assert row.token == "card-1"


async def test_suspicious_messages_are_kept_with_their_payload_and_bounded(transactions, tell):
    await tell(Suspicious(MORNING, MORNING, "MeterValues", "not JSON \x00", '{"\ud800\x00'))
    await tell(*(Suspicious(MORNING, MORNING, "MeterValues", f"odd {number}", "") for number in range(520)))
    async with transactions() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(QuarantineRow)) == 500
        newest = select(QuarantineRow.reason).order_by(QuarantineRow.quarantine_id.desc()).limit(1)
        assert await tx.session.scalar(newest) == "odd 519"


async def test_texts_that_no_column_can_hold_are_cut_and_cleaned(tell, sessions):
    await tell(booted(vendor="x" * 500, model="\x00\ud800", serial=None))
    await tell(started(key="k" * 300, ref="r" * 200 + "\x00", token="t" * 999))
    await tell(ended(key="e" * 300, ref="r" * 200 + "\x00", reason="why\x00" * 100))
    (row,) = await sessions()
    assert row.ended_at == at(60)


async def test_what_changes_a_plan_rings_the_planner(tell, bus):
    with bus.listen("site.north.changed") as bell:
        for fact, rings in (
            (StationSeen(MORNING, MORNING), False),
            (status(0, Occupancy.FREE), True),
            (status(1, Occupancy.FREE), False),
            (started(ref="tx-1"), True),
            (started(ref="tx-1"), False),
            (ended(), True),
        ):
            await tell(fact)
            assert await bell.next(MORNING) is rings, fact


STORY = [
    booted(),
    status(0, Occupancy.FREE, Activity.NONE),
    started(minutes=1, ref="tx-1"),
    started(minutes=1, key="bad-evse", ref="tx-9", evse_number=9),
    started(minutes=2, key="other", ref="tx-2", evse_number=2, token=None),
    updated(minutes=3, activity=Activity.CHARGING),
    metered(4, 1200.0, 6000.0),
    metered(5, 1100.0, 6000.0),
    updated(minutes=5, key="lost", ref="tx-3", evse_number=2),
    updated(minutes=6, key="late-token", ref="tx-3", token="CARD-1"),
    status(7, Occupancy.OCCUPIED, Activity.PAUSED_BY_EV),
    ended(minutes=8, meter_stop_wh=1300.0),
    ended(minutes=9, key="end-9", ref="tx-77"),
    updated(minutes=7, key="late", activity=Activity.CHARGING),
    Suspicious(at(9), at(9), "BootNotification", "no vendor", "{}"),
    started(minutes=10, key="next", ref="tx-4"),
    ended(minutes=11, key="end-2", ref="tx-2"),
]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, len(STORY)), st.integers(0, len(STORY)))
def test_telling_any_part_of_a_story_again_changes_nothing(replay_database, first, length):
    before, after = replay_database(STORY, STORY[first : first + length])
    assert before == after


@pytest.fixture
def replay_database(database_url, clock, bus):
    """Tells a story to an empty park, then a part of it again; returns the rows before and after."""
    from app.operations.transaction import Transactions
    from app.store.base import create_engine

    def run(story, again):
        async def tell_both():
            engine = create_engine(database_url, pool_size=1)
            transactions = Transactions(engine, bus, clock)
            try:
                async with transactions() as tx:
                    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
                    await tx.session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
                    await add_site(tx)
                    await add_station(tx, evses=2)
                    await add_driver(tx)
                rows = []
                for part in (story, again):
                    for fact in part:
                        async with transactions() as tx:
                            await record_facts(tx, "cp1", [fact])
                    async with transactions() as tx:
                        rows.append(await dump(tx, *TABLES))
                return rows
            finally:
                await engine.dispose()

        return asyncio.run(tell_both())

    return run


async def test_two_sockets_of_a_station_telling_the_same_start_at_once_make_one_session(transactions, tell, sessions):
    answers = await asyncio.gather(*(tell(started()) for _ in range(5)))
    assert len({answer.station_ref for answer in answers}) == 1
    assert len(await sessions()) == 1
    async with transactions() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(SessionMessageRow)) == 1


async def test_impossible_times_are_stored(tell, sessions):
    early = datetime(1970, 1, 1, tzinfo=UTC)
    await tell(SessionStarted(1, early, MORNING, "tx-1", None, None, "start-1"))
    await tell(ended())
    assert [(row.started_at, row.ended_at) for row in await sessions()] == [(early, at(60))]
