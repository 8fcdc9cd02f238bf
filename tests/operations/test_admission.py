import uuid
from datetime import timedelta

import pytest
from rows import KEY, MORNING, add_site, add_station
from sqlalchemy import event, func, select, update

from app.domain.identity import Knock, Proof, StationAdmitted, StationRefused
from app.operations import admission
from app.operations.admission import Arrival, Departure
from app.store.plan import LimitRow
from app.store.session import SessionRow
from app.store.site import SiteRow
from app.store.station import EvseRow, StationRow, StrangerRow
from app.store.upkeep import StationEventRow

pytestmark = pytest.mark.database


@pytest.fixture
async def park(transactions):
    async with transactions() as tx:
        await add_site(tx)
        await add_station(tx, "cp1", connection_id=None)
        await add_station(tx, "open", security_profile=0, key_salt=None, key_hash=None, needs_boot=True, dialect=None)


@pytest.fixture
def admit(transactions, park):
    async def admit(identity, key, **proved):
        async with transactions() as tx:
            return (await admission.admit(tx, [Knock(identity, key, Proof(**proved))]))[0]

    return admit


@pytest.mark.parametrize("key", [KEY, KEY.hex().encode(), KEY.hex().upper().encode()])
async def test_the_right_key_is_admitted_raw_or_as_its_hexadecimal_text(admit, key):
    assert await admit("cp1", key) == StationAdmitted("cp1", "ocpp1.6", needs_boot=False)


@pytest.mark.parametrize("key", [None, b"", b"wrong", KEY + b"x", KEY[:-1], b"\xff\x00"])
async def test_a_wrong_or_missing_key_is_refused(admit, key):
    assert await admit("cp1", key) == StationRefused("no key" if key is None else "wrong key")


async def test_refusals_become_one_security_event_of_the_station_each_however_often_they_come(
    transactions, park, clock
):
    for number in range(5):
        async with transactions() as tx:
            await admission.note_refusal(tx, "cp1", "wrong key", f"10.0.0.{number}", 2)
    async with transactions() as tx:
        await admission.note_refusal(tx, "cp1", "lower profile", "10.0.0.1")
    async with transactions() as tx:
        rows = (await tx.session.scalars(select(StationEventRow).order_by(StationEventRow.event_id))).all()
        assert [(row.kind, row.name, row.detail) for row in rows] == [
            ("security", "wrong_key", {"address": "10.0.0.4", "attempt_count": 10, "found_by": "sunslot"}),
            ("security", "lower_profile", {"address": "10.0.0.1", "attempt_count": 1, "found_by": "sunslot"}),
        ]


CP1 = StationRow.station_id == "cp1"
TLS = {"is_tls": True}
HIS = {"is_tls": True, "common_name": "SN-1", "organisation": "Sunslot"}


@pytest.mark.parametrize(
    ("profile", "used"),
    [(profile, used) for profile in range(4) for used in range(4)],
)
async def test_a_station_is_let_in_at_its_security_profile_or_above_a00(transactions, park, admit, profile, used):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).where(CP1).values(security_profile=profile, expected_serial="SN-1"))
    key, proved = [(None, {}), (KEY, {}), (KEY, TLS), (None, HIS)][used]
    assert isinstance(await admit("cp1", key, **proved), StationAdmitted) == (used >= profile)


async def test_a_certificate_counts_only_for_the_expected_serial_over_tls_and_from_our_organisation(
    transactions, park, admit
):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).where(CP1).values(security_profile=3))
    assert await admit("cp1", KEY, **HIS) == StationRefused("foreign certificate")
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).where(CP1).values(expected_serial="SN-1"))
    assert await admit("cp1", None, **HIS) == StationAdmitted("cp1", "ocpp1.6", False, "SN-1")
    assert await admit("cp1", KEY, **HIS | {"common_name": "SN-2"}) == StationRefused("foreign certificate")
    assert await admit("cp1", KEY, **HIS | {"common_name": None}) == StationRefused("lower profile")
    assert await admit("cp1", None, **TLS) == StationRefused("no certificate")
    async with transactions() as tx:
        for organisation, admitted in (("Sunslot", StationAdmitted), ("Other", StationRefused)):
            (decision,) = await admission.admit(tx, [Knock("cp1", None, Proof(**HIS))], organisation)
            assert isinstance(decision, admitted)


