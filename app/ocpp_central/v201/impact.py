"""What a raw call of an expert may do to charging limits (site-limit rule R10). In doubt: more than it says."""

from collections.abc import Callable
from typing import Any

from app.domain.commands import RateUnit
from app.domain.errors import Invalid
from app.domain.raw import ChangeKind, Effect, Impact, LimitChange
from app.ocpp_central.dialect import dict_of, list_of, text_of, whole_of
from app.ocpp_central.impacts import HARMLESS, UNITS, harmless, highest_of, installs_root, logs_in, unverifies
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201.reading import instance_of, name_of
from app.operations.setting_gate import check_setting
from app.scheduling.profiles import STACK_LEVEL, lease_profile_id

KINDS = {
    "TxProfile": ChangeKind.SESSION,
    "TxDefaultProfile": ChangeKind.DEFAULT,
    "ChargingStationMaxProfile": ChangeKind.STATION_MAX,
}


def classify(action: str, payload: Payload) -> Impact | None:
    """Return the impact of a call that is valid by the schema; None for one that nobody has classified."""
    classifier = CLASSIFIED.get(action)
    return None if classifier is None else classifier(payload)


def _writes(payload: Payload) -> Impact:
    """SetVariables: forbidden as a whole where one of its variables is limit- or identity-related."""
    for entry in list_of(payload, "setVariableData"):
        component, variable = name_of(entry, "component"), name_of(entry, "variable")
        try:
            check_setting(f"{component}.{variable}", str(entry.get("attributeValue")))
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
        limit=None if unit is None else highest_of(schedules),
        unit=unit or RateUnit.A,
        is_replaceable=is_replaceable,
    )
    return Impact(Effect.LIMITS, changes=(change,))


CLASSIFIED: dict[str, Callable[[Payload], Impact]] = {
    "CancelReservation": harmless,
    "CertificateSigned": logs_in,
    "ChangeAvailability": harmless,
    "ClearCache": harmless,
    "ClearChargingProfile": _clears,
    "ClearDisplayMessage": harmless,
    "ClearVariableMonitoring": harmless,
    "CostUpdated": harmless,
    "CustomerInformation": harmless,
    "DataTransfer": unverifies,
    "DeleteCertificate": logs_in,
    "GetBaseReport": harmless,
    "GetChargingProfiles": harmless,
    "GetCompositeSchedule": harmless,
    "GetDisplayMessages": harmless,
    "GetInstalledCertificateIds": harmless,
    "GetLocalListVersion": harmless,
    "GetLog": harmless,
    "GetMonitoringReport": harmless,
    "GetReport": harmless,
    "GetTransactionStatus": harmless,
    "GetVariables": harmless,
    "InstallCertificate": installs_root,
    "PublishFirmware": harmless,
    "RequestStartTransaction": _starts,
    "RequestStopTransaction": harmless,
    "ReserveNow": harmless,
    "Reset": unverifies,
    "SendLocalList": harmless,
    "SetChargingProfile": _sets,
    "SetDisplayMessage": harmless,
    "SetMonitoringBase": harmless,
    "SetMonitoringLevel": harmless,
    "SetNetworkProfile": logs_in,
    "SetVariableMonitoring": harmless,
    "SetVariables": _writes,
    "TriggerMessage": harmless,
    "UnlockConnector": harmless,
    "UnpublishFirmware": harmless,
    "UpdateFirmware": unverifies,
}
