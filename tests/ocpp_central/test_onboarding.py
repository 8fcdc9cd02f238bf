"""Stations are read and set up once per firmware; what could not be set is shown (OCPP 1.6 §5.3, §5.8)."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from charger import TIMEOUT_S, plugged
from sqlalchemy import select, update

from app.operations import device_model, onboarding
from app.operations.onboarding import State
from app.store.station import EvseRow, StationRow

pytestmark = pytest.mark.database

V16 = "ocpp1.6"
BOOT = {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1.0"}
SETTINGS = pytest.mark.ocpp("1.6", "GetConfiguration", "ChangeConfiguration")
MEASURANDS = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"
FULL = {
    "SupportedFeatureProfiles": "Core,SmartCharging",
    "NumberOfConnectors": "2",
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargeProfileMaxStackLevel": "8",
    "ChargingScheduleMaxPeriods": "24",
    "MaxChargingProfilesInstalled": "10",
    "MeterValuesSampledData": "Energy.Active.Import.Register",
    "MeterValueSampleInterval": "0",
    "ClockAlignedDataInterval": "900",
    "TransactionMessageAttempts": "3",
    "TransactionMessageRetryInterval": "60",
    "HeartbeatInterval": "300",
    "LocalAuthorizeOffline": "false",
    "StopTransactionOnInvalidId": "true",
    "StopTransactionOnEVSideDisconnect": "TRUE",
}


@dataclass
class Keys:
    """The configuration of a 1.6 station; `refuses` are (key, value) that it rejects, `reboots` keys that need one."""

    values: dict[str, str]
    read_only: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=set)
    reboots: set[str] = field(default_factory=set)
    measurands: set[str] = field(default_factory=lambda: set(MEASURANDS.split(",")))
    forgets: set[str] = field(default_factory=set)
    needs_names: bool = False

    def read(self, payload: dict[str, Any]) -> dict[str, Any]:
        names = payload.get("key") or ([] if self.needs_names else list(self.values))
        known = [
            {"key": name, "readonly": name in self.read_only, "value": self.values[name]}
            for name in names
            if name in self.values
        ]
        return {"configurationKey": known, "unknownKey": [name for name in names if name not in self.values]}

    def write(self, payload: dict[str, Any]) -> dict[str, Any]:
        name, value = payload["key"], payload["value"]
        if name not in self.values:
            return {"status": "NotSupported"}
        is_list = name == "MeterValuesSampledData"
        if name in self.refuses | self.read_only or (is_list and not set(value.split(",")) <= self.measurands):
            return {"status": "Rejected"}
        if name in self.reboots:
            return {"status": "RebootRequired"}
        if name not in self.forgets:
            self.values[name] = value
        return {"status": "Accepted"}

    def plug_into(self, charger) -> None:
        charger.answers["GetConfiguration"] = self.read
        charger.answers["ChangeConfiguration"] = self.write


@pytest.fixture
def keys() -> Keys:
    return Keys(dict(FULL))


@pytest.fixture
def found(transactions):
    """Wait until the station's onboarding is in one of these states (over, by default); return it."""

    async def of(*states: State, station_id: str = "cp16") -> onboarding.Onboarding:
        wanted = states or (State.DONE, State.PARTLY, State.FAILED)
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                async with transactions() as tx:
                    state = await onboarding.get(tx, station_id)
                if state.state in wanted:
                    return state
                await asyncio.sleep(0.02)

    return of


@pytest.fixture
def station(transactions):
    async def row() -> StationRow:
        async with transactions() as tx:
            return (await tx.session.scalars(select(StationRow).where(StationRow.station_id == "cp16"))).one()

    return row


def written(charger) -> dict[str, str]:
    return {payload["key"]: payload["value"] for action, payload in charger.calls if action == "ChangeConfiguration"}


def count(charger, action: str = "GetConfiguration") -> int:
    return sum(each == action for each, _ in charger.calls)


@SETTINGS
async def test_a_station_is_read_set_and_read_back(start, park, keys, found, transactions):
    async with start(meter_interval_s=30) as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        done = await found()
        assert (done.state, done.unmet) == (State.DONE, {})
        assert written(charger) == {
            "MeterValuesSampledData": MEASURANDS,
            "MeterValueSampleInterval": "30",
            "ClockAlignedDataInterval": "0",
            "TransactionMessageAttempts": "5",
            "TransactionMessageRetryInterval": "30",
            "LocalAuthorizeOffline": "true",
        }
        assert done.capabilities["rate_units"] == ["A", "W"]
        assert (done.capabilities["period_count"], done.capabilities["evse_count"]) == (24, 2)
        assert count(charger) == 2  # everything, and what was written
        async with transactions() as tx:
            values = {each.variable: each for each in await device_model.variables_of(tx, "cp16")}
        assert values["MeterValueSampleInterval"].value == "30"
        assert len(values) == len(FULL)


