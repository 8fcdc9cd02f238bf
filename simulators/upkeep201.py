"""Calls of OCPP 2.0.1 that keep a station in order, and what it tells of its profiles, sessions and customers."""

from typing import Any

from simulators import upkeep
from simulators.calls import PURPOSES, Handler, verdict
from simulators.certificates import is_pem
from simulators.clock import seconds_of, stamp
from simulators.messages import Call, Payload
from simulators.profiles import DAY_S, Profile, Purpose
from simulators.station import Station
from simulators.workshop import Update, version_after

PURPOSE_WORDS = {
    Purpose.STATION_MAX: "ChargingStationMaxProfile",
    Purpose.TX_DEFAULT: "TxDefaultProfile",
    Purpose.TX: "TxProfile",
}


def _availability(station: Station, payload: Payload) -> Payload:
    number = payload.get("evse", {}).get("id", 0)
    return upkeep.availability(station, int(number), payload["operationalStatus"] == "Operative")


def _unlock(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 F05.FR.02: not while somebody charges."""
    bay = station.bays.get(int(payload["evseId"]))
    if bay is None or payload["connectorId"] != 1:
        return {"status": "UnknownConnector"}
    return {"status": "Unlocked" if bay.tx is None else "OngoingAuthorizedTransaction"}


def _list_version(station: Station, _payload: Payload) -> Payload:
    return {"versionNumber": station.tokens.version}


def _may_charge(entry: Any) -> bool | None:
    info = entry.get("idTokenInfo")
    return None if info is None else info["status"] == "Accepted"


def _take_list(station: Station, payload: Payload) -> Payload:
    listed = payload.get("localAuthorizationList", [])
    entries = {str(each["idToken"]["idToken"]): _may_charge(each) for each in listed}
    return upkeep.take_list(station, int(payload["versionNumber"]), payload["updateType"], entries)


def _reserve(station: Station, payload: Payload) -> Payload:
    token, expires_s = str(payload["idToken"]["idToken"]), seconds_of(payload["expiryDateTime"])
    return upkeep.reserve(station, int(payload["id"]), payload.get("evseId"), token, expires_s)


def _get_log(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 N01."""
    is_instead = station.workshop.upload(int(payload["requestId"]))
    name = f"{station.identity}-{payload['logType']}.log"
    return {"status": "AcceptedCanceled" if is_instead else "Accepted", "filename": name}


def _update_firmware(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 L01, L02."""
    firmware = payload["firmware"]
    certificate = firmware.get("signingCertificate")
    if certificate is not None and not is_pem(certificate):
        return {"status": "InvalidCertificate"}
    version = version_after(str(firmware["location"]), station.workshop.firmware)
    install_s = seconds_of(firmware["installDateTime"]) if "installDateTime" in firmware else 0
    update = Update(int(payload["requestId"]), version, certificate is not None, install_s)
    is_instead = station.workshop.install(update, seconds_of(firmware["retrieveDateTime"]))
    return {"status": "AcceptedCanceled" if is_instead else "Accepted"}


def _installed(station: Station, payload: Payload) -> Payload:
    found = station.certificates.of(payload.get("certificateType"))
    if not found:
        return {"status": "NotFound"}
    chain = [{"certificateHashData": name, "certificateType": use} for use, name in found]
    return {"status": "Accepted", "certificateHashDataChain": chain}


def _spelled(profile: Profile, phase_count: int) -> Payload:
    periods = [
        {"startPeriod": each.offset_s, "limit": each.limit, "numberPhases": each.phase_count or phase_count}
        for each in profile.periods
    ]
    schedule: Payload = {
        "id": profile.profile_id,
        "chargingRateUnit": profile.unit,
        "chargingSchedulePeriod": periods,
    }
    schedule |= {} if profile.start_s is None else {"startSchedule": stamp(profile.start_s)}
    schedule |= {} if profile.duration_s is None else {"duration": profile.duration_s}
    wire: Payload = {
        "id": profile.profile_id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": PURPOSE_WORDS[profile.purpose],
        "chargingProfileKind": "Relative" if profile.start_s is None else "Absolute",
        "chargingSchedule": [schedule],
    }
    if profile.repeat_s is not None:
        wire |= {"chargingProfileKind": "Recurring"}
        wire |= {"recurrencyKind": "Daily" if profile.repeat_s == DAY_S else "Weekly"}
    bounds = {"validFrom": profile.valid_from_s, "validTo": profile.valid_to_s}
    wire |= {name: stamp(at_s) for name, at_s in bounds.items() if at_s is not None}
    return wire | ({} if profile.tx_ref is None else {"transactionId": profile.tx_ref})


def _matches(profile: Profile, criteria: Payload) -> bool:
    purpose, ids = criteria.get("chargingProfilePurpose"), criteria.get("chargingProfileId")
    if purpose is not None and PURPOSES.get(purpose) is not profile.purpose:
        return False
    if criteria.get("stackLevel", profile.stack_level) != profile.stack_level:
        return False
    return (ids is None or profile.profile_id in ids) and "CSO" in criteria.get("chargingLimitSource", ["CSO"])


def _get_profiles(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 K09: a message for each EVSE that has profiles; the last is without `tbc`."""
    wanted, criteria = payload.get("evseId"), payload["chargingProfile"]
    found = [held for held in station.profiles.profiles if _matches(held, criteria)]
    numbers = sorted({held.evse_number for held in found if wanted in {None, held.evse_number}})
    for number in numbers:
        phases = station.profiles.electrical.phase_count
        report = {
            "requestId": int(payload["requestId"]),
            "chargingLimitSource": "CSO",
            "evseId": number,
            "chargingProfile": [_spelled(held, phases) for held in found if held.evse_number == number],
            "tbc": number != numbers[-1],
        }
        upkeep.send_later(station, Call("ReportChargingProfiles", report.copy))
    return {"status": "Accepted" if numbers else "NoProfiles"}


def _session_status(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 E14."""
    ref, is_queued = payload.get("transactionId"), station.outbox.pending_count > 0
    if ref is None:
        return {"messagesInQueue": is_queued}
    return {"ongoingIndicator": station.bay_of(str(ref)) is not None, "messagesInQueue": is_queued}


def _network(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 B09: remembered; the simulation connects as it was started."""
    data = payload["connectionData"]
    if data["ocppVersion"] != "OCPP20" or data["ocppTransport"] != "JSON":
        return verdict(False)
    station.networks[int(payload["configurationSlot"])] = dict(data)
    return verdict(True)


def _customer(station: Station, payload: Payload) -> Payload:
    """OCPP 2.0.1 N09, N10: what is known of a token's holder is the cache and the list."""
    token = payload.get("idToken", {}).get("idToken")
    if token is None:
        return {"status": "Invalid" if payload["report"] or payload["clear"] else "Rejected"}
    known = station.tokens.verdict(token)
    if payload["clear"]:
        station.tokens.cached.pop(token, None)
    told = "nothing" if known is None else f"may charge: {known}"
    report = {
        "requestId": int(payload["requestId"]),
        "data": told if payload["report"] else "",
        "seqNo": 0,
        "generatedAt": stamp(station.clock.now_s),
        "tbc": False,
    }
    upkeep.send_later(station, Call("NotifyCustomerInformation", report.copy))
    return verdict(True)


HANDLERS: dict[str, Handler] = {
    "ChangeAvailability": _availability,
    "UnlockConnector": _unlock,
    "ClearCache": upkeep.clear_cache,
    "GetLocalListVersion": _list_version,
    "SendLocalList": _take_list,
    "ReserveNow": _reserve,
    "CancelReservation": upkeep.cancel_reservation,
    "GetLog": _get_log,
    "UpdateFirmware": _update_firmware,
    "InstallCertificate": upkeep.install_certificate,
    "DeleteCertificate": upkeep.delete_certificate,
    "GetInstalledCertificateIds": _installed,
    "CertificateSigned": upkeep.certificate_signed,
    "DataTransfer": upkeep.vendor_message,
    "GetChargingProfiles": _get_profiles,
    "GetTransactionStatus": _session_status,
    "SetNetworkProfile": _network,
    "CustomerInformation": _customer,
}
