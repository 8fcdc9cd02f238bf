from typing import Any

import pytest
from fake_central import FakeCentral
from parks import V16, V201, connected, park_of, plug_in

from simulators.fleet import CarPark

Json = dict[str, Any]

NEEDED_16 = {
    "ChargeProfileMaxStackLevel": "10",
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargingScheduleMaxPeriods": "24",
    "MaxChargingProfilesInstalled": "24",
    "NumberOfConnectors": "1",
    "ConnectorSwitch3to1PhaseSupported": "false",
}
NEEDED_201 = {
    ("SmartChargingCtrlr", "RateUnit"): "A,W",
    ("SmartChargingCtrlr", "ProfileStackLevel"): "10",
    ("SmartChargingCtrlr", "PeriodsPerSchedule"): "24",
    ("SampledDataCtrlr", "TxUpdatedInterval"): "60",
    ("OCPPCommCtrlr", "RetryBackOffWaitMinimum"): "10",
    ("EVSE", "SupplyPhases"): "1",
    ("EVSE", "Power"): "6000",
    ("ChargingStation", "FirmwareVersion"): "1.0",
}


async def reported(park: CarPark, central: FakeCentral, action: str, body: Json) -> list[Json]:
    """Ask for a report; return its parts."""
    central.received.clear()
    assert await central.call(V201, action, {"requestId": 7, **body}) == {"status": "Accepted"}
    await park.act(10)
    return central.payloads(V201, "NotifyReport")


async def test_every_key_of_1_6_is_told_and_says_whether_it_can_be_written() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V16)):
        answer = await central.call(V16, "GetConfiguration", {})
        keys = {each["key"]: each for each in answer["configurationKey"]}
        assert {name: keys[name]["value"] for name in NEEDED_16} == NEEDED_16
        assert keys["MeterValuesSampledData"]["readonly"] is False
        assert keys["NumberOfConnectors"]["readonly"] is True
        assert not any("." in name for name in keys)
        assert central.complaints == []


async def test_a_full_report_comes_in_numbered_parts_2_0_1_b07() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V201)) as park:
        parts = await reported(park, central, "GetBaseReport", {"reportBase": "FullInventory"})
        assert len(parts) > 1
        assert [part["seqNo"] for part in parts] == list(range(len(parts)))
        assert [part["tbc"] for part in parts] == [True] * (len(parts) - 1) + [False]
        assert {part["requestId"] for part in parts} == {7}
        told = {
            (each["component"]["name"], each["variable"]["name"]): each["variableAttribute"][0].get("value")
            for part in parts
            for each in part["reportData"]
        }
        assert {name: told[name] for name in NEEDED_201} == NEEDED_201
        assert told["SecurityCtrlr", "BasicAuthPassword"] is None
        assert central.complaints == []


@pytest.mark.parametrize(
    ("action", "body", "names"),
    [
        ("GetBaseReport", {"reportBase": "SummaryInventory"}, {"Available", "AvailabilityState", "Enabled"}),
        (
            "GetReport",
            {"componentVariable": [{"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}]},
            {"Power"},
        ),
        (
            "GetReport",
            {"componentVariable": [{"component": {"name": "Connector"}}]},
            {"Available", "ConnectorType", "SupplyPhases"},
        ),
    ],
)
async def test_a_report_holds_what_was_asked_for_2_0_1_b08(action: str, body: Json, names: set[str]) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V201)) as park:
        (part,) = await reported(park, central, action, body)
        assert {each["variable"]["name"] for each in part["reportData"]} == names
        assert central.complaints == []


async def test_a_report_on_nothing_is_an_empty_result_2_0_1_b08_fr_15() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V201)):
        body: Json = {"requestId": 1, "componentVariable": [{"component": {"name": "Door"}}]}
        assert await central.call(V201, "GetReport", body) == {"status": "EmptyResultSet"}


@pytest.mark.parametrize(("value", "status"), [("Voltage", "Accepted"), ("Colour", "Rejected")])
async def test_what_is_sampled_can_be_chosen_among_what_is_measured(value: str, status: str) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V16)) as park:
        body = {"key": "MeterValuesSampledData", "value": value}
        assert await central.call(V16, "ChangeConfiguration", body) == {"status": status}
        assert park.stations[V16].dialect.measurands == ("Voltage",) or status == "Rejected"


async def test_monitors_are_set_reported_and_cleared_2_0_1_n02_n04_n06() -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V201)) as park:
        power = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}
        model = {"component": {"name": "ChargingStation"}, "variable": {"name": "Model"}}
        watch = {"value": 5000.0, "type": "UpperThreshold", "severity": 5}
        unknown = {"component": {"name": "Door"}, "variable": {"name": "Open"}}
        data = [{**watch, **power}, {**watch, **model}, {**watch, **unknown}]
        answer = await central.call(V201, "SetVariableMonitoring", {"setMonitoringData": data})
        statuses = [each["status"] for each in answer["setMonitoringResult"]]
        assert statuses == ["Accepted", "UnsupportedMonitorType", "UnknownComponent"]
        assert await central.call(V201, "GetMonitoringReport", {"requestId": 3}) == {"status": "Accepted"}
        await park.act(10)
        (part,) = central.payloads(V201, "NotifyMonitoringReport")
        assert part["monitor"][0]["variableMonitoring"][0]["value"] == 5000.0
        cleared = await central.call(V201, "ClearVariableMonitoring", {"id": [1, 2]})
        assert [each["status"] for each in cleared["clearMonitoringResult"]] == ["Accepted", "NotFound"]
        assert await central.call(V201, "GetMonitoringReport", {"requestId": 4}) == {"status": "EmptyResultSet"}
        for severity, status in ((4, "Accepted"), (10, "Rejected")):
            assert await central.call(V201, "SetMonitoringLevel", {"severity": severity}) == {"status": status}
        assert await central.call(V201, "SetMonitoringBase", {"monitoringBase": "All"}) == {"status": "Accepted"}
        assert central.complaints == []


@pytest.mark.parametrize(("may_unknown", "is_charging"), [("true", True), ("false", False)])
async def test_an_unknown_token_charges_offline_only_if_the_setting_says_so(
    may_unknown: str, is_charging: bool
) -> None:
    async with FakeCentral() as central, connected(park_of(central.url, V16)) as park:
        station = park.stations[V16]
        body = {"key": "AllowOfflineTxForUnknownId", "value": may_unknown}
        assert await central.call(V16, "ChangeConfiguration", body) == {"status": "Accepted"}
        station.stay_away(park.clock.now_s + 600)
        await park.settled()
        plug_in(station)
        assert (station.bays[1].tx is not None) is is_charging
