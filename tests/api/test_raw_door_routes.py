"""The raw door over HTTP: opaque in, raw out, every call in the audit."""

import pytest

from app.bus.subjects import station_command
from app.domain.errors import CommandRefused, Invalid, NotFound, StationFault
from app.domain.identity import Role
from app.domain.raw import RawCall, RawReply

pytestmark = pytest.mark.database

DOOR = "/v1/stations/one/ocpp"
LOGBOOK = "/v1/stations/one/commands"


@pytest.fixture
def station(bus):
    """What the station's session was asked, and what it answers."""
    asked, answers = [], [RawReply({"status": "Accepted"})]

    async def serve(call):
        asked.append(call)
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    with bus.serve(station_command("one"), serve):
        yield asked, answers


async def test_the_payload_goes_opaque_and_the_reply_comes_back_raw(desk, operator, site, station):
    asked, answers = station
    payload = {"key": ["HeartbeatInterval"], "customData": {"vendorId": "v"}}
    answers[0] = RawReply({"configurationKey": [], "oddField": None})
    for caller in (operator, await desk.with_role(Role.STATION_ADMIN, "Ken")):
        assert await caller.ok("POST", f"{DOOR}/GetConfiguration", payload, 200) == answers[0].payload
    assert asked == [RawCall("GetConfiguration", payload)] * 2
    last, first = (await operator.ok("GET", LOGBOOK))["items"]
    assert (first["name"], first["is_raw"], first["outcome"]) == ("GetConfiguration", True, "answered")
    assert (first["payload"], first["answer"]) == (payload, answers[0].payload)
    assert (last["asked_by"], last["role"]) == ("Ken", "station_admin")


@pytest.mark.parametrize(
    ("error", "status", "code", "outcome"),
    [
        (CommandRefused("no room", missing_w=1234.0), 403, "command_refused", "refused"),
        (Invalid("required", field="connectorId"), 422, "invalid", "invalid"),
        (NotFound("no message"), 404, "not_found", "not_found"),
        (StationFault("X", error_code="NotSupported", error_description="d"), 502, "station_fault", "station_fault"),
    ],
)
async def test_what_is_not_answered_is_a_problem_and_stands_in_the_audit(
    operator, site, station, error, status, code, outcome
):
    station[1][0] = error
    answer = await operator.send("POST", f"{DOOR}/Reset", {"type": "Soft"})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    (entry,) = (await operator.ok("GET", LOGBOOK))["items"]
    assert (entry["outcome"], entry["answer"]) == (outcome, None)
    if outcome == "refused":
        assert body["missing_kw"] == 1.234
    if outcome == "invalid":
        assert body["errors"] == [{"field": "connectorId", "reason": "required"}]
    if outcome == "station_fault":
        assert (body["error_code"], body["error_description"]) == ("NotSupported", "d")


async def test_an_offline_station_is_a_problem_at_once(operator, site):
    answer = await operator.send("POST", f"{DOOR}/Reset", {"type": "Soft"})
    assert (answer.status_code, answer.json()["code"]) == (409, "station_offline")
    assert (await operator.send("POST", "/v1/stations/none/ocpp/Reset", {})).status_code == 404


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("Reset", b"[]"),
        ("Reset", b"nonsense"),
        ("Reset", b'{"a": NaN}'),
        ("Reset", b'{"a": 123456789012345678901234567890}'),
        ("Reset", b'{"a": "\\ud800"}'),
        ("Reset", b'{"a":' * 300 + b"1" + b"}" * 300),
        ("Re-set", b"{}"),
        ("R" * 65, b"{}"),
    ],
    ids=["no object", "no JSON", "NaN", "huge", "half a character", "deep", "odd action", "long action"],
)
async def test_what_no_frame_can_carry_is_invalid_and_not_sent(operator, site, station, path, content):
    answer = await operator.client.post(f"{DOOR}/{path}", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert station[0] == []


async def test_secrets_of_a_raw_call_reach_the_station_but_not_the_audit(operator, site, station, logs):
    station[1][0] = RawReply({"data": "ftp://fleet:swordfish@h/x", "idTag": "04A1B2C3D4E5"})
    payload = {"key": "AuthorizationKey", "value": "swordfish", "nul\x00": "a\x00b"}
    await operator.ok("POST", f"{DOOR}/ChangeConfiguration", payload)
    assert station[0][0].payload == payload
    shown = str(await operator.ok("GET", LOGBOOK)) + str(logs)
    assert "swordfish" not in shown
    assert "04A1B2" not in shown


async def test_an_endless_payload_is_named_by_its_size_only(operator, site, station):
    await operator.ok("POST", f"{DOOR}/DataTransfer", {f"k{number}": "x" * 500 for number in range(100)})
    (entry,) = (await operator.ok("GET", LOGBOOK))["items"]
    assert "bytes" in entry["payload"]["left_out"]
