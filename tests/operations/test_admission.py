import pytest
from rows import KEY, MORNING, add_site, add_station
from sqlalchemy import func, select, update

from app.domain.identity import StationAdmitted, StationRefused
from app.operations import admission
from app.store.station import QuarantineRow, StationRow, StrangerRow

pytestmark = pytest.mark.database


@pytest.fixture
async def park(transactions):
    async with transactions() as tx:
        await add_site(tx)
        await add_station(tx, "cp1", connection_id=None)
        await add_station(tx, "open", security_profile=0, key_salt=None, key_hash=None, needs_boot=True, dialect=None)


@pytest.fixture
def admit(transactions, park):
    async def admit(identity, key, address="10.0.0.1"):
        async with transactions() as tx:
            return await admission.admit(tx, identity, key, address)

    return admit


@pytest.mark.parametrize("key", [KEY, KEY.hex().encode(), KEY.hex().upper().encode()])
async def test_the_right_key_is_admitted_raw_or_as_its_hexadecimal_text(admit, key):
    assert await admit("cp1", key) == StationAdmitted("cp1", "ocpp1.6", needs_boot=False)


@pytest.mark.parametrize("key", [None, b"", b"wrong", KEY + b"x", KEY[:-1], b"\xff\x00"])
async def test_a_wrong_or_missing_key_is_refused_and_noted(admit, transactions, key):
    assert isinstance(await admit("cp1", key), StationRefused)
    async with transactions() as tx:
        assert await tx.session.scalar(select(QuarantineRow.action)) == "Handshake"


async def test_an_attacker_cannot_fill_the_quarantine_with_wrong_keys(admit, transactions):
    for _ in range(5):
        await admit("cp1", b"wrong")
    async with transactions() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(QuarantineRow)) == 1


async def test_a_station_marked_for_profile_0_needs_no_key(admit):
    assert await admit("open", None) == StationAdmitted("open", None, needs_boot=True)


@pytest.mark.parametrize("identity", ["CP1", "nobody", "", "x" * 49, "cp1\x00", "a\nb", "\ud800"])
async def test_an_unknown_identity_is_refused(admit, identity):
    assert await admit(identity, KEY) == StationRefused("unknown identity")


async def test_strangers_are_listed_with_their_attempts_and_bounded(admit, transactions, clock):
    for _ in range(3):
        await admit("nobody", None, "10.0.0.9")
    await admit("x" * 49, None)
    async with transactions() as tx:
        (row,) = list(await tx.session.scalars(select(StrangerRow)))
    assert (row.identity, row.attempt_count, row.address) == ("nobody", 3, "10.0.0.9")
    async with transactions() as tx:
        tx.session.add_all(
            StrangerRow(identity=f"s{number}", first_seen_at=MORNING, last_seen_at=MORNING, attempt_count=1, address="")
            for number in range(1000)
        )
    clock.advance(minutes=1)
    await admit("newest", None)
    async with transactions() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(StrangerRow)) == 1000
        assert await tx.session.get(StrangerRow, "newest") is not None


async def test_the_late_close_of_an_old_socket_does_not_unregister_the_new_one(transactions, park):
    async with transactions() as tx:
        await admission.connected(tx, "cp1", "ocpp1.6", "old")
    async with transactions() as tx:
        await admission.connected(tx, "cp1", "ocpp2.0.1", "new")
    async with transactions() as tx:
        await admission.disconnected(tx, "cp1", "old")
    async with transactions() as tx:
        station = await tx.session.get_one(StationRow, "cp1")
        assert (station.connection_id, station.connected_dialect, station.connected_at) == ("new", "ocpp2.0.1", MORNING)
        await admission.disconnected(tx, "cp1", "new")
    async with transactions() as tx:
        assert (await tx.session.get_one(StationRow, "cp1")).connection_id is None


async def test_connecting_wakes_planner_limits_and_the_stations_own_loop(transactions, park):
    async with transactions() as tx:
        await admission.connected(tx, "cp1", "ocpp1.6", "one")
        assert tx.rings == {"site.north.changed", "site.north.limits", "station.cp1.orders"}
    async with transactions() as tx:
        await admission.disconnected(tx, "cp1", "another")
        assert tx.rings == set()
        await admission.connected(tx, "gone", "ocpp1.6", "one")
        assert tx.rings == set()


async def test_at_start_up_nobody_is_connected(transactions, park):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(connection_id="before"))
        await admission.forget_connections(tx)
    async with transactions() as tx:
        assert set(await tx.session.scalars(select(StationRow.connection_id))) == {None}
