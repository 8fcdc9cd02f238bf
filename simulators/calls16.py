"""Calls of the central system in OCPP 1.6J, carried out on a station."""

from functools import partial

from simulators import upkeep, upkeep16
from simulators.calls import PURPOSES, Handler, answer_with, composite, profile_from, trigger, verdict
from simulators.messages import Payload
from simulators.profiles import Purpose
from simulators.settings import BY_NAME, names_of
from simulators.station import Station


def _set_profile(station: Station, payload: Payload) -> Payload:
    wire = payload["csChargingProfiles"]
    profile = profile_from(wire, wire["chargingProfileId"], int(payload["connectorId"]), wire["chargingSchedule"])
    return verdict(station.set_profile(profile))


def _clear_profile(station: Station, payload: Payload) -> Payload:
    purpose = payload.get("chargingProfilePurpose")
    cleared = station.profiles.clear(
        profile_id=payload.get("id"),
        evse_number=payload.get("connectorId"),
        purpose=None if purpose is None else PURPOSES[purpose],
        stack_level=payload.get("stackLevel"),
    )
    station.refresh()
    return verdict(cleared > 0, "Unknown")


def _composite(station: Station, payload: Payload) -> Payload:
    number, duration_s = int(payload["connectorId"]), int(payload["duration"])
    unit = payload.get("chargingRateUnit", "A")
    if number not in station.bays:
        return verdict(False)
    start, periods = composite(station, number, duration_s, unit)
    schedule = {
        "duration": duration_s,
        "startSchedule": start,
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }
    return {"status": "Accepted", "connectorId": number, "scheduleStart": start, "chargingSchedule": schedule}


def _remote_start(station: Station, payload: Payload) -> Payload:
    bay = station.remote_start(payload.get("connectorId"), str(payload["idTag"]), None)
    if bay is not None and (wire := payload.get("chargingProfile")) is not None:
        number, schedule = bay.evse.number, wire["chargingSchedule"]
        profile = profile_from({**wire, "transactionId": None}, wire["chargingProfileId"], number, schedule)
        if profile.purpose is Purpose.TX:
            station.later(lambda: station.set_profile(profile))
    return verdict(bay is not None)


def _remote_stop(station: Station, payload: Payload) -> Payload:
    bay = station.bay_of(str(payload["transactionId"]))
    if bay is not None:
        station.later(lambda: bay.end("Remote"))
    return verdict(bay is not None)


def _reset(station: Station, payload: Payload) -> Payload:
    station.reset({"Hard": "HardReset", "Soft": "SoftReset"}[payload["type"]])
    return verdict(True)


def _trigger(station: Station, payload: Payload) -> Payload:
    if payload["requestedMessage"] == "DiagnosticsStatusNotification":
        upkeep.send_later(station, station.workshop.tell_diagnostics())
        return verdict(True)
    return trigger(station, payload["requestedMessage"], payload.get("connectorId"))


def _get_configuration(station: Station, payload: Payload) -> Payload:
    asked = payload.get("key") or names_of(is_201=False)
    known = [name for name in asked if name in BY_NAME and "." not in name]
    answer: Payload = {"configurationKey": []}
    for name in known:
        setting = BY_NAME[name]
        value = {} if setting.read is None else {"value": setting.read(station)}
        answer["configurationKey"].append({"key": name, "readonly": setting.write is None, **value})
    unknown = [name for name in asked if name not in known]
    if unknown:
        answer["unknownKey"] = unknown
    return answer


def _change_configuration(station: Station, payload: Payload) -> Payload:
    setting = BY_NAME.get(payload["key"])
    if setting is None or "." in payload["key"]:
        return {"status": "NotSupported"}
    if setting.write is None:
        return verdict(False)
    try:
        setting.write(station, str(payload["value"]))
    except ValueError:
        return verdict(False)
    return verdict(True)


HANDLERS: dict[str, Handler] = {
    "SetChargingProfile": _set_profile,
    "ClearChargingProfile": _clear_profile,
    "GetCompositeSchedule": _composite,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "Reset": _reset,
    "TriggerMessage": _trigger,
    "GetConfiguration": _get_configuration,
    "ChangeConfiguration": _change_configuration,
    **upkeep16.HANDLERS,
}

answer = partial(answer_with, HANDLERS)
