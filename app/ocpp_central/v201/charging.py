"""Charging profiles and sessions, as they are said to an OCPP 2.0.1 station."""

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
    StartSession,
    StopSession,
)
from app.domain.upkeep import ReadProfiles, ReadSessionStatus
from app.ocpp_central.dialect import Spelling, text_of
from app.ocpp_central.encoding import STANDING_START, composite_detail, tenths
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201 import answers

PURPOSES = {
    ProfilePurpose.DEFAULT: enums.ChargingProfilePurposeEnumType.tx_default_profile,
    ProfilePurpose.STATION_MAX: enums.ChargingProfilePurposeEnumType.charging_station_max_profile,
    ProfilePurpose.SESSION: enums.ChargingProfilePurposeEnumType.tx_profile,
}
UNITS = {RateUnit.A: enums.ChargingRateUnitEnumType.amps, RateUnit.W: enums.ChargingRateUnitEnumType.watts}


def _apply(command: ApplyProfile) -> Any:
    """OCPP 2.0.1 K01."""
    return call.SetChargingProfile(command.evse_number, _profile(command.profile))


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


def _clear(command: ClearProfile) -> Any:
    """OCPP 2.0.1 K10."""
    if command.profile_id is not None:
        return call.ClearChargingProfile(charging_profile_id=command.profile_id)
    purpose = None if command.purpose is None else PURPOSES[command.purpose]
    return call.ClearChargingProfile(
        charging_profile_criteria=datatypes.ClearChargingProfileType(command.evse_number, purpose)
    )


def _composite(command: ReadComposite) -> Any:
    """OCPP 2.0.1 K08."""
    return call.GetCompositeSchedule(command.duration_s, command.evse_number, UNITS[command.unit])


def _composite_detail(payload: Payload) -> dict[str, Any]:
    schedule = payload.get("schedule")
    return composite_detail(schedule, text_of(schedule, "scheduleStart"))


def _start(command: StartSession) -> Any:
    """OCPP 2.0.1 F01, F02."""
    id_token = datatypes.IdTokenType(command.token, enums.IdTokenEnumType.central)
    return call.RequestStartTransaction(id_token, command.remote_start_id, command.evse_number)


def _profiles(command: ReadProfiles) -> Any:
    """OCPP 2.0.1 K09: no criterion, so that whatever is installed is reported, whoever has set it."""
    criterion = datatypes.ChargingProfileCriterionType()
    return call.GetChargingProfiles(command.request_id, criterion, command.evse_number)


def _session_status(_command: ReadSessionStatus, payload: Payload) -> Outcome:
    has_queue, is_ongoing = payload.get("messagesInQueue"), payload.get("ongoingIndicator")
    if not isinstance(has_queue, bool):
        raise ValueError("the answer does not say whether messages are queued")
    return Accepted(
        {
            "is_ongoing": is_ongoing if isinstance(is_ongoing, bool) else None,
            "has_queued_messages": has_queue,
        }
    )


SPELLINGS: dict[type[Command], Spelling] = {
    ApplyProfile: Spelling(("SetChargingProfile",), _apply, answers.plain),
    ClearProfile: Spelling(("ClearChargingProfile",), _clear, answers.plain),
    ReadComposite: Spelling(
        ("GetCompositeSchedule",), _composite, answers.accepted_as("Accepted", detail=_composite_detail)
    ),
    StartSession: Spelling(
        ("RequestStartTransaction",), _start, answers.plain, note="synthesised: the token's type, which is Central"
    ),
    StopSession: Spelling(
        ("RequestStopTransaction",), lambda command: call.RequestStopTransaction(command.station_ref), answers.plain
    ),
    ReadProfiles: Spelling(
        ("GetChargingProfiles",), _profiles, answers.plain, note="a station without any answers NoProfiles: rejected"
    ),
    ReadSessionStatus: Spelling(
        ("GetTransactionStatus",), lambda command: call.GetTransactionStatus(command.station_ref), _session_status
    ),
}
