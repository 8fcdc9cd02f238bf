"""Calls of OCPP 1.6J and its security whitepaper that keep a station in order."""

from typing import Any

from simulators import upkeep
from simulators.calls import Handler, trigger, verdict
from simulators.certificates import is_pem
from simulators.clock import seconds_of
from simulators.messages import Payload
from simulators.station import Station
from simulators.workshop import Update, version_after

EXTENDED = {
    "BootNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "StatusNotification",
}


def _availability(station: Station, payload: Payload) -> Payload:
    return upkeep.availability(station, int(payload["connectorId"]), payload["type"] == "Operative")


def _unlock(station: Station, payload: Payload) -> Payload:
    bay = station.bays.get(int(payload["connectorId"]))
    if bay is None:
        return {"status": "NotSupported"}
    upkeep.unlock(station, bay)
    return {"status": "Unlocked"}


def _list_version(station: Station, _payload: Payload) -> Payload:
    return {"listVersion": station.tokens.version}


def _may_charge(entry: Any) -> bool | None:
    info = entry.get("idTagInfo")
    return None if info is None else info["status"] == "Accepted"


def _take_list(station: Station, payload: Payload) -> Payload:
    entries = {str(each["idTag"]): _may_charge(each) for each in payload.get("localAuthorizationList", [])}
    return upkeep.take_list(station, int(payload["listVersion"]), payload["updateType"], entries)


def _reserve(station: Station, payload: Payload) -> Payload:
    expires_s = seconds_of(payload["expiryDate"])
    number, token = int(payload["connectorId"]), str(payload["idTag"])
    return upkeep.reserve(station, int(payload["reservationId"]), number, token, expires_s)


def _get_diagnostics(station: Station, payload: Payload) -> Payload:
    """OCPP 1.6 §5.9."""
    if not payload["location"]:
        return {}
    station.workshop.upload(None)
    return {"fileName": f"{station.identity}-diagnostics.log"}


def _get_log(station: Station, payload: Payload) -> Payload:
    """OCPP 1.6 security whitepaper N01."""
    is_instead = station.workshop.upload(int(payload["requestId"]))
    name = f"{station.identity}-{payload['logType']}.log"
    return {"status": "AcceptedCanceled" if is_instead else "Accepted", "filename": name}


def _update_firmware(station: Station, payload: Payload) -> Payload:
    """OCPP 1.6 §5.19: the answer says nothing."""
    version = version_after(str(payload["location"]), station.workshop.firmware)
    station.workshop.install(Update(None, version, False, 0), seconds_of(payload["retrieveDate"]))
    return {}


def _signed_update(station: Station, payload: Payload) -> Payload:
    """OCPP 1.6 security whitepaper L01."""
    firmware = payload["firmware"]
    if not is_pem(firmware["signingCertificate"]):
        return {"status": "InvalidCertificate"}
    version = version_after(str(firmware["location"]), station.workshop.firmware)
    install_s = seconds_of(firmware["installDateTime"]) if "installDateTime" in firmware else 0
    update = Update(int(payload["requestId"]), version, True, install_s)
    is_instead = station.workshop.install(update, seconds_of(firmware["retrieveDateTime"]))
    return {"status": "AcceptedCanceled" if is_instead else "Accepted"}


def _installed(station: Station, payload: Payload) -> Payload:
    found = [name for _, name in station.certificates.of([payload["certificateType"]])]
    return {"status": "Accepted", "certificateHashData": found} if found else {"status": "NotFound"}


def _extended_trigger(station: Station, payload: Payload) -> Payload:
    message = payload["requestedMessage"]
    if message == "SignChargePointCertificate":
        return upkeep.ask_to_sign(station)
    if message not in EXTENDED:
        return {"status": "NotImplemented"}
    if message == "LogStatusNotification":
        upkeep.send_later(station, station.workshop.tell_log())
        return verdict(True)
    return trigger(station, message, payload.get("connectorId"))


HANDLERS: dict[str, Handler] = {
    "ChangeAvailability": _availability,
    "UnlockConnector": _unlock,
    "ClearCache": upkeep.clear_cache,
    "GetLocalListVersion": _list_version,
    "SendLocalList": _take_list,
    "ReserveNow": _reserve,
    "CancelReservation": upkeep.cancel_reservation,
    "GetDiagnostics": _get_diagnostics,
    "GetLog": _get_log,
    "UpdateFirmware": _update_firmware,
    "SignedUpdateFirmware": _signed_update,
    "InstallCertificate": upkeep.install_certificate,
    "DeleteCertificate": upkeep.delete_certificate,
    "GetInstalledCertificateIds": _installed,
    "CertificateSigned": upkeep.certificate_signed,
    "DataTransfer": upkeep.vendor_message,
    "ExtendedTriggerMessage": _extended_trigger,
}
