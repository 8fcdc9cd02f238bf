"""Security profiles 2 and 3 on real sockets, with certificates that the tests make."""

import asyncio
import contextlib
import re
import shutil
import ssl
import warnings
from dataclasses import replace
from functools import partial

import pytest
import uvloop
from charger import TIMEOUT_S, basic, plugged
from cryptography import x509
from pki import CLIENT, DAY, SERVER, Authority
from sqlalchemy import select, update
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidHandshake, InvalidStatus

from app.ocpp_central.doorway import Doorway, StationConnection
from app.ocpp_central.tls import SUITES, TlsMaterial
from app.store.station import StationRow
from app.store.upkeep import StationEventRow

pytestmark = pytest.mark.database

V16, V201 = "ocpp1.6", "ocpp2.0.1"
STANDARD = {
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
}
BROKEN = (OSError, InvalidHandshake, EOFError)


@pytest.fixture
def secured(start, pki, park):
    """Serve with a TLS listener."""
    return lambda **changes: start(**({"host": "localhost", "tls_port": 0, "tls_files": pki.files} | changes))


@contextlib.asynccontextmanager
async def over_tls(central, identity, context, dialect=V16, **options):
    async with plugged(central.tls_port, identity, dialect, ssl=context, **options) as charger:
        yield charger


async def set_station(transactions, station_id, **values):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).where(StationRow.station_id == station_id).values(**values))


async def findings(transactions, station_id):
    async with transactions() as tx:
        query = select(StationEventRow).where(StationEventRow.station_id == station_id)
        return {row.name: row.detail for row in await tx.session.scalars(query)}


@pytest.mark.parametrize("suite", [*SUITES, "TLSv1.3"])
async def test_each_suite_of_the_standard_works_a00_fr_318(secured, pki, suite):
    assert set(SUITES) == STANDARD
    context = pki.client()
    if suite == "TLSv1.3":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    else:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)
    async with secured() as central, over_tls(central, "cp16", context) as charger:
        tls = charger.socket.transport.get_extra_info("ssl_object")
        assert tls.version() == "TLSv1.3" if suite == "TLSv1.3" else tls.cipher()[0] == suite
        assert tls.compression() is None
        assert "currentTime" in await charger.call("Heartbeat", {})


async def test_another_suite_and_an_older_tls_are_refused_a00_fr_313(secured, pki):
    old = pki.client()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    other = pki.client()
    other.maximum_version = ssl.TLSVersion.TLSv1_2
    other.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:AES128-SHA")
    for context, reason in ((old, "UNSUPPORTED_PROTOCOL"), (other, "NO_SHARED_CIPHER")):
        assert server_says(TlsMaterial(pki.files).context(), context) == reason
    async with secured() as central:
        for context in (old, other):
            with pytest.raises(BROKEN):
                async with over_tls(central, "cp16", context):
                    pass


