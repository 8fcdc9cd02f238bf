from typing import Any

import pytest
from fake_central import FakeCentral
from parks import BOTH, connected, park_of, play, plug_in

from simulators.evse import Activity
from simulators.fleet import CarPark
from simulators.station import Station

Json = dict[str, Any]

V16, V201 = BOTH


def default_profile(dialect: str, limit_a: float, evse_number: int = 1) -> tuple[str, Json]:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}]}
    common = {"stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute"}
    if dialect == V16:
        profile = {"chargingProfileId": 1, "chargingSchedule": schedule, **common}
        return "SetChargingProfile", {"connectorId": evse_number, "csChargingProfiles": profile}
    profile = {"id": 1, "chargingSchedule": [{"id": 1, **schedule}], **common}
    return "SetChargingProfile", {"evseId": evse_number, "chargingProfile": profile}


async def composite(central: FakeCentral, dialect: str, unit: str = "A") -> list[tuple[int, float]]:
    number = "connectorId" if dialect == V16 else "evseId"
    body = {number: 1, "duration": 3600, "chargingRateUnit": unit}
    answer = await central.call(dialect, "GetCompositeSchedule", body)
    schedule = answer["chargingSchedule"] if dialect == V16 else answer["schedule"]
    return [(period["startPeriod"], period["limit"]) for period in schedule["chargingSchedulePeriod"]]


async def start(central: FakeCentral, dialect: str) -> Json:
    if dialect == V16:
        return await central.call(dialect, "RemoteStartTransaction", {"idTag": "REMOTE", "connectorId": 1})
    token = {"idToken": "REMOTE", "type": "Central"}
    return await central.call(dialect, "RequestStartTransaction", {"idToken": token, "remoteStartId": 9, "evseId": 1})


async def stop(central: FakeCentral, station: Station) -> Json:
    tx = station.bays[1].tx
    assert tx is not None
    if station.identity == V16:
        return await central.call(V16, "RemoteStopTransaction", {"transactionId": int(tx.ref or 0)})
    return await central.call(V201, "RequestStopTransaction", {"transactionId": tx.ref})


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_default_profile_is_read_back_and_cleared(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)):
        assert await composite(central, dialect) == [(0, 30.0)]
        assert await central.call(dialect, *default_profile(dialect, 6.0)) == {"status": "Accepted"}
        assert await composite(central, dialect) == [(0, 6.0)]
        assert await composite(central, dialect, "W") == [(0, 1200.0)]
        body = {"id": 1} if dialect == V16 else {"chargingProfileId": 1}
        assert await central.call(dialect, "ClearChargingProfile", body) == {"status": "Accepted"}
        assert await central.call(dialect, "ClearChargingProfile", body) == {"status": "Unknown"}
        assert await composite(central, dialect) == [(0, 30.0)]
        assert central.complaints == []


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_tx_profile_without_its_transaction_is_rejected(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        action, body = default_profile(dialect, 6.0)
        profile = body["csChargingProfiles" if dialect == V16 else "chargingProfile"]
        profile["chargingProfilePurpose"] = "TxProfile"
        profile["transactionId"] = 12 if dialect == V16 else "twelve"
        assert await central.call(dialect, action, body) == {"status": "Rejected"}
        plug_in(park.stations[dialect])
        await play(park, 5)
        assert await central.call(dialect, action, body) == {"status": "Rejected"}, "it is another transaction's"
        assert await central.call(dialect, *default_profile(dialect, 6.0, evse_number=7)) == {"status": "Rejected"}


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_remote_start_begins_a_session_now_or_when_a_car_comes(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        station = park.stations[dialect]
        assert await start(central, dialect) == {"status": "Accepted"}
        await play(park, 30)
        assert station.bays[1].evse.car is None
        plug_in(station, token="CARD")
        await play(park, 30)
        assert station.bays[1].tx is not None
        assert station.bays[1].tx.token == "REMOTE"
        assert await start(central, dialect) == {"status": "Rejected"}, "one is running"
        assert await stop(central, station) == {"status": "Accepted"}
        await park.act(10)
        assert station.bays[1].activity is Activity.FINISHED
        assert await start(central, dialect) == {"status": "Accepted"}
        await play(park, 30)
        assert station.bays[1].evse.power_w == 6000
        assert len(station.journal.transactions) == 2
        assert central.complaints == []


async def reset(central: FakeCentral, dialect: str, kind: str) -> Json:
    return await central.call(dialect, "Reset", {"type": kind})


@pytest.mark.parametrize(("dialect", "kind"), [(V16, "Hard"), (V16, "Soft"), (V201, "Immediate")])
async def test_a_reset_ends_the_session_boots_again_and_keeps_the_default_profile(dialect: str, kind: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        station = park.stations[dialect]
        await central.call(dialect, *default_profile(dialect, 10.0))
        plug_in(station)
        await play(park, 30)
        assert await reset(central, dialect, kind) == {"status": "Accepted"}
        await play(park, 60)
        assert central.actions(dialect).count("BootNotification") == 2
        assert station.journal.told()["transactions"][0]["ended_at"] is not None
        assert station.is_online
        assert station.bays[1].evse.power_w == 0
        assert await composite(central, dialect) == [(0, 10.0)]
        assert central.complaints == []


async def test_an_on_idle_reset_waits_for_the_car_to_leave() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V201)) as park:
        station = park.stations[V201]
        plug_in(station)
        await play(park, 30)
        assert await reset(central, V201, "OnIdle") == {"status": "Scheduled"}
        await play(park, 60)
        assert station.bays[1].tx is not None
        station.bays[1].unplug()
        await play(park, 60)
        assert central.actions(V201).count("BootNotification") == 2


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("message", ["Heartbeat", "StatusNotification", "MeterValues"])
async def test_a_trigger_is_answered_first_and_then_obeyed(dialect: str, message: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        central.received.clear()
        assert await central.call(dialect, "TriggerMessage", {"requestedMessage": message}) == {"status": "Accepted"}
        await park.act(10)
        assert central.actions(dialect) == [message]
        body = {"requestedMessage": "PublishFirmwareStatusNotification"}
        assert await central.call(dialect, "TriggerMessage", body) == {"status": "NotImplemented"}
        assert central.complaints == []


async def test_a_triggered_boot_is_for_stations_that_are_not_accepted_2_0_1_f06_fr_17() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, *BOTH)) as park:
        body = {"requestedMessage": "BootNotification"}
        assert await central.call(V201, "TriggerMessage", body) == {"status": "Rejected"}
        assert await central.call(V16, "TriggerMessage", body) == {"status": "Accepted"}
        await park.act(10)
        assert central.actions(V16).count("BootNotification") == 2


