"""What a raw call of an expert may do to charging limits (site-limit rule R10). In doubt: more than it says."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.domain.commands import RateUnit
from app.domain.errors import Invalid
from app.domain.raw import ChangeKind, Effect, Impact, Limit, LimitChange
from app.ocpp_central.dialect import dict_of, list_of, text_of, whole_of
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201.reading import figure_of, instance_of, name_of
from app.operations.station_commands import check_setting
from app.scheduling.profiles import STACK_LEVEL, lease_profile_id

KINDS = {
    "TxProfile": ChangeKind.SESSION,
    "TxDefaultProfile": ChangeKind.DEFAULT,
    "ChargingStationMaxProfile": ChangeKind.STATION_MAX,
}
UNITS = {"A": RateUnit.A, "W": RateUnit.W}
HIGHEST_BELIEVABLE: Limit = 1e7
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
MOST_PHASES_COUNT = 3

HARMLESS = Impact(Effect.HARMLESS)
UNVERIFIES = Impact(Effect.UNVERIFIES)
LOGIN = "decides how the station logs in or whom it trusts as its central system"


def classify(action: str, payload: Payload) -> Impact | None:
    """Return the impact of a call that is valid by the schema; None for one that nobody has classified."""
    classifier = CLASSIFIED.get(action)
    return None if classifier is None else classifier(payload)


def _harmless(_payload: Payload) -> Impact:
    return HARMLESS


def _unverifies(_payload: Payload) -> Impact:
    """Profiles may be lost (reset, new firmware), or whatever a vendor has thought of."""
    return UNVERIFIES


def _logs_in(_payload: Payload) -> Impact:
    return Impact(Effect.FORBIDDEN, LOGIN)


def _installs_root(payload: Payload) -> Impact:
    """Roots for firmware and ISO 15118 touch no limit; the central system's is Sunslot's own matter."""
    others = {"ManufacturerRootCertificate", "V2GRootCertificate", "MORootCertificate"}
    return HARMLESS if payload.get("certificateType") in others else Impact(Effect.FORBIDDEN, LOGIN)


def _writes(payload: Payload) -> Impact:
    """SetVariables: forbidden as a whole where one of its variables is limit- or identity-related."""
    for entry in list_of(payload, "setVariableData"):
        component, variable = name_of(entry, "component"), name_of(entry, "variable")
        try:
            check_setting(f"{component}.{variable}")
            check_setting(f"{instance_of(entry, 'component')}.{instance_of(entry, 'variable')}")
        except Invalid as invalid:
            return Impact(Effect.FORBIDDEN, f"{component}.{variable}: {invalid}")
    return HARMLESS


def _starts(payload: Payload) -> Impact:
    """RequestStartTransaction: a profile may come with it (OCPP 2.0.1 F01, K05)."""
    return _profile(payload, payload["chargingProfile"]) if "chargingProfile" in payload else HARMLESS


def _sets(payload: Payload) -> Impact:
    return _profile(payload, payload.get("chargingProfile"))


def _clears(payload: Payload) -> Impact:
    """ClearChargingProfile: an id does not say which purpose and EVSE it has."""
    evse_number = None
    if "chargingProfileId" not in payload:
        evse_number = whole_of(dict_of(payload, "chargingProfileCriteria"), "evseId")
    return Impact(Effect.LIMITS, changes=(LimitChange(ChangeKind.CLEARED, evse_number),))


def _profile(payload: Payload, profile: Any) -> Impact:
    """Return the change that a profile makes, as high as any period of any of its schedules.

    Our lease replaces one of its own id only: another id at its level is a duplicate, and refused (K01.FR.39).
    """
    purpose = text_of(profile, "chargingProfilePurpose") or "none"
    kind = KINDS.get(purpose)
    if kind is None:
        return Impact(Effect.FORBIDDEN, f"a central system sets no profile of purpose {purpose} (OCPP 2.0.1 K01)")
    evse_number = whole_of(payload, "evseId")
    is_lease = kind is ChangeKind.SESSION and whole_of(profile, "stackLevel") == STACK_LEVEL
    is_replaceable = is_lease and bool(evse_number) and whole_of(profile, "id") == lease_profile_id(evse_number or 0)
    schedules = list_of(profile, "chargingSchedule")
    units = {text_of(each, "chargingRateUnit") for each in schedules}
    unit = UNITS.get(units.pop() or "") if len(units) == 1 else None
    change = LimitChange(
        kind=kind,
        evse_number=evse_number,
        limit=None if unit is None else _highest(schedules),
        unit=unit or RateUnit.A,
        is_replaceable=is_replaceable,
        is_standing=_is_standing(profile, schedules),
        phase_count=_phase_count(schedules),
    )
    return Impact(Effect.LIMITS, changes=(change,))


def _highest(schedules: list[Any]) -> Limit | None:
    """Return the highest limit of all periods; None where one has none that can be believed."""
    periods = [list_of(each, "chargingSchedulePeriod") for each in schedules]
    limits = [figure_of(period, "limit") for each in periods for period in each]
    known = [limit for limit in limits if limit is not None and 0 <= limit <= HIGHEST_BELIEVABLE]
    return max(known) if known and all(periods) and len(known) == len(limits) else None


def _is_standing(profile: Any, schedules: list[Any]) -> bool:
    """Whether it is in force from now on and for ever: neither windows, nor recurrence, nor a start to come."""
    if not schedules or any(key in profile for key in ("validFrom", "validTo")):
        return False
    is_plain = profile.get("chargingProfileKind") in {"Absolute", "Relative"}
    return is_plain and all(_has_begun(each) for each in schedules)


def _has_begun(schedule: Any) -> bool:
    if not isinstance(schedule, dict) or "duration" in schedule:
        return False
    offsets_s = [whole_of(period, "startPeriod") for period in list_of(schedule, "chargingSchedulePeriod")]
    if 0 not in offsets_s:
        return False
    if "startSchedule" not in schedule:
        return True
    try:
        start_at = datetime.fromisoformat(schedule["startSchedule"])
    except (TypeError, ValueError):
        return False
    return (start_at if start_at.tzinfo else start_at.replace(tzinfo=UTC)) <= LONG_AGO


def _phase_count(schedules: list[Any]) -> int | None:
    """Return the number of phases that all periods name; None where they differ or leave it open."""
    periods = [period for each in schedules for period in list_of(each, "chargingSchedulePeriod")]
    counts = {whole_of(period, "numberPhases") for period in periods}
    count = counts.pop() if len(counts) == 1 else None
    return count if count is not None and 1 <= count <= MOST_PHASES_COUNT else None


CLASSIFIED: dict[str, Callable[[Payload], Impact]] = {
    "CancelReservation": _harmless,
    "CertificateSigned": _logs_in,
    "ChangeAvailability": _harmless,
    "ClearCache": _harmless,
    "ClearChargingProfile": _clears,
    "ClearDisplayMessage": _harmless,
    "ClearVariableMonitoring": _harmless,
    "CostUpdated": _harmless,
    "CustomerInformation": _harmless,
    "DataTransfer": _unverifies,
    "DeleteCertificate": _logs_in,
    "GetBaseReport": _harmless,
    "GetChargingProfiles": _harmless,
    "GetCompositeSchedule": _harmless,
    "GetDisplayMessages": _harmless,
    "GetInstalledCertificateIds": _harmless,
    "GetLocalListVersion": _harmless,
    "GetLog": _harmless,
    "GetMonitoringReport": _harmless,
    "GetReport": _harmless,
    "GetTransactionStatus": _harmless,
    "GetVariables": _harmless,
    "InstallCertificate": _installs_root,
    "PublishFirmware": _harmless,
    "RequestStartTransaction": _starts,
    "RequestStopTransaction": _harmless,
    "ReserveNow": _harmless,
    "Reset": _unverifies,
    "SendLocalList": _harmless,
    "SetChargingProfile": _sets,
    "SetDisplayMessage": _harmless,
    "SetMonitoringBase": _harmless,
    "SetMonitoringLevel": _harmless,
    "SetNetworkProfile": _logs_in,
    "SetVariableMonitoring": _harmless,
    "SetVariables": _writes,
    "TriggerMessage": _harmless,
    "UnlockConnector": _harmless,
    "UnpublishFirmware": _harmless,
    "UpdateFirmware": _unverifies,
}