def server_says(server, client):
    """Why the server's side of a TLS handshake in memory fails; empty once it has answered."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(to_client, to_server, server_hostname="localhost").do_handshake()
    try:
        ours.do_handshake()
    except ssl.SSLWantReadError:
        return ""
    except ssl.SSLError as refused:
        return refused.reason
    raise AssertionError("nobody is done after one message")


def test_neither_compression_nor_renegotiation_nor_tickets(pki):
    context = TlsMaterial(pki.files).context()
    for option in (ssl.OP_NO_COMPRESSION, ssl.OP_NO_RENEGOTIATION, ssl.OP_NO_TICKET):
        assert context.options & option
    assert context.num_tickets == 0
    assert context.verify_mode == ssl.CERT_OPTIONAL
    assert server_says(context, pki.client()) == ""


async def test_profile_2_needs_tls_and_the_right_key(secured, pki, transactions):
    await set_station(transactions, "cp16", security_profile=2)
    async with secured() as central:
        async with over_tls(central, "cp16", pki.client()) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})
        for authorization in (basic("cp16", b"wrong"), None):
            with pytest.raises(InvalidStatus, match="401"):
                async with over_tls(central, "cp16", pki.client(), authorization=authorization):
                    pass
        with pytest.raises(InvalidStatus, match="401"):
            async with plugged(central.port, "cp16", V16):
                pass
    assert set(await findings(transactions, "cp16")) == {"wrong_key", "no_key", "lower_profile"}


@pytest.mark.parametrize(("identity", "dialect"), [("cp16", V16), ("cp201", V201)])
async def test_profile_3_needs_a_certificate_for_the_expected_serial(secured, pki, transactions, identity, dialect):
    await set_station(transactions, identity, security_profile=3, expected_serial="SN-1")
    right = pki.stations.leaf("SN-1", "rsa", purpose=CLIENT)
    other = pki.stations.leaf("SN-2", purpose=CLIENT)
    async with secured() as central:
        async with over_tls(central, identity, pki.client(right), dialect, authorization=None) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})
        for context, authorization in ((pki.client(other), None), (pki.client(), ""), (pki.client(), None)):
            with pytest.raises(InvalidStatus, match="401"):
                async with over_tls(central, identity, context, dialect, authorization=authorization):
                    pass
    assert set(await findings(transactions, identity)) == {"foreign_certificate", "lower_profile", "no_certificate"}


async def test_a_certificate_that_nobody_vouches_for_ends_the_tls_handshake_and_the_log_says_why(
    secured, pki, transactions, tmp_path
):
    await set_station(transactions, "cp16", security_profile=3, expected_serial="SN-1")
    stranger = Authority(tmp_path, "SN-1")
    for pair, reason in (
        (pki.stations.leaf("SN-1", purpose=CLIENT, start=-2 * DAY, end=-DAY), "certificate has expired"),
        (pki.stations.leaf("SN-1", purpose=CLIENT, start=DAY), "certificate is not yet valid"),
        (pki.stations.leaf("SN-1", purpose=SERVER), "unsuitable certificate purpose"),
        (stranger.leaf("SN-1", purpose=CLIENT), "self.signed certificate|unable to get local issuer certificate"),
    ):
        with capture_logs() as logs:
            async with secured() as central:
                with pytest.raises(BROKEN):
                    async with over_tls(central, "cp16", pki.client(pair), authorization=None) as charger:
                        await charger.call("Heartbeat", {})
                assert (central.counts["handshake_refused"], central.counts["tls_failed"]) == (0, 1)
        (said,) = [each["reason"] for each in logs if each["event"] == "tls_failed"]
        assert re.fullmatch(reason, said)


async def test_the_organisation_is_compared_where_one_is_set(secured, pki, transactions):
    await set_station(transactions, "cp16", security_profile=3, expected_serial="SN-1")
    ours = pki.stations.leaf("SN-1", purpose=CLIENT)
    theirs = pki.stations.leaf("SN-1", purpose=CLIENT, organisation="Other")
    async with secured(organisation="Sunslot") as central:
        async with over_tls(central, "cp16", pki.client(ours), authorization=None) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})
        with pytest.raises(InvalidStatus, match="401"):
            async with over_tls(central, "cp16", pki.client(theirs), authorization=None):
                pass


def boot(dialect, **serials):
    if dialect == V16:
        return {"chargePointVendor": "Acme", "chargePointModel": "One", **serials}
    return {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "One", **serials}}


@pytest.mark.ocpp("1.6", "BootNotification")
@pytest.mark.ocpp("2.0.1", "BootNotification")
@pytest.mark.parametrize(
    ("identity", "dialect", "field"),
    [
        ("cp16", V16, "chargePointSerialNumber"),
        ("cp16", V16, "chargeBoxSerialNumber"),
        ("cp201", V201, "serialNumber"),
    ],
)
async def test_a_boot_with_another_serial_than_the_certificates_closes_the_socket_b01_fr_12(
    secured, pki, transactions, identity, dialect, field
):
    await set_station(transactions, identity, security_profile=3, expected_serial="SN-1")
    right = pki.stations.leaf("SN-1", purpose=CLIENT)
    async with (
        secured() as central,
        over_tls(central, identity, pki.client(right), dialect, authorization=None) as charger,
    ):
        assert (await charger.call("BootNotification", boot(dialect, **{field: "SN-1"})))["status"] == "Accepted"
        assert (await charger.call("BootNotification", boot(dialect)))["status"] == "Accepted"
        await charger.send([2, "b", "BootNotification", boot(dialect, **{field: "SN-2"})])
        assert (await charger.closed())[0] == 1008
    found = await findings(transactions, identity)
    assert "SN-2" in found["serial_mismatch"]["reason"]


async def test_the_upgrade_is_a_ratchet_a05(secured, pki, transactions):
    await set_station(transactions, "cp16", target_profile=2)
    async with secured() as central:
        async with plugged(central.port, "cp16", V16) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})
        async with over_tls(central, "cp16", pki.client()) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})
        with pytest.raises(InvalidStatus, match="401"):
            async with plugged(central.port, "cp16", V16):
                pass
        async with over_tls(central, "cp16", pki.client()) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})
    async with transactions() as tx:
        assert (await tx.session.get_one(StationRow, "cp16")).security_profile == 2


async def test_new_files_are_taken_without_a_restart_and_broken_ones_are_not(secured, pki, tmp_path):
    files = replace(
        pki.files,
        **{
            name: shutil.copy(getattr(pki.files, name), tmp_path / name)
            for name in ("rsa_certificate", "rsa_key", "ecdsa_certificate", "ecdsa_key")
        },
    )
    newer = pki.ecdsa.leaf("localhost", purpose=SERVER, hosts=[x509.DNSName("localhost")])

    def shown(charger):
        return charger.socket.transport.get_extra_info("ssl_object").getpeercert()["serialNumber"]

    async with secured(tls_files=files) as central:
        async with over_tls(central, "cp16", pki.client()) as charger:
            before = shown(charger)
        shutil.copy(newer.certificate, files.ecdsa_certificate)
        async with over_tls(central, "cp16", pki.client()) as charger:
            assert shown(charger) == before, "the key does not fit yet"
        shutil.copy(newer.key, files.ecdsa_key)
        async with over_tls(central, "cp16", pki.client()) as charger:
            assert shown(charger) != before


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_half_open_connections_are_counted_and_hung_up_in_time_on_both_event_loops(pki, runner):
    runner(_meet_half_open_ones(pki))


async def _meet_half_open_ones(pki):
    doorway = Doorway(most_count=3, most_per_address_count=2)
    connection = partial(
        StationConnection,
        doorway=doorway,
        tls=TlsMaterial(pki.files),
        tls_failed=lambda *_: None,
        open_timeout_s=0.5,
    )

    async def echo(socket):
        async for message in socket:
            await socket.send(f"{socket.proof.common_name} {message}")

    async with serve(echo, "localhost", 0, create_connection=connection) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        silent = [await asyncio.open_connection("localhost", port) for _ in range(3)]
        async with asyncio.timeout(TIMEOUT_S):
            assert await silent[0][0].read() == b"", "the oldest had to go at once"
        right = pki.client(pki.stations.leaf("SN-1", purpose=CLIENT))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            right.maximum_version = version
            async with connect(f"wss://localhost:{port}/", ssl=right) as socket:
                await socket.send("hello")
                assert await socket.recv() == "SN-1 hello"
        async with asyncio.timeout(TIMEOUT_S):
            assert [await each[0].read() for each in silent[1:]] == [b"", b""]
        assert doorway.waiting_count == 0
        for _, writer in silent:
            writer.close()