@SETTINGS
async def test_the_same_firmware_is_not_set_up_again_and_a_new_one_is(start, park, keys, found, bus):
    async with start() as central:
        async with plugged(central.port, "cp16", V16) as charger:
            keys.plug_into(charger)
            await charger.call("BootNotification", BOOT)
            await found()
            asked_count = count(charger)
            await charger.call("BootNotification", BOOT)
            await charger.heard("GetCompositeSchedule", 4)  # the defaults are proven again (R8)
        async with plugged(central.port, "cp16", V16) as charger:
            keys.plug_into(charger)
            await charger.call("Heartbeat", {})
            await charger.call("BootNotification", BOOT)
            await charger.heard("GetCompositeSchedule", 2)
            await asyncio.sleep(0.2)
            assert (asked_count, count(charger), written(charger)) == (2, 0, {})
            keys.values["TransactionMessageAttempts"] = "1"
            await charger.call("BootNotification", BOOT | {"firmwareVersion": "2.0"})
            await charger.heard("ChangeConfiguration")
            assert written(charger) == {"TransactionMessageAttempts": "5"}


@SETTINGS
async def test_measurands_that_a_station_does_not_know_are_left_out_one_by_one(start, park, keys, found):
    keys.measurands -= {"Power.Active.Import"}
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        kept = "Energy.Active.Import.Register,Current.Import,Voltage"
        partly = await found()
        assert partly.state is State.PARTLY
        assert partly.unmet == {"MeterValuesSampledData": f"takes only {kept}"}
        assert keys.values["MeterValuesSampledData"] == kept


@SETTINGS
async def test_what_cannot_be_set_is_shown_with_its_reason(start, park, keys, found):
    keys.read_only = {"ClockAlignedDataInterval"}
    keys.refuses = {"TransactionMessageAttempts"}
    keys.forgets = {"LocalAuthorizeOffline"}
    del keys.values["TransactionMessageRetryInterval"], keys.values["MeterValueSampleInterval"]
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        assert (await found()).unmet == {
            "ClockAlignedDataInterval": "cannot be changed, it is 900",
            "TransactionMessageAttempts": "refused: Rejected",
            "TransactionMessageRetryInterval": "the station has no such setting",
            "MeterValueSampleInterval": "the station has no such setting",
            "LocalAuthorizeOffline": "taken, but it says false",
        }
        assert "TransactionMessageRetryInterval" not in written(charger)


@SETTINGS
async def test_what_needs_a_reboot_is_checked_after_the_next_boot(start, park, keys, found, clock):
    keys.reboots = {"MeterValueSampleInterval"}
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        await charger.call("BootNotification", BOOT)
        assert (await found()).unmet == {"MeterValueSampleInterval": onboarding.NEEDS_REBOOT}
        asked_count = count(charger)
        keys.values["MeterValueSampleInterval"] = "60"
        clock.advance(minutes=1)
        await charger.call("BootNotification", BOOT)
        assert (await found(State.DONE)).unmet == {}
        assert count(charger) == asked_count + 1


@SETTINGS
async def test_absurd_numbers_are_not_believed_and_evses_that_differ_are_reported_only(
    start, park, keys, found, transactions
):
    keys.values |= {"NumberOfConnectors": "1634030126", "ChargingScheduleMaxPeriods": "-7", "HeartbeatInterval": "NaN"}
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        done = await found()
        assert done.capabilities["evse_count"] is None
        assert done.capabilities["oddities"] == ["ChargingScheduleMaxPeriods=-7", "NumberOfConnectors=1634030126"]
        assert done.unmet == {}
        keys.values["NumberOfConnectors"] = "1"
        async with transactions() as tx:
            await onboarding.begin_again(tx, "cp16")
        assert (await found(State.PARTLY)).unmet == {"EVSEs": "the station says 1, provisioned are 2"}
        async with transactions() as tx:
            assert len((await tx.session.scalars(select(EvseRow).where(EvseRow.station_id == "cp16"))).all()) == 2


@SETTINGS
async def test_a_station_that_takes_watts_only_gets_watts(start, park, keys, found, station):
    keys.values["ChargingScheduleAllowedChargingRateUnit"] = "Power"
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        await found()
        assert (await station()).rate_unit == "W"


@SETTINGS
@pytest.mark.parametrize(
    "changed", [{"ChargingScheduleMaxPeriods": "1"}, {"SupportedFeatureProfiles": "Core,RemoteTrigger"}]
)
async def test_a_station_that_cannot_hold_a_lease_is_known_for_it_r6(start, park, keys, found, station, changed):
    keys.values |= changed
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        assert (await found()).capabilities["takes_leases"] is False
        assert (await station()).takes_leases is False


@SETTINGS
async def test_a_station_that_wants_names_is_asked_by_name(start, park, keys, found):
    keys.needs_names = True
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        done = await found()
        assert (done.state, done.unmet) == (State.DONE, {})
        assert done.capabilities["period_count"] == 24
        asked = [payload.get("key", []) for action, payload in charger.calls if action == "GetConfiguration"]
        assert max(map(len, asked)) <= 10


