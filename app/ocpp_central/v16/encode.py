"""What we tell an OCPP 1.6 station, and what its answers mean."""

from typing import Any

from ocpp.v16 import call, datatypes, enums

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
from app.ocpp_central.dialect import Unspeakable, list_of, spelled, text_of
from app.ocpp_central.encoding import STANDING_START, composite_detail, tenths
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload

PURPOSES = {
    ProfilePurpose.DEFAULT: enums.ChargingProfilePurposeType.tx_default_profile,
    ProfilePurpose.STATION_MAX: enums.ChargingProfilePurposeType.charge_point_max_profile,
    ProfilePurpose.SESSION: enums.ChargingProfilePurposeType.tx_profile,
}
UNITS = {RateUnit.A: enums.ChargingRateUnitType.amps, RateUnit.W: enums.ChargingRateUnitType.watts}
TRIGGERS = {
    "boot": enums.MessageTrigger.boot_notification,
    "heartbeat": enums.MessageTrigger.heartbeat,
    "status": enums.MessageTrigger.status_notification,
    "meter_values": enums.MessageTrigger.meter_values,
}


def encode(command: Command) -> tuple[str, Payload]:
    """Return action and payload; raises Invalid where 1.6 cannot say it."""
    message = _message(command)
    return type(message).__name__, spelled(message)


def _message(command: Command) -> Any:
    match command:
        case ApplyProfile(evse_number, profile):
            return call.SetChargingProfile(evse_number, _profile(profile))
        case ClearProfile(evse_number, profile_id, purpose):
            return call.ClearChargingProfile(
                id=profile_id,
                connector_id=evse_number,
                charging_profile_purpose=None if purpose is None else PURPOSES[purpose],
            )
        case ReadComposite(evse_number, duration_s, unit):
            return call.GetCompositeSchedule(evse_number, duration_s, UNITS[unit])
        case StartSession(evse_number, token, _):
            return call.RemoteStartTransaction(id_tag=token, connector_id=evse_number)
        case StopSession(station_ref):
            return call.RemoteStopTransaction(_transaction_id(station_ref))
        case Reboot(hard):
            return call.Reset(enums.ResetType.hard if hard else enums.ResetType.soft)
        case Trigger():
            return _trigger(command)
        case ReadSettings(names):
            return call.GetConfiguration(key=list(names) or None)
        case WriteSetting(name, value):
            return call.ChangeConfiguration(name, value)
        case _:
            raise Unspeakable(f"there are no words for {type(command).__name__}")


def _trigger(command: Trigger) -> Any:
    if command.message not in TRIGGERS:
        raise Invalid("is no message that can be triggered", field="message")
    return call.TriggerMessage(TRIGGERS[command.message], command.evse_number)


def _transaction_id(station_ref: str) -> int:
    if not station_ref.isdecimal():
        raise Invalid("is no transaction id of OCPP 1.6", field="station_ref")
    return int(station_ref)


def _profile(profile: Profile) -> datatypes.ChargingProfile:
    periods = [
        datatypes.ChargingSchedulePeriod(period.offset_s, tenths(period.limit), profile.phase_count)
        for period in profile.periods
    ]
    return datatypes.ChargingProfile(
        charging_profile_id=profile.profile_id,
        stack_level=profile.stack_level,
        charging_profile_purpose=PURPOSES[profile.purpose],
        charging_profile_kind=enums.ChargingProfileKindType.absolute,
        charging_schedule=datatypes.ChargingSchedule(
            charging_rate_unit=UNITS[profile.unit],
            charging_schedule_period=periods,
            start_schedule=STANDING_START if profile.start_at is None else stamp(profile.start_at),
        ),
        transaction_id=None if profile.station_ref is None else _transaction_id(profile.station_ref),
    )


def decode_outcome(command: Command, payload: Payload) -> Outcome:
    """Return how a command ended; raises ValueError where the answer says nothing."""
    if isinstance(command, ReadSettings):
        return _settings(payload)
    status = text_of(payload, "status")
    if status is None:
        raise ValueError("the answer has no status")
    if status in {"NotSupported", "NotImplemented"}:
        return Unsupported(status)
    if status == "RebootRequired":
        return Accepted({"reboot_required": True})
    if status != "Accepted":
        return Rejected(status)
    match command:
        case ReadComposite():
            return Accepted(composite_detail(payload.get("chargingSchedule"), text_of(payload, "scheduleStart")))
        case WriteSetting():
            return Accepted({"reboot_required": False})
        case _:
            return Accepted()


def _settings(payload: Payload) -> Accepted:
    found = [each for each in list_of(payload, "configurationKey") if text_of(each, "key")]
    values = {each["key"]: text_of(each, "value", 500) for each in found}
    unknown = [name for name in list_of(payload, "unknownKey") if isinstance(name, str)]
    return Accepted({"values": values, "unknown": unknown})
