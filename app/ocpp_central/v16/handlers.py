"""What an OCPP 1.6 station may call, and how each call is answered."""

from app.domain.facts import BootStatus, Recorded, TokenStatus
from app.ocpp_central.dialect import Desk, Handler, acknowledged, seen
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v16 import decode

TOKEN_STATUSES = {
    TokenStatus.ACCEPTED: "Accepted",
    TokenStatus.BLOCKED: "Blocked",
    TokenStatus.EXPIRED: "Expired",
    TokenStatus.INVALID: "Invalid",
}
NO_TRANSACTION = 0


def _token(status: TokenStatus | None) -> Payload:
    return {"status": TOKEN_STATUSES[status or TokenStatus.INVALID]}


def _booted(recorded: Recorded, desk: Desk) -> Payload:
    is_accepted = recorded.boot_status is BootStatus.ACCEPTED
    return {
        "status": "Accepted" if is_accepted else "Pending",
        "currentTime": stamp(desk.now),
        "interval": desk.heartbeat_interval_s,
    }


def _beat(_recorded: Recorded, desk: Desk) -> Payload:
    return {"currentTime": stamp(desk.now)}


def _authorized(recorded: Recorded, _desk: Desk) -> Payload:
    return {"idTagInfo": _token(recorded.token_status)}


def _started(recorded: Recorded, _desk: Desk) -> Payload:
    """Always an id, so that the station does not ask for ever; one that we never issue where there is no session."""
    ref = recorded.station_ref
    known = int(ref) if ref is not None and ref.isdecimal() else NO_TRANSACTION
    return {"transactionId": known, "idTagInfo": _token(recorded.token_status)}


def _stopped(recorded: Recorded, _desk: Desk) -> Payload:
    return {} if recorded.token_status is None else {"idTagInfo": _token(recorded.token_status)}


def _nothing(_recorded: Recorded, _desk: Desk) -> Payload:
    return {}


HANDLERS: dict[str, Handler] = {
    "Authorize": Handler(decode.authorize, _authorized),
    "BootNotification": Handler(decode.boot, _booted, is_lenient=True),
    "DataTransfer": acknowledged("UnknownVendorId"),
    "DiagnosticsStatusNotification": acknowledged(),
    "FirmwareStatusNotification": acknowledged(),
    "Heartbeat": Handler(seen, _beat, is_lenient=True),
    "LogStatusNotification": acknowledged(),
    "MeterValues": Handler(decode.meter_values, _nothing, is_lenient=True),
    "SecurityEventNotification": acknowledged(),
    "SignCertificate": acknowledged("Rejected"),
    "SignedFirmwareStatusNotification": acknowledged(),
    "StartTransaction": Handler(decode.start, _started, is_lenient=True),
    "StatusNotification": Handler(decode.status, _nothing, is_lenient=True),
    "StopTransaction": Handler(decode.stop, _stopped, is_lenient=True),
}