@SETTINGS
async def test_a_silent_station_is_tried_again_after_growing_pauses_and_charges_meanwhile(
    start, park, keys, found, clock, transactions
):
    async with start(call_timeout_s=0.1) as central, plugged(central.port, "cp16", V16) as charger:
        charger.answers["GetConfiguration"] = None
        failed = await found()
        assert (failed.state, failed.attempt_count) == (State.FAILED, 1)
        assert failed.unmet == {"onboarding": "the station does not answer"}
        for number, minutes in enumerate((1, 4, 16, 64, 240), start=2):
            clock.advance(minutes=minutes)
            await charger.heard("GetConfiguration", 2 * number)
            assert (await found(State.FAILED)).attempt_count == number
        assert (await found()).retry_at == clock.now() + onboarding.LONGEST_PAUSE
        clock.advance(hours=4)
        await charger.call("Heartbeat", {})
        await asyncio.sleep(0.2)
        assert (await found(State.FAILED)).retry_at is None
        assert count(charger) == 12
        keys.plug_into(charger)
        async with transactions() as tx:
            await onboarding.begin_again(tx, "cp16")
        assert (await found(State.DONE)).attempt_count == 1


@SETTINGS
async def test_one_that_supports_nothing_of_it_fails_with_reasons(start, park, found):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        charger.errors["GetConfiguration"] = "NotSupported"
        charger.errors["ChangeConfiguration"] = "NotImplemented"
        failed = await found()
        assert failed.state is State.FAILED
        assert failed.unmet["MeterValueSampleInterval"] == "refused: NotImplemented"
        assert failed.retry_at is not None


@SETTINGS
async def test_a_set_up_that_was_cut_short_goes_on_after_a_reconnect(start, park, keys, found, clock):
    async with start() as central:
        async with plugged(central.port, "cp16", V16) as charger:
            charger.answers["GetConfiguration"] = None
            await charger.heard("GetConfiguration")
        async with plugged(central.port, "cp16", V16) as charger:
            keys.plug_into(charger)
            await charger.call("Heartbeat", {})
            await asyncio.sleep(0.2)
            assert charger.calls == []
            clock.advance(minutes=1)
            assert (await found()).attempt_count == 2


@pytest.mark.ocpp("1.6", "BootNotification", "SetChargingProfile")
async def test_safe_defaults_are_proven_before_a_station_is_set_up_r8(start, park, keys, found, transactions):
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).values(default_verified_at=None))
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        await found()
        actions = [action for action, _ in charger.calls]
        assert actions[:5] == [*["SetChargingProfile", "GetCompositeSchedule"] * 2, "GetConfiguration"]


async def test_the_same_firmware_is_set_up_again_when_we_want_something_else(start, park, keys, found, clock):
    for interval_s in (30, 45):
        async with start(meter_interval_s=interval_s) as central, plugged(central.port, "cp16", V16) as charger:
            keys.plug_into(charger)
            await charger.call("Heartbeat", {})
            await charger.heard("ChangeConfiguration")
            await found()
            assert keys.values["MeterValueSampleInterval"] == str(interval_s)


async def test_what_an_operator_wrote_is_left_alone_and_shown(start, park, keys, found, transactions):
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        keys.plug_into(charger)
        await charger.call("BootNotification", BOOT)
        await found()
        keys.values["HeartbeatInterval"] = "900"
        async with transactions() as tx:
            await onboarding.overridden(tx, "cp16", "heartbeatinterval", "900")
        assert (await found()).unmet == {"HeartbeatInterval": "an operator has set it to 900"}
        await charger.call("BootNotification", BOOT)
        await asyncio.sleep(0.2)
        assert keys.values["HeartbeatInterval"] == "900"
        async with transactions() as tx:
            await onboarding.overridden(tx, "cp16", "HeartbeatInterval", "300")
        assert (await found()).state is State.DONE


@pytest.mark.ocpp("1.6", "SetChargingProfile", "GetCompositeSchedule")
async def test_a_default_that_is_refused_in_amperes_is_tried_in_watts(start, park, station, transactions):
    def watts_only(payload):
        unit = payload["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"]
        return {"status": "Accepted" if unit == "W" else "Rejected"}

    def composite(payload):
        schedule = {
            "chargingRateUnit": payload["chargingRateUnit"],
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1200}],
        }
        return {"status": "Accepted", "connectorId": payload["connectorId"], "chargingSchedule": schedule}

    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).values(default_verified_at=None))
    async with start() as central, plugged(central.port, "cp16", V16) as charger:
        charger.answers |= {"SetChargingProfile": watts_only, "GetCompositeSchedule": composite}
        sent = await charger.heard("SetChargingProfile", 3)
        schedules = [payload["csChargingProfiles"]["chargingSchedule"] for payload in sent]
        assert [each["chargingRateUnit"] for each in schedules] == ["A", "W", "W"]
        assert schedules[1]["chargingSchedulePeriod"][0]["limit"] == 1200
        await charger.heard("GetConfiguration")
        assert (await station()).rate_unit == "W"
        async with transactions() as tx:
            rows = await tx.session.scalars(select(EvseRow).where(EvseRow.station_id == "cp16"))
            assert all(row.default_verified_at is not None for row in rows)
