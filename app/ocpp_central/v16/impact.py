"""What a raw call of an expert may do to charging limits (site-limit rule R10). In doubt: more than it says."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.domain.commands import RateUnit
from app.domain.errors import Invalid
from app.domain.raw import ChangeKind, Effect, Impact, Limit, LimitChange
from app.ocpp_central.dialect import dict_of, list_of, text_of, whole_of
from app.ocpp_central.rpc import Payload
from app.operations.station_commands import check_setting
from app.scheduling.profiles import STACK_LEVEL

KINDS = {
    "TxProfile": ChangeKind.SESSION,
    "TxDefaultProfile": ChangeKind.DEFAULT,
    "ChargePointMaxProfile": ChangeKind.STATION_MAX,
}
UNITS = {"A": RateUnit.A, "W": RateUnit.W}
HIGHEST_BELIEVABLE: Limit = 1e7
MOST_PHASES_COUNT = 3
SURELY_PAST = datetime(2020, 1, 1, tzinfo=UTC)

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
    """A root for firmware touches no limit; the central system's is Sunslot's own matter (whitepaper M05)."""
    is_makers = payload.get("certificateType") == "ManufacturerRootCertificate"
    return HARMLESS if is_makers else Impact(Effect.FORBIDDEN, LOGIN)


def _configures(payload: Payload) -> Impact:
    """OCPP 1.6 §5.3: keys that touch limits or how the station logs in are Sunslot's own."""
    try:
        check_setting(str(payload.get("key")))
    except Invalid as forbidden:
        return Impact(Effect.FORBIDDEN, forbidden.detail)
    return HARMLESS


def _sets(payload: Payload) -> Impact:
    """OCPP 1.6 §5.16."""
    number = whole_of(payload, "connectorId")
    return Impact(Effect.LIMITS, changes=(_change(dict_of(payload, "csChargingProfiles"), number),))


def _starts(payload: Payload) -> Impact:
    """OCPP 1.6 §5.11: a remote start may bring a profile."""
    if "chargingProfile" not in payload:
        return HARMLESS
    change = _change(dict_of(payload, "chargingProfile"), whole_of(payload, "connectorId"))
    return Impact(Effect.LIMITS, changes=(change,))


def _clears(payload: Payload) -> Impact:
    """OCPP 1.6 §5.5: an id decides alone, whatever else is given; it does not say which purpose and EVSE it has."""
    evse_number = None if "id" in payload else whole_of(payload, "connectorId")
    return Impact(Effect.LIMITS, changes=(LimitChange(ChangeKind.CLEARED, evse_number),))


def _change(profile: Payload, evse_number: int | None) -> LimitChange:
    """Return what a profile changes. One of no known purpose counts as if profiles were taken away."""
    kind = KINDS.get(text_of(profile, "chargingProfilePurpose") or "", ChangeKind.CLEARED)
    schedule = dict_of(profile, "chargingSchedule")
    unit = UNITS.get(text_of(schedule, "chargingRateUnit") or "")
    limit = _highest(schedule) if unit is not None and kind is not ChangeKind.CLEARED else None
    return LimitChange(
        kind=kind,
        evse_number=evse_number,
        limit=limit,
        unit=unit or RateUnit.A,
        is_replaceable=kind is ChangeKind.SESSION and whole_of(profile, "stackLevel") == STACK_LEVEL,
        is_standing=_is_standing(profile, schedule),
        phase_count=_phase_count(schedule),
    )


def _highest(schedule: Payload) -> Limit | None:
    """Return the highest limit of all periods; None where one cannot be believed, or where nothing holds at first."""
    periods = list_of(schedule, "chargingSchedulePeriod")
    limits = [_believable(period.get("limit")) for period in periods if isinstance(period, dict)]
    known = [limit for limit in limits if limit is not None]
    if not periods or len(known) != len(periods) or not _covers_its_start(schedule):
        return None
    return max(known)


def _believable(value: Any) -> Limit | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if 0 <= value <= HIGHEST_BELIEVABLE else None


def _covers_its_start(schedule: Payload) -> bool:
    return any(whole_of(period, "startPeriod") == 0 for period in list_of(schedule, "chargingSchedulePeriod"))


def _is_standing(profile: Payload, schedule: Payload) -> bool:
    """Whether it surely holds from now on and for ever: absolute, begun long ago, neither windows nor recurrence.

    When a relative profile begins, or an absolute one that says no start, is the station's choice (OCPP 1.6 §3.13.3).
    """
    has_bounds = any(key in profile for key in ("validFrom", "validTo", "recurrencyKind")) or "duration" in schedule
    if has_bounds or profile.get("chargingProfileKind") != "Absolute" or not _covers_its_start(schedule):
        return False
    try:
        begins_at = datetime.fromisoformat(schedule["startSchedule"])
    except (KeyError, TypeError, ValueError):
        return False
    return (begins_at if begins_at.tzinfo else begins_at.replace(tzinfo=UTC)) <= SURELY_PAST


def _phase_count(schedule: Payload) -> int | None:
    """Return the number of phases that all periods name; None where they differ or leave it open."""
    counts = {whole_of(period, "numberPhases") for period in list_of(schedule, "chargingSchedulePeriod")}
    count = counts.pop() if len(counts) == 1 else None
    return count if count is not None and 1 <= count <= MOST_PHASES_COUNT else None


CLASSIFIED: dict[str, Callable[[Payload], Impact]] = {
    "CancelReservation": _harmless,
    "CertificateSigned": _logs_in,
    "ChangeAvailability": _harmless,
    "ChangeConfiguration": _configures,
    "ClearCache": _harmless,
    "ClearChargingProfile": _clears,
    "DataTransfer": _unverifies,
    "DeleteCertificate": _logs_in,
    "ExtendedTriggerMessage": _harmless,
    "GetCompositeSchedule": _harmless,
    "GetConfiguration": _harmless,
    "GetDiagnostics": _harmless,
    "GetInstalledCertificateIds": _harmless,
    "GetLocalListVersion": _harmless,
    "GetLog": _harmless,
    "InstallCertificate": _installs_root,
    "RemoteStartTransaction": _starts,
    "RemoteStopTransaction": _harmless,
    "ReserveNow": _harmless,
    "Reset": _unverifies,
    "SendLocalList": _harmless,
    "SetChargingProfile": _sets,
    "SignedUpdateFirmware": _unverifies,
    "TriggerMessage": _harmless,
    "UnlockConnector": _harmless,
    "UpdateFirmware": _unverifies,
}