@pytest.mark.parametrize("dialect", BOTH)
async def test_triggered_meter_values_of_a_running_session_are_no_periodic_ones(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        plug_in(park.stations[dialect])
        await play(park, 10)
        await central.call(dialect, "TriggerMessage", {"requestedMessage": "MeterValues"})
        await park.act(10)
        action = "MeterValues" if dialect == V16 else "TransactionEvent"
        values = central.payloads(dialect, action)[-1]["meterValue"]
        assert {sample["context"] for sample in values[0]["sampledValue"]} == {"Trigger"}
        assert park.stations[dialect].journal.registers == []


async def meter_every(central: FakeCentral, park: CarPark, dialect: str, interval_s: int) -> None:
    if dialect == V16:
        body: Json = {"key": "MeterValueSampleInterval", "value": str(interval_s)}
        assert await central.call(dialect, "ChangeConfiguration", body) == {"status": "Accepted"}
        return
    named = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
    body = {"setVariableData": [{"attributeValue": str(interval_s), **named}]}
    answer = await central.call(dialect, "SetVariables", body)
    assert answer["setVariableResult"][0]["attributeStatus"] == "Accepted"


@pytest.mark.parametrize("dialect", BOTH)
async def test_the_meter_interval_can_be_changed_while_a_session_runs(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)) as park:
        plug_in(park.stations[dialect])
        await play(park, 60)
        await meter_every(central, park, dialect, 15)
        await play(park, 60)
        assert len(park.stations[dialect].journal.registers) == 5
        await meter_every(central, park, dialect, 0)
        await play(park, 120)
        assert len(park.stations[dialect].journal.registers) == 5
        assert central.complaints == []


async def test_a_1_6_configuration_is_read_and_guarded() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V16)) as park:
        everything = await central.call(V16, "GetConfiguration", {})
        names = {entry["key"]: entry for entry in everything["configurationKey"]}
        assert names["NumberOfConnectors"] == {"key": "NumberOfConnectors", "readonly": True, "value": "1"}
        assert "value" not in names["AuthorizationKey"]
        asked = await central.call(V16, "GetConfiguration", {"key": ["HeartbeatInterval", "Colour"]})
        assert asked["unknownKey"] == ["Colour"]
        for key, value, status in (
            ("HeartbeatInterval", "ten", "Rejected"),
            ("HeartbeatInterval", "-1", "Rejected"),
            ("NumberOfConnectors", "2", "Rejected"),
            ("Colour", "red", "NotSupported"),
            ("AuthorizationKey", "short", "Rejected"),
            ("AuthorizationKey", "a-new-key-of-20-char", "Accepted"),
        ):
            assert await central.call(V16, "ChangeConfiguration", {"key": key, "value": value}) == {"status": status}
        assert park.links[V16].key == "a-new-key-of-20-char"
        assert central.complaints == []


async def test_2_0_1_variables_are_read_and_guarded() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V201)):
        asked = [("SmartChargingCtrlr", "RateUnit"), ("SecurityCtrlr", "BasicAuthPassword"), ("Door", "Colour")]
        body = {"getVariableData": [{"component": {"name": c}, "variable": {"name": v}} for c, v in asked]}
        results = (await central.call(V201, "GetVariables", body))["getVariableResult"]
        assert [result["attributeStatus"] for result in results] == ["Accepted", "Rejected", "UnknownComponent"]
        assert results[0]["attributeValue"] == "A,W"
        named = {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "RateUnit"}}
        variables: Json = {"setVariableData": [{"attributeValue": "A", **named}]}
        written = await central.call(V201, "SetVariables", variables)
        assert written["setVariableResult"][0]["attributeStatus"] == "Rejected"
        assert central.complaints == []


@pytest.mark.parametrize("dialect", BOTH)
async def test_unknown_actions_and_malformed_payloads_get_their_error_frames(dialect: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, dialect)):
        assert await central.call(dialect, "DrawPicture", {}) == {"error": "NotImplemented"}
        code = "FormationViolation" if dialect == V16 else "FormatViolation"
        assert await central.call(dialect, "SetChargingProfile", {"connectorId": 1}) == {"error": code}
        assert await central.call(dialect, "Reset", {"type": "Sideways"}) == {"error": code}


async def test_a_malformed_frame_from_the_central_system_is_ignored() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V16)) as park:
        for text in ("nonsense", "[]", '{"a": 1}', '[3,"nobody",{}]', '[9,"x"]', "[2]"):
            await central.sockets[V16].send(text)
        assert (await central.call(V16, "GetConfiguration", {}))["configurationKey"]
        assert park.stations[V16].is_online
