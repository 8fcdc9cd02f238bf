"""What a raw call of an expert may do to charging limits (site-limit rule R10). In doubt: more than it says."""

from collections.abc import Callable

from app.domain.commands import RateUnit
from app.domain.errors import Invalid
from app.domain.raw import ChangeKind, Effect, Impact, LimitChange
from app.ocpp_central.dialect import dict_of, text_of, whole_of
from app.ocpp_central.impacts import HARMLESS, UNITS, harmless, highest_of, installs_root, logs_in, unverifies
from app.ocpp_central.rpc import Payload
from app.operations.setting_gate import check_setting
from app.scheduling.profiles import STACK_LEVEL

KINDS = {
    "TxProfile": ChangeKind.SESSION,
    "TxDefaultProfile": ChangeKind.DEFAULT,
    "ChargePointMaxProfile": ChangeKind.STATION_MAX,
}


def classify(action: str, payload: Payload) -> Impact | None:
    """Return the impact of a call that is valid by the schema; None for one that nobody has classified."""
    classifier = CLASSIFIED.get(action)
    return None if classifier is None else classifier(payload)


def _configures(payload: Payload) -> Impact:
    """OCPP 1.6 §5.3: keys that touch limits or how the station logs in are Sunslot's own."""
    try:
        check_setting(str(payload.get("key")), str(payload.get("value")))
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
    return LimitChange(
        kind=kind,
        evse_number=evse_number,
        limit=highest_of([schedule]) if unit is not None and kind is not ChangeKind.CLEARED else None,
        unit=unit or RateUnit.A,
        is_replaceable=kind is ChangeKind.SESSION and whole_of(profile, "stackLevel") == STACK_LEVEL,
    )


CLASSIFIED: dict[str, Callable[[Payload], Impact]] = {
    "CancelReservation": harmless,
    "CertificateSigned": logs_in,
    "ChangeAvailability": harmless,
    "ChangeConfiguration": _configures,
    "ClearCache": harmless,
    "ClearChargingProfile": _clears,
    "DataTransfer": unverifies,
    "DeleteCertificate": logs_in,
    "ExtendedTriggerMessage": harmless,
    "GetCompositeSchedule": harmless,
    "GetConfiguration": harmless,
    "GetDiagnostics": harmless,
    "GetInstalledCertificateIds": harmless,
    "GetLocalListVersion": harmless,
    "GetLog": harmless,
    "InstallCertificate": installs_root,
    "RemoteStartTransaction": _starts,
    "RemoteStopTransaction": harmless,
    "ReserveNow": harmless,
    "Reset": unverifies,
    "SendLocalList": harmless,
    "SetChargingProfile": _sets,
    "SignedUpdateFirmware": unverifies,
    "TriggerMessage": harmless,
    "UnlockConnector": harmless,
    "UpdateFirmware": unverifies,
}