async def test_the_first_login_at_the_target_raises_the_profile_for_good_a05(transactions, park, admit):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).where(CP1).values(target_profile=2))
    assert isinstance(await admit("cp1", KEY), StationAdmitted)
    assert isinstance(await admit("cp1", KEY), StationAdmitted), "not reached yet"
    assert isinstance(await admit("cp1", b"wrong", **TLS), StationRefused)
    assert isinstance(await admit("cp1", KEY, **TLS), StationAdmitted)
    async with transactions() as tx:
        station = await tx.session.get_one(StationRow, "cp1")
        assert (station.security_profile, station.target_profile) == (2, None)
    assert await admit("cp1", KEY) == StationRefused("lower profile")
    assert isinstance(await admit("cp1", KEY, **TLS), StationAdmitted)


async def test_either_key_logs_in_until_the_pending_one_is_used_then_the_old_one_is_dead(transactions, park, admit):
    new = b"new-key-new-key-new"
    async with transactions() as tx:
        pending = {"pending_salt": b"other", "pending_hash": admission.hash_key(b"other", new)}
        await tx.session.execute(update(StationRow).where(CP1).values(pending))
    assert isinstance(await admit("cp1", KEY), StationAdmitted)
    assert isinstance(await admit("cp1", new.hex().encode()), StationAdmitted)
    assert await admit("cp1", KEY) == StationRefused("wrong key")
    assert isinstance(await admit("cp1", new), StationAdmitted)
    async with transactions() as tx:
        assert (await tx.session.get_one(StationRow, "cp1")).pending_hash is None


async def test_unknown_wrong_and_too_low_cost_the_same_statements(transactions, park, engine):
    statements = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *each: statements.append(each[2]))
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).where(CP1).values(security_profile=2))
    costs = set()
    for identity, key, reason in (
        ("nobody", KEY, "unknown identity"),
        ("nobody", None, "unknown identity"),
        ("cp1", b"wrong", "wrong key"),
        ("cp1", None, "no key"),
        ("cp1", KEY, "lower profile"),
    ):
        statements.clear()
        async with transactions() as tx:
            assert await admission.admit(tx, [Knock(identity, key)]) == [StationRefused(reason)]
        costs.add(tuple(statements))
    assert len(costs) == 1
    assert len(next(iter(costs))) == 1


async def test_a_station_marked_for_profile_0_needs_no_key(admit):
    assert await admit("open", None) == StationAdmitted("open", None, needs_boot=True)


@pytest.mark.parametrize("identity", ["CP1", "nobody", "", "x" * 49, "cp1\x00", "a\nb", "\ud800"])
async def test_an_unknown_identity_is_refused(admit, identity):
    assert await admit(identity, KEY) == StationRefused("unknown identity")


async def test_strangers_are_listed_with_their_attempts_and_bounded(transactions, park, clock):
    async with transactions() as tx:
        await admission.note_refusal(tx, "nobody", "unknown identity", "10.0.0.8", 2)
        await admission.note_refusal(tx, "nobody", "unknown identity", "10.0.0.9")
        for identity in ("x" * 49, "cp1\x00", "", "\ud800"):
            await admission.note_refusal(tx, identity, "unknown identity", "10.0.0.9")
    async with transactions() as tx:
        (row,) = list(await tx.session.scalars(select(StrangerRow)))
    assert (row.identity, row.attempt_count, row.address) == ("nobody", 3, "10.0.0.9")
    async with transactions() as tx:
        tx.session.add_all(
            StrangerRow(identity=f"s{number}", first_seen_at=MORNING, last_seen_at=MORNING, attempt_count=1, address="")
            for number in range(1000)
        )
    clock.advance(minutes=1)
    async with transactions() as tx:
        await admission.note_refusal(tx, "newest", "unknown identity", "10.0.0.9")
    async with transactions() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(StrangerRow)) == 1000
        assert await tx.session.get(StrangerRow, "newest") is not None


