"""Keys, profiles, certificates and the provisioning of stations over the API."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pki import CLIENT, Authority, new_key, request
from sqlalchemy import select, update

from app.bus.subjects import station_command, station_dismissed
from app.domain.commands import Accepted, ReadSettings, Rejected, Trigger, Unsupported, WriteSetting
from app.domain.errors import StationTimeout
from app.domain.facts import CertificateRequested, CertificateUse, SessionEnded, SessionStarted
from app.domain.identity import Knock, Proof, StationAdmitted, StationRefused
from app.domain.upkeep import ReadCertificates, SetNetwork
from app.operations import admission, certificates
from app.operations.security_profiles import ACTIVE, PRIORITY, PublicUrls
from app.operations.station_facts import record_facts
from app.store.station import StationRow
from app.store.upkeep import CommandRow

pytestmark = pytest.mark.database

ONE = "/v1/stations/one"
EVSES = [{"max_current_a": 16.0}]
URLS = PublicUrls("ws://sunslot.example/ocpp", "wss://sunslot.example/ocpp")


@pytest.fixture
def context(context):
    return replace(context, ocpp_urls=URLS)


@pytest.fixture
def station(bus):
    """Station `one` on its socket: remembers commands, answers by type (an outcome or an exception)."""
    asked, answers = [], {}

    async def answer(command):
        asked.append(command)
        told = answers.get(type(command), Accepted())
        if isinstance(told, Exception):
            raise told
        return told

    with bus.serve(station_command("one"), answer):
        yield asked, answers


async def connect(transactions, dialect="ocpp1.6", **values):
    async with transactions() as tx:
        await admission.move(tx, [admission.Arrival("one", dialect, "socket")])
        if values:
            await tx.session.execute(update(StationRow).where(StationRow.station_id == "one").values(**values))


async def admit(transactions, key, **proved):
    async with transactions() as tx:
        return (await admission.admit(tx, [Knock("one", key, Proof(**proved))]))[0]


@pytest.mark.parametrize(
    ("dialect", "name"), [("ocpp1.6", "AuthorizationKey"), ("ocpp2.0.1", "SecurityCtrlr.BasicAuthPassword")]
)
async def test_a_delivered_key_is_pending_until_used_and_stands_nowhere(
    operator, site, station, transactions, logs, dialect, name
):
    asked, _ = station
    await connect(transactions, dialect)
    answer = await operator.ok("POST", f"{ONE}/key", {})
    assert answer == {"outcome": "accepted", "reason": "", "detail": {}, "key": None, "key_hex": None}
    (command,) = asked
    assert (type(command), command.name) == (WriteSetting, name)
    key = bytes.fromhex(command.value) if dialect == "ocpp1.6" else command.value.encode()
    assert len(key) == 20
    assert (await operator.ok("GET", ONE))["is_key_pending"]
    assert isinstance(await admit(transactions, key), StationAdmitted)
    assert not (await operator.ok("GET", ONE))["is_key_pending"]
    async with transactions() as tx:
        rows = (await tx.session.scalars(select(CommandRow))).all()
        assert [(row.name, row.outcome) for row in rows] == [("RenewKey", "accepted")]
        kept = repr([(row.payload, row.answer) for row in rows]) + repr(logs)
    for secret in (key.decode(), key.hex(), command.value):
        assert secret not in kept


async def test_a_lost_answer_keeps_both_keys_and_a_second_rotation_is_refused_unless_forced(
    operator, site, station, transactions
):
    asked, answers = station
    await connect(transactions)
    answers[WriteSetting] = StationTimeout("no answer")
    assert (await operator.send("POST", f"{ONE}/key", {})).status_code == 504
    first = bytes.fromhex(asked[0].value)
    again = await operator.send("POST", f"{ONE}/key", {})
    assert (again.status_code, again.json()["errors"][0]["field"]) == (409, "force")
    answers[WriteSetting] = Accepted({"reboot_required": True})
    await operator.ok("POST", f"{ONE}/key", {"force": True})
    assert await admit(transactions, first) == StationRefused("wrong key")
    assert isinstance(await admit(transactions, bytes.fromhex(asked[1].value)), StationAdmitted)


@pytest.mark.parametrize("told", [Rejected("no"), Unsupported("what")])
async def test_a_refused_key_is_dropped(operator, site, station, transactions, told):
    asked, answers = station
    await connect(transactions)
    answers[WriteSetting] = told
    assert (await operator.ok("POST", f"{ONE}/key", {}))["outcome"] != "accepted"
    assert not (await operator.ok("GET", ONE))["is_key_pending"]
    assert await admit(transactions, bytes.fromhex(asked[0].value)) == StationRefused("wrong key")


async def test_an_offline_station_gets_no_key_but_the_operator_may(operator, site, transactions):
    assert (await operator.send("POST", f"{ONE}/key", {})).json()["code"] == "station_offline"
    assert not (await operator.ok("GET", ONE))["is_key_pending"]
    shown = await operator.ok("POST", f"{ONE}/key", {"deliver": False})
    assert shown["key_hex"] == shown["key"].encode().hex()
    assert isinstance(await admit(transactions, shown["key"].encode()), StationAdmitted)


async def test_a_1_6_station_is_told_its_profile_and_the_ratchet_closes_behind_it_a05(
    operator, site, station, transactions
):
    asked, answers = station
    await connect(transactions, pending_salt=b"s", pending_hash=admission.hash_key(b"s", b"k"))
    answers[ReadCertificates] = Accepted({"certificates": []})
    missing = await operator.send("POST", f"{ONE}/security-profile", {"profile": 2})
    assert (missing.status_code, "root certificate" in missing.json()["detail"]) == (409, True)
    answers[ReadCertificates] = Accepted({"certificates": [{"use": "central_system"}]})
    assert (await operator.ok("POST", f"{ONE}/security-profile", {"profile": 2}))["outcome"] == "accepted"
    assert asked[-1] == WriteSetting("SecurityProfile", "2")
    assert (await operator.ok("GET", ONE))["target_profile"] == 2
    assert isinstance(await admit(transactions, b"k", is_tls=True), StationAdmitted)
    assert (await operator.ok("GET", ONE))["security_profile"] == 2
    assert await admit(transactions, b"k") == StationRefused("lower profile")
    for profile in (1, 2):
        answer = await operator.send("POST", f"{ONE}/security-profile", {"profile": profile})
        assert answer.json()["errors"][0]["field"] == "profile"
    assert (await operator.send("PATCH", ONE, {"security_profile": 1})).status_code == 422


async def test_a_2_0_1_station_gets_a_network_profile_in_a_free_slot_first_b09(operator, site, station, transactions):
    asked, answers = station
    await connect(transactions, "ocpp2.0.1")
    answers[ReadSettings] = Accepted({"values": {ACTIVE: "1", PRIORITY: "1,3"}, "unknown": []})
    body = {"profile": 2, "is_prepared": True}
    assert (await operator.ok("POST", f"{ONE}/security-profile", body))["outcome"] == "accepted"
    assert asked[1:] == [SetNetwork(2, URLS.tls, 2), WriteSetting(PRIORITY, "2,1,3")]
    answers[SetNetwork] = Rejected("InvalidURL")
    refused = await operator.ok("POST", f"{ONE}/security-profile", body | {"profile": 2})
    assert refused["reason"] == "InvalidURL"
    assert isinstance(asked[-1], SetNetwork), "after a refusal nothing more is said"


async def test_profile_3_needs_an_expected_serial_and_a_valid_certificate(operator, site, transactions, clock):
    await connect(transactions)

    async def refusal():
        return (await operator.send("POST", f"{ONE}/security-profile", {"profile": 3})).json()["detail"]

    assert "expected_serial" in await refusal()
    await operator.ok("PATCH", ONE, {"expected_serial": "SN-1"})
    assert "no valid certificate" in await refusal()
    taken = await operator.send("PATCH", "/v1/stations/two", {"expected_serial": "SN-1"})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "expected_serial")
    body = {"station_id": "new", "site_id": "north", "evses": EVSES, "security_profile": 3}
    assert (await operator.send("POST", "/v1/stations", body)).json()["errors"][0]["field"] == "expected_serial"
    await operator.ok("POST", "/v1/stations", body | {"expected_serial": "SN-9"}, 201)
    assert (await operator.send("PATCH", "/v1/stations/new", {"expected_serial": None})).status_code == 409


async def test_without_a_public_url_no_profile_can_be_reached(operator, site, app, context, transactions):
    app.state.api = replace(context, ocpp_urls=PublicUrls())
    await connect(transactions)
    answer = await operator.send("POST", f"{ONE}/security-profile", {"profile": 2})
    assert "SUNSLOT_OCPP_TLS_PUBLIC_URL" in answer.json()["detail"]


async def test_an_operator_takes_the_request_and_brings_the_chain(operator, site, transactions, clock, tmp_path):
    authority, key = Authority(tmp_path, "root"), new_key()
    async with transactions() as tx:
        csr = request("one", key)
        fact = CertificateRequested(csr, CertificateUse.STATION, clock.at, clock.at)
        assert (await record_facts(tx, "one", [fact])).is_taken
        assert len(await certificates.due(tx, "one", None)) == 1
    (listed,) = (await operator.ok("GET", f"{ONE}/certificates"))["items"]
    assert (listed["state"], listed["expires_at"]) == ("asked", None)
    path = f"{ONE}/certificates/{listed['certificate_id']}"
    assert (await operator.ok("GET", path))["request"] == csr
    life = {"purpose": CLIENT, "start": timedelta(days=-3650), "end": timedelta(days=30)}
    for chain, why in (
        (authority.sign(request("one", new_key()), **life), "not for the key"),
        (authority.sign(request("two", key), **life), "another common name"),
        (authority.sign(csr, purpose=CLIENT, start=timedelta(days=-3650), end=timedelta(days=-3000)), "expired"),
    ):
        answer = await operator.send("PUT", f"{path}/chain", {"chain": chain})
        assert (answer.status_code, why in answer.json()["detail"]) == (422, True), answer.text
    signed = await operator.ok("PUT", f"{path}/chain", {"chain": authority.sign(csr, **life)})
    assert (signed["state"], signed["expires_at"] is not None) == ("signed", True)
    async with transactions() as tx:
        assert await certificates.record_attempt(tx, listed["certificate_id"]) == signed["chain"]
        await certificates.record_delivery(tx, listed["certificate_id"], Accepted())
        assert await certificates.has_valid(tx, "one", CertificateUse.STATION)
    again = await operator.send("PUT", f"{path}/chain", {"chain": signed["chain"]})
    assert again.status_code == 409
    assert (await operator.send("GET", path.replace("one", "two"))).status_code == 404


async def test_renewal_has_the_station_ask(operator, site, station):
    asked, _ = station
    assert (await operator.ok("POST", f"{ONE}/certificates", {}))["outcome"] == "accepted"
    assert asked == [Trigger("sign_certificate")]


async def test_a_station_is_adopted_without_being_commissioned_and_asked_to_boot_once_it_is(
    operator, site, transactions, bus
):
    body = {"station_id": "new", "site_id": "north", "evses": EVSES, "is_commissioned": False}
    await operator.ok("POST", "/v1/stations", body, 201)
    assert not (await operator.ok("GET", "/v1/stations/new"))["is_commissioned"]
    asked = []

    async def answer(command):
        asked.append(command)
        return Accepted()

    with bus.serve(station_command("new"), answer):
        assert (await operator.ok("PATCH", "/v1/stations/new", {"is_commissioned": True}))["is_commissioned"]
    assert asked == [Trigger("boot")]


async def test_taking_a_station_out_of_service_waits_for_its_session(operator, site, transactions, clock, bus):
    at = clock.at
    async with transactions() as tx:
        await record_facts(tx, "one", [SessionStarted(1, at, at, "7", None, 0.0, "k")])
    assert (await operator.send("PATCH", ONE, {"is_commissioned": False})).status_code == 409
    assert (await operator.send("DELETE", ONE)).json()["detail"] == "a session runs at this station"
    async with transactions() as tx:
        await record_facts(tx, "one", [SessionEnded(1, at, at, "7", 0.0, "e")])
    assert "refer to this station" in (await operator.send("DELETE", ONE)).json()["detail"]
    with bus.listen(station_dismissed("one")) as bell:
        shown = await operator.ok("PATCH", ONE, {"is_commissioned": False})
        assert await bell.next(at)
    assert (shown["is_commissioned"], shown["needs_boot"]) == (False, True)


async def test_a_removed_station_is_hung_up_on_and_its_commands_stay(
    operator, connected, station, transactions, bus, clock
):
    await operator.ok("POST", f"{ONE}/commands/reset", {})
    with bus.listen(station_dismissed("one")) as bell:
        await operator.ok("DELETE", ONE, status=204)
        assert await bell.next(clock.at)
    assert (await operator.send("GET", ONE)).status_code == 404
    async with transactions() as tx:
        assert [row.name for row in await tx.session.scalars(select(CommandRow))] == ["Reboot"]
    body = {"station_id": "one", "site_id": "north", "evses": EVSES}
    await operator.ok("POST", "/v1/stations", body, 201)
