"""What an OCPP 1.6 station may call, and how each call is answered."""

from app.domain.facts import BootStatus, Recorded, TokenStatus
from app.ocpp_central.dialect import Desk, Handler, seen
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v16 import decode, reports

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


def _unknown_vendor(_recorded: Recorded, _desk: Desk) -> Payload:
    return {"status": "UnknownVendorId"}


def _asked_to_sign(recorded: Recorded, _desk: Desk) -> Payload:
    return {"status": "Accepted" if recorded.is_taken else "Rejected"}


CUT = "an idTag of more than 20 characters is cut to 20, as 1.6 has no longer ones"
NO_JOB = "synthesised: 1.6 says no number of the job, so the newest one is meant"

HANDLERS: dict[str, Handler] = {
    "Authorize": Handler(decode.authorize, _authorized, is_lenient=True, note=CUT),
    "BootNotification": Handler(
        decode.boot, _booted, is_lenient=True, note="synthesised: a vendor or model that is missing is unknown"
    ),
    "DataTransfer": Handler(
        reports.vendor_message,
        _unknown_vendor,
        is_lenient=True,
        note="kept for the operator, with at most 2,500 characters of data; no vendor is known here",
    ),
    "DiagnosticsStatusNotification": Handler(reports.diagnostics, _nothing, is_lenient=True, note=NO_JOB),
    "FirmwareStatusNotification": Handler(reports.firmware, _nothing, is_lenient=True, note=NO_JOB),
    "Heartbeat": Handler(seen, _beat, is_lenient=True),
    "LogStatusNotification": Handler(reports.log_status, _nothing, is_lenient=True),
    "MeterValues": Handler(decode.meter_values, _nothing, is_lenient=True),
    "SecurityEventNotification": Handler(reports.security_event, _nothing, is_lenient=True),
    "SignCertificate": Handler(reports.certificate_request, _asked_to_sign, is_lenient=True),
    "SignedFirmwareStatusNotification": Handler(reports.firmware, _nothing, is_lenient=True),
    "StartTransaction": Handler(decode.start, _started, is_lenient=True, note=CUT),
    "StatusNotification": Handler(
        decode.status, _nothing, is_lenient=True, note="split: one status is an occupancy and an activity"
    ),
    "StopTransaction": Handler(decode.stop, _stopped, is_lenient=True),
}