async def test_the_late_close_of_an_old_socket_does_not_unregister_the_new_one(transactions, park):
    async with transactions() as tx:
        await admission.move(tx, [Arrival("cp1", "ocpp1.6", "old")])
    async with transactions() as tx:
        await admission.move(tx, [Arrival("cp1", "ocpp2.0.1", "new")])
    async with transactions() as tx:
        await admission.move(tx, [Departure("cp1", "old")])
    async with transactions() as tx:
        station = await tx.session.get_one(StationRow, "cp1")
        assert (station.connection_id, station.connected_dialect, station.connected_at) == ("new", "ocpp2.0.1", MORNING)
        await admission.move(tx, [Departure("cp1", "new")])
    async with transactions() as tx:
        assert (await tx.session.get_one(StationRow, "cp1")).connection_id is None


async def test_moves_that_come_together_end_as_they_would_one_by_one(transactions, park):
    moves = [Arrival("cp1", "ocpp1.6", "old"), Arrival("open", "ocpp1.6", "one"), Departure("open", "one")]
    async with transactions() as tx:
        await admission.move(tx, [*moves, Arrival("cp1", "ocpp2.0.1", "new"), Departure("cp1", "old")])
    async with transactions() as tx:
        assert (await tx.session.get_one(StationRow, "cp1")).connection_id == "new"
        assert (await tx.session.get_one(StationRow, "open")).connection_id is None


async def test_connecting_wakes_no_site_where_no_limit_is_wanted_or_in_force(transactions, park):
    async with transactions() as tx:
        await admission.move(tx, [Departure("cp1", "another"), Arrival("gone", "ocpp1.6", "one")])
        assert tx.rings == set()
        await admission.move(tx, [Arrival("cp1", "ocpp1.6", "one")])
        assert tx.rings == {"station.cp1.orders"}


async def test_connecting_wakes_planner_limits_and_the_stations_own_loop_where_a_limit_may_be_in_force(
    transactions, park
):
    await an_open_limit(transactions, "cp1")
    for move in (Arrival("cp1", "ocpp1.6", "one"), Departure("cp1", "one")):
        async with transactions() as tx:
            await admission.move(tx, [move])
            assert tx.rings == {"site.north.changed", "site.north.limits", "station.cp1.orders"}


async def an_open_limit(transactions, station_id):
    async with transactions() as tx:
        site = await tx.session.get_one(SiteRow, "north")
        evse = (await tx.session.scalars(select(EvseRow).where(EvseRow.station_id == station_id))).one()
        charging = SessionRow(
            session_id=uuid.uuid4(),
            site_id=site.site_id,
            station_id=station_id,
            evse_id=evse.evse_id,
            station_ref="1",
            start_key="1",
            started_at=MORNING,
            delivered_wh=0.0,
            departs_at=MORNING,
            need_wh=0.0,
            intent_source="assumed",
            is_offline_replay=False,
        )
        tx.session.add(charging)
        await tx.session.flush()
        tx.session.add(
            LimitRow(
                evse_id=evse.evse_id,
                session_id=charging.session_id,
                power_w=1000.0,
                reason="plan",
                intended_at=MORNING,
                ends_at=MORNING + timedelta(hours=1),
                is_closed=False,
            )
        )


async def test_at_start_up_nobody_is_connected(transactions, park):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(connection_id="before"))
        await admission.forget_connections(tx)
    async with transactions() as tx:
        assert set(await tx.session.scalars(select(StationRow.connection_id))) == {None}
