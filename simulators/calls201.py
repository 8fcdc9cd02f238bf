"""Calls of the central system in OCPP 2.0.1, carried out on a station."""

from functools import partial

from simulators import reports201, upkeep, upkeep201
from simulators.calls import PURPOSES, Handler, answer_with, composite, not_supported, profile_from, trigger, verdict
from simulators.messages import Payload
from simulators.profiles import Purpose
from simulators.station import Station


def _set_profile(station: Station, payload: Payload) -> Payload:
    wire, schedules = payload["chargingProfile"], payload["chargingProfile"]["chargingSchedule"]
    is_tx = PURPOSES[wire["chargingProfilePurpose"]] is Purpose.TX
    if len(schedules) != 1 or (is_tx and wire.get("transactionId") is None):
        return verdict(False)
    return verdict(station.set_profile(profile_from(wire, wire["id"], int(payload["evseId"]), schedules[0])))


def _clear_profile(station: Station, payload: Payload) -> Payload:
    criteria = payload.get("chargingProfileCriteria", {})
    purpose = criteria.get("chargingProfilePurpose")
    cleared = station.profiles.clear(
        profile_id=payload.get("chargingProfileId"),
        evse_number=criteria.get("evseId"),
        purpose=None if purpose is None else PURPOSES[purpose],
        stack_level=criteria.get("stackLevel"),
    )
    station.refresh()
    return verdict(cleared > 0, "Unknown")


def _composite(station: Station, payload: Payload) -> Payload:
    number, duration_s = int(payload["evseId"]), int(payload["duration"])
    unit = payload.get("chargingRateUnit", "A")
    if number not in station.bays:
        return verdict(False)
    start, periods = composite(station, number, duration_s, unit)
    schedule = {
        "evseId": number,
        "duration": duration_s,
        "scheduleStart": start,
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }
    return {"status": "Accepted", "schedule": schedule}


def _request_start(station: Station, payload: Payload) -> Payload:
    token, start_id = str(payload["idToken"]["idToken"]), int(payload["remoteStartId"])
    bay = station.remote_start(payload.get("evseId"), token, start_id)
    if bay is not None and (wire := payload.get("chargingProfile")) is not None:
        number, schedule = bay.evse.number, wire["chargingSchedule"][0]
        profile = profile_from({**wire, "transactionId": None}, wire["id"], number, schedule)
        if profile.purpose is Purpose.TX:
            station.later(lambda: station.set_profile(profile))
    return verdict(bay is not None)


def _request_stop(station: Station, payload: Payload) -> Payload:
    bay = station.bay_of(str(payload["transactionId"]))
    if bay is not None:
        station.later(lambda: bay.end("Remote"))
    return verdict(bay is not None)


def _reset(station: Station, payload: Payload) -> Payload:
    if payload["type"] == "OnIdle" and any(bay.tx is not None for bay in station.bays.values()):
        station.reset_when_idle()
        return {"status": "Scheduled"}
    station.reset({"Immediate": "HardReset", "OnIdle": "SoftReset"}[payload["type"]])
    return verdict(True)


def _trigger(station: Station, payload: Payload) -> Payload:
    message = payload["requestedMessage"]
    if message == "BootNotification" and station.is_accepted:  # OCPP 2.0.1 F06.FR.17
        return verdict(False)
    if message == "SignChargingStationCertificate":
        return upkeep.ask_to_sign(station)
    if message == "LogStatusNotification":
        upkeep.send_later(station, station.workshop.tell_log())
        return verdict(True)
    return trigger(station, message, payload.get("evse", {}).get("id"))


HANDLERS: dict[str, Handler] = {
    "SetChargingProfile": _set_profile,
    "ClearChargingProfile": _clear_profile,
    "GetCompositeSchedule": _composite,
    "RequestStartTransaction": _request_start,
    "RequestStopTransaction": _request_stop,
    "Reset": _reset,
    "TriggerMessage": _trigger,
    **reports201.HANDLERS,
    **upkeep201.HANDLERS,
    **dict.fromkeys(("SetDisplayMessage", "GetDisplayMessages", "ClearDisplayMessage", "CostUpdated"), not_supported),
    **dict.fromkeys(("PublishFirmware", "UnpublishFirmware"), not_supported),
}

answer = partial(answer_with, HANDLERS)
