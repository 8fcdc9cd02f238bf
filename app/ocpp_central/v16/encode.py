"""What we tell an OCPP 1.6 station about limits, sessions and settings."""

from typing import Any

from ocpp.v16 import call, datatypes, enums

from app.domain.commands import (
    Accepted,
    ApplyProfile,
    ClearProfile,
    Command,
    Profile,
    ProfilePurpose,
    RateUnit,
    ReadComposite,
    ReadSettings,
    Reboot,
    StartSession,
    StopSession,
    Trigger,
    WriteSetting,
)
from app.domain.errors import Invalid
from app.ocpp_central.dialect import Spelling, list_of, text_of
from app.ocpp_central.encoding import STANDING_START, composite_detail, tenths
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v16 import answers

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
    "firmware_status": enums.MessageTrigger.firmware_status_notification,
    "diagnostics_status": enums.MessageTrigger.diagnostics_status_notification,
}
EXTENDED_TRIGGERS = {
    "log_status": enums.MessageTrigger.log_status_notification,
    "sign_certificate": enums.MessageTrigger.sign_charge_point_certificate,
}
SOLICITED = {
    **{name: str(message) for name, message in TRIGGERS.items()},
    "log_status": "LogStatusNotification",
    "sign_certificate": "SignCertificate",
}
LONGEST_TAG_COUNT = 20


def id_tag(token: str) -> str:
    """Return a token as an idTag; raises Invalid where it is too long for one (OCPP 1.6 §7.28)."""
    if len(token) > LONGEST_TAG_COUNT:
        raise Invalid("is longer than the 20 characters of OCPP 1.6", field="token")
    return token


def _apply(command: ApplyProfile) -> Any:
    """OCPP 1.6 §5.16."""
    return call.SetChargingProfile(command.evse_number, _profile(command.profile))


def _clear(command: ClearProfile) -> Any:
    """OCPP 1.6 §5.5."""
    purpose = None if command.purpose is None else PURPOSES[command.purpose]
    return call.ClearChargingProfile(
        id=command.profile_id, connector_id=command.evse_number, charging_profile_purpose=purpose
    )


def _composite(command: ReadComposite) -> Any:
    """OCPP 1.6 §5.7."""
    return call.GetCompositeSchedule(command.evse_number, command.duration_s, UNITS[command.unit])


def _composite_detail(payload: Payload) -> dict[str, Any]:
    return composite_detail(payload.get("chargingSchedule"), text_of(payload, "scheduleStart"))


def _start(command: StartSession) -> Any:
    """OCPP 1.6 §5.11."""
    return call.RemoteStartTransaction(id_tag=id_tag(command.token), connector_id=command.evse_number)


def _reset(command: Reboot) -> Any:
    """OCPP 1.6 §5.14."""
    return call.Reset(enums.ResetType.hard if command.hard else enums.ResetType.soft)


def _trigger(command: Trigger) -> Any:
    """OCPP 1.6 §5.17; whitepaper A03 (ExtendedTriggerMessage) for what only the security extensions know."""
    if command.message in TRIGGERS:
        return call.TriggerMessage(TRIGGERS[command.message], command.evse_number)
    if command.message in EXTENDED_TRIGGERS:
        return call.ExtendedTriggerMessage(EXTENDED_TRIGGERS[command.message], command.evse_number)
    raise Invalid("is no message that can be triggered", field="message")


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


def _settings(_command: ReadSettings, payload: Payload) -> Accepted:
    """OCPP 1.6 §5.8."""
    found = [each for each in list_of(payload, "configurationKey") if text_of(each, "key")]
    values = {each["key"]: text_of(each, "value", 500) for each in found}
    writable = {each["key"]: each.get("readonly") is False for each in found}
    unknown = [name for name in list_of(payload, "unknownKey") if isinstance(name, str)]
    return Accepted({"values": values, "unknown": unknown, "writable": writable})


def _is_reboot_required(payload: Payload) -> dict[str, Any]:
    return {"reboot_required": payload.get("status") == "RebootRequired"}


SPELLINGS: dict[type[Command], Spelling] = {
    ApplyProfile: Spelling(("SetChargingProfile",), _apply, answers.plain),
    ClearProfile: Spelling(("ClearChargingProfile",), _clear, answers.plain),
    ReadComposite: Spelling(
        ("GetCompositeSchedule",), _composite, answers.accepted_as("Accepted", detail=_composite_detail)
    ),
    StartSession: Spelling(
        ("RemoteStartTransaction",), _start, answers.plain, note="lossy: 1.6 has no id of a remote start"
    ),
    StopSession: Spelling(
        ("RemoteStopTransaction",),
        lambda command: call.RemoteStopTransaction(_transaction_id(command.station_ref)),
        answers.plain,
    ),
    Reboot: Spelling(("Reset",), _reset, answers.plain),
    Trigger: Spelling(("TriggerMessage", "ExtendedTriggerMessage"), _trigger, answers.plain),
    ReadSettings: Spelling(
        ("GetConfiguration",), lambda command: call.GetConfiguration(key=list(command.names) or None), _settings
    ),
    WriteSetting: Spelling(
        ("ChangeConfiguration",),
        lambda command: call.ChangeConfiguration(command.name, command.value),
        answers.accepted_as("Accepted", "RebootRequired", detail=_is_reboot_required),
    ),
}
