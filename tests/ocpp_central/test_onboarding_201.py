"""OCPP 2.0.1 stations are read by reports (B07) and set variable by variable (B05, B06)."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from charger import TIMEOUT_S, Charger, plugged

from app.operations import device_model, onboarding
from app.operations.onboarding import State

pytestmark = [
    pytest.mark.database,
    pytest.mark.ocpp("2.0.1", "GetBaseReport", "NotifyReport", "GetVariables", "SetVariables"),
]

V201 = "ocpp2.0.1"
BOOT = {
    "reason": "PowerUp",
    "chargingStation": {"vendorName": "V", "model": "M", "firmwareVersion": "1.0", "serialNumber": "1"},
}
VALUES = {
    "SmartChargingCtrlr.Available": "true",
    "SmartChargingCtrlr.Enabled": "true",
    "SmartChargingCtrlr.RateUnit": "A,W",
    "SmartChargingCtrlr.ProfileStackLevel": "3",
    "SmartChargingCtrlr.PeriodsPerSchedule": "10",
    "SampledDataCtrlr.TxUpdatedMeasurands": "Energy.Active.Import.Register",
    "SampledDataCtrlr.TxUpdatedInterval": "0",
    "SampledDataCtrlr.TxStartedMeasurands": "Energy.Active.Import.Register",
    "SampledDataCtrlr.TxEndedMeasurands": "Energy.Active.Import.Register",
    "SampledDataCtrlr.TxEndedInterval": "60",
    "AlignedDataCtrlr.Interval": "0",
    "OCPPCommCtrlr.MessageAttempts[TransactionEvent]": "3",
    "OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]": "30",
    "OCPPCommCtrlr.RetryBackOffWaitMinimum": "5",
    "OCPPCommCtrlr.RetryBackOffRepeatTimes": "5",
    "OCPPCommCtrlr.RetryBackOffRandomRange": "0",
    "OCPPCommCtrlr.OfflineThreshold": "60",
    "OCPPCommCtrlr.WebSocketPingInterval": "60",
    "AuthCtrlr.LocalAuthorizeOffline": "true",
    "TxCtrlr.StopTxOnInvalidId": "true",
    "TxCtrlr.StopTxOnEVSideDisconnect": "true",
    "TxCtrlr.TxStartPoint": "EnergyTransfer",
    "TxCtrlr.TxStopPoint": "EVConnected,Authorized",
}


def split(name: str) -> tuple[dict[str, str], dict[str, str]]:
    component, _, variable = name.partition(".")
    bare, _, instance = variable.rstrip("]").partition("[")
    return {"name": component}, {"name": bare} | ({"instance": instance} if instance else {})


def name_of(item: dict[str, Any]) -> str:
    instance = item["variable"].get("instance")
    return f"{item['component']['name']}.{item['variable']['name']}" + (f"[{instance}]" if instance else "")


@dataclass
class Model:
    """The device model of a station with two EVSEs; `order` is how it sends the parts of its report."""

    values: dict[str, str]
    order: tuple[int, ...] = (0, 1, 2, 3)
    refused: set[str] = field(default_factory=set)
    limits: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: list[asyncio.Task] = field(default_factory=list)

    def plug_into(self, charger: Charger) -> None:
        self.charger = charger
        charger.answers["GetBaseReport"] = self.report
        charger.answers["GetVariables"] = self.read
        charger.answers["SetVariables"] = self.write

    def report(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["reportBase"] in self.refused:
            return {"status": "NotSupported"}
        self.tasks.append(asyncio.create_task(self.send(payload["requestId"])))
        return {"status": "Accepted"}

    def parts(self) -> list[list[dict[str, Any]]]:
        entries = [self.entry(name, value) for name, value in self.values.items()]
        evses = [
            {
                "component": {"name": "EVSE", "evse": {"id": number}},
                "variable": {"name": "SupplyPhases"},
                "variableAttribute": [{"value": "3", "mutability": "ReadOnly"}],
            }
            for number in (1, 2)
        ]
        return [entries[:8], entries[8:16], entries[16:], evses]

    def entry(self, name: str, value: str) -> dict[str, Any]:
        component, variable = split(name)
        kind = {"dataType": "string", "supportsMonitoring": False} | self.limits.get(name, {})
        attribute = {"value": value, "mutability": "ReadWrite"}
        return {
            "component": component,
            "variable": variable,
            "variableAttribute": [attribute],
            "variableCharacteristics": kind,
        }

    async def send(self, request_id: int) -> None:
        parts = self.parts()
        for number in self.order:
            payload = {
                "requestId": request_id,
                "generatedAt": "2026-04-01T07:00:00Z",
                "seqNo": number,
                "tbc": number < len(parts) - 1,
                "reportData": parts[number],
            }
            await self.charger.call("NotifyReport", payload)

    def read(self, payload: dict[str, Any]) -> dict[str, Any]:
        results = []
        for item in payload["getVariableData"]:
            found = self.values.get(name_of(item))
            known = {"attributeStatus": "Accepted", "attributeValue": found}
            results.append((known if found is not None else {"attributeStatus": "UnknownVariable"}) | item)
        return {"getVariableResult": results}

    def write(self, payload: dict[str, Any]) -> dict[str, Any]:
        results = []
        for item in payload["setVariableData"]:
            name = name_of(item)
            is_known = name in self.values
            if is_known:
                self.values[name] = item["attributeValue"]
            status = "Accepted" if is_known else "UnknownVariable"
            results.append({"attributeStatus": status, "component": item["component"], "variable": item["variable"]})
        return {"setVariableResult": results}


@pytest.fixture
def model() -> Model:
    return Model(dict(VALUES))


@pytest.fixture
def found(transactions):
    async def of() -> onboarding.Onboarding:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                async with transactions() as tx:
                    state = await onboarding.get(tx, "cp201")
                if state.ended_at is not None:
                    return state
                await asyncio.sleep(0.02)

    return of


def written(charger: Charger) -> dict[str, str]:
    items = [
        item for action, payload in charger.calls if action == "SetVariables" for item in payload["setVariableData"]
    ]
    return {name_of(item): item["attributeValue"] for item in items}


def asked(charger: Charger, action: str) -> list[dict[str, Any]]:
    return [payload for each, payload in charger.calls if each == action]


@pytest.mark.parametrize(
    "order", [(0, 1, 2, 3), (3, 1, 0, 2), (0, 0, 1, 2, 2, 3, 3)], ids=["in order", "mixed", "twice"]
)
async def test_a_full_report_tells_what_there_is_in_whatever_order_it_comes_b07(
    start, park, model, found, order, transactions
):
    model.order = order
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        model.plug_into(charger)
        done = await found()
        assert (done.state, done.unmet) == (State.DONE, {})
        assert [each["reportBase"] for each in asked(charger, "GetBaseReport")] == ["FullInventory"]
        assert written(charger) == {
            "SampledDataCtrlr.TxUpdatedMeasurands": (
                "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"
            ),
            "SampledDataCtrlr.TxUpdatedInterval": "60",
            "SampledDataCtrlr.TxEndedInterval": "0",
            "OCPPCommCtrlr.MessageAttempts[TransactionEvent]": "5",
            "OCPPCommCtrlr.RetryBackOffRandomRange": "10",
            "TxCtrlr.TxStartPoint": "Authorized",
        }
        said = done.capabilities
        assert (said["evse_count"], said["phase_count"], said["period_count"]) == (2, 3, 10)
        assert said["rate_units"] == ["A", "W"]
        async with transactions() as tx:
            assert len(await device_model.variables_of(tx, "cp201")) == len(VALUES) + 2


async def test_what_a_report_without_its_last_part_lacks_is_asked_for(start, park, model, found):
    model.order = (0, 1)
    async with start(report_wait_s=0.5) as central, plugged(central.port, "cp201", V201) as charger:
        model.plug_into(charger)
        done = await found()
        assert (done.state, done.unmet) == (State.DONE, {})
        assert [each["reportBase"] for each in asked(charger, "GetBaseReport")] == [
            "FullInventory",
            "ConfigurationInventory",
        ]
        assert written(charger)["TxCtrlr.TxStartPoint"] == "Authorized"


async def test_a_station_without_reports_is_asked_variable_by_variable(start, park, model, found):
    model.refused = {"FullInventory", "ConfigurationInventory"}
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        model.plug_into(charger)
        done = await found()
        assert (done.state, done.unmet) == (State.DONE, {})
        assert done.capabilities["period_count"] == 10
        assert max(len(each["getVariableData"]) for each in asked(charger, "GetVariables")) <= 10


async def test_numbers_are_kept_within_what_the_station_takes(start, park, model, found):
    model.limits["SampledDataCtrlr.TxUpdatedInterval"] = {"minLimit": 90, "maxLimit": 900}
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        model.plug_into(charger)
        assert (await found()).unmet == {"SampledDataCtrlr.TxUpdatedInterval": "takes only 90"}


async def test_the_same_firmware_reports_once_b07(start, park, model, found):
    async with start() as central, plugged(central.port, "cp201", V201) as charger:
        model.plug_into(charger)
        await charger.call("BootNotification", BOOT)
        await found()
        await charger.call("BootNotification", BOOT)
        await charger.heard("GetCompositeSchedule", 4)  # only the defaults are proven again
        await asyncio.sleep(0.2)
        assert len(asked(charger, "GetBaseReport")) == 1
        station = BOOT["chargingStation"] | {"firmwareVersion": "2.0"}
        await charger.call("BootNotification", BOOT | {"chargingStation": station})
        await charger.heard("GetBaseReport", 2)
