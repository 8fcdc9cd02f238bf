"""What we tell an OCPP 2.0.1 station, and what its answers mean."""

from typing import Any

from ocpp.v201 import call, datatypes, enums

from app.domain.commands import (
    Accepted,
    ApplyProfile,
    ClearProfile,
    Command,
    Outcome,
    Profile,
    ProfilePurpose,
    RateUnit,
    ReadComposite,
    ReadSettings,
    Reboot,
    Rejected,
    StartSession,
    StopSession,
    Trigger,
    Unsupported,
    WriteSetting,
)
from app.domain.errors import Invalid
from app.ocpp_central.dialect import Unspeakable, dict_of, list_of, spelled, text_of
from app.ocpp_central.encoding import STANDING_START, composite_detail, tenths
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload

PURPOSES = {
    ProfilePurpose.DEFAULT: enums.ChargingProfilePurposeEnumType.tx_default_profile,
    ProfilePurpose.STATION_MAX: enums.ChargingProfilePurposeEnumType.charging_station_max_profile,
    ProfilePurpose.SESSION: enums.ChargingProfilePurposeEnumType.tx_profile,
}
UNITS = {RateUnit.A: enums.ChargingRateUnitEnumType.amps, RateUnit.W: enums.ChargingRateUnitEnumType.watts}
TRIGGERS = {
    "boot": enums.MessageTriggerEnumType.boot_notification,
    "heartbeat": enums.MessageTriggerEnumType.heartbeat,
    "status": enums.MessageTriggerEnumType.status_notification,
    "meter_values": enums.MessageTriggerEnumType.meter_values,
}
ONLY_CONNECTOR = 1
UNKNOWN_SETTING = {"UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"}


def encode(command: Command) -> tuple[str, Payload]:
    """Return action and payload; raises Invalid where 2.0.1 cannot say it."""
    message = _message(command)
    return type(message).__name__, spelled(message)


def _message(command: Command) -> Any:
    match command:
        case ApplyProfile(evse_number, profile):
            return call.SetChargingProfile(evse_number, _profile(profile))
        case ClearProfile():
            return _clear(command)
        case ReadComposite(evse_number, duration_s, unit):
            return call.GetCompositeSchedule(duration_s, evse_number, UNITS[unit])
        case StartSession(evse_number, token, remote_start_id):
            id_token = datatypes.IdTokenType(token, enums.IdTokenEnumType.central)
            return call.RequestStartTransaction(id_token, remote_start_id, evse_number)
        case StopSession(station_ref):
            return call.RequestStopTransaction(station_ref)
        case Reboot(hard):
            return call.Reset(enums.ResetEnumType.immediate if hard else enums.ResetEnumType.on_idle)
        case Trigger():
            return _trigger(command)
        case ReadSettings(names):
            return _read(names)
        case WriteSetting(name, value):
            return call.SetVariables([datatypes.SetVariableDataType(value, *_named(name, "name"))])
        case _:
            raise Unspeakable(f"there are no words for {type(command).__name__}")


def _read(names: tuple[str, ...]) -> Any:
    if not names:
        raise Invalid("OCPP 2.0.1 reads settings by name", field="names")
    return call.GetVariables([datatypes.GetVariableDataType(*_named(name, "names")) for name in names])


def _clear(command: ClearProfile) -> Any:
    if command.profile_id is not None:
        return call.ClearChargingProfile(charging_profile_id=command.profile_id)
    purpose = None if command.purpose is None else PURPOSES[command.purpose]
    return call.ClearChargingProfile(
        charging_profile_criteria=datatypes.ClearChargingProfileType(command.evse_number, purpose)
    )


def _trigger(command: Trigger) -> Any:
    """OCPP 2.0.1 F06.FR.12: a StatusNotification is asked of a connector."""
    if command.message not in TRIGGERS:
        raise Invalid("is no message that can be triggered", field="message")
    evse = None
    if command.evse_number is not None:
        evse = datatypes.EVSEType(command.evse_number, ONLY_CONNECTOR if command.message == "status" else None)
    return call.TriggerMessage(TRIGGERS[command.message], evse)


def _named(name: str, field: str) -> tuple[Any, Any]:
    component, dot, variable = name.partition(".")
    if not (component and dot and variable):
        raise Invalid('must be "Component.Variable"', field=field)
    return datatypes.ComponentType(component), datatypes.VariableType(variable)


def _profile(profile: Profile) -> datatypes.ChargingProfileType:
    periods = [
        datatypes.ChargingSchedulePeriodType(period.offset_s, tenths(period.limit), profile.phase_count)
        for period in profile.periods
    ]
    schedule = datatypes.ChargingScheduleType(
        id=profile.profile_id,
        charging_rate_unit=UNITS[profile.unit],
        charging_schedule_period=periods,
        start_schedule=STANDING_START if profile.start_at is None else stamp(profile.start_at),
    )
    return datatypes.ChargingProfileType(
        id=profile.profile_id,
        stack_level=profile.stack_level,
        charging_profile_purpose=PURPOSES[profile.purpose],
        charging_profile_kind=enums.ChargingProfileKindEnumType.absolute,
        charging_schedule=[schedule],
        transaction_id=profile.station_ref,
    )


def decode_outcome(command: Command, payload: Payload) -> Outcome:
    """Return how a command ended; raises ValueError where the answer says nothing."""
    if isinstance(command, ReadSettings):
        return _settings(payload)
    if isinstance(command, WriteSetting):
        return _written(payload)
    status = text_of(payload, "status")
    if status is None:
        raise ValueError("the answer has no status")
    if status == "Scheduled":
        return Accepted({"scheduled": True})
    if status == "NotImplemented":
        return Unsupported(status)
    if status != "Accepted":
        return Rejected(text_of(dict_of(payload, "statusInfo"), "reasonCode", 50) or status)
    if isinstance(command, ReadComposite):
        schedule = payload.get("schedule")
        return Accepted(composite_detail(schedule, text_of(schedule, "scheduleStart")))
    return Accepted()


def _settings(payload: Payload) -> Accepted:
    values: dict[str, str | None] = {}
    unknown: list[str] = []
    for result in list_of(payload, "getVariableResult"):
        name = f"{text_of(dict_of(result, 'component'), 'name')}.{text_of(dict_of(result, 'variable'), 'name')}"
        status = text_of(result, "attributeStatus")
        if status in UNKNOWN_SETTING:
            unknown.append(name)
        else:
            values[name] = text_of(result, "attributeValue", 2500) if status == "Accepted" else None
    return Accepted({"values": values, "unknown": unknown})


def _written(payload: Payload) -> Outcome:
    results = list_of(payload, "setVariableResult")
    status = text_of(results[0], "attributeStatus") if results else None
    if status is None:
        raise ValueError("the answer has no result")
    if status in UNKNOWN_SETTING:
        return Unsupported(status)
    if status in {"Accepted", "RebootRequired"}:
        return Accepted({"reboot_required": status == "RebootRequired"})
    return Rejected(status)
