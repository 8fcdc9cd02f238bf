"""What an OCPP 2.0.1 station may call, and how each call is answered."""

from app.domain.facts import BootStatus, Recorded, TokenStatus
from app.ocpp_central.dialect import Desk, Handler, acknowledged, seen
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201 import decode

TOKEN_STATUSES = {
    TokenStatus.ACCEPTED: "Accepted",
    TokenStatus.BLOCKED: "Blocked",
    TokenStatus.EXPIRED: "Expired",
    TokenStatus.INVALID: "Invalid",
}


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
    return {"idTokenInfo": {"status": TOKEN_STATUSES[recorded.token_status or TokenStatus.INVALID]}}


def _heard(recorded: Recorded, _desk: Desk) -> Payload:
    if recorded.token_status is None:
        return {}
    return {"idTokenInfo": {"status": TOKEN_STATUSES[recorded.token_status]}}


def _nothing(_recorded: Recorded, _desk: Desk) -> Payload:
    return {}


HANDLERS: dict[str, Handler] = {
    "Authorize": Handler(decode.authorize, _authorized),
    "BootNotification": Handler(decode.boot, _booted),
    "ClearedChargingLimit": acknowledged(),
    "DataTransfer": acknowledged("UnknownVendorId"),
    "FirmwareStatusNotification": acknowledged(),
    "GetCertificateStatus": acknowledged("Failed"),
    "Heartbeat": Handler(seen, _beat, is_lenient=True),
    "LogStatusNotification": acknowledged(),
    "MeterValues": Handler(decode.meter_values, _nothing, is_lenient=True),
    "NotifyChargingLimit": acknowledged(),
    "NotifyCustomerInformation": acknowledged(),
    "NotifyDisplayMessages": acknowledged(),
    "NotifyEVChargingNeeds": acknowledged("Rejected"),
    "NotifyEVChargingSchedule": acknowledged("Accepted"),
    "NotifyEvent": acknowledged(),
    "NotifyMonitoringReport": acknowledged(),
    "NotifyReport": acknowledged(),
    "PublishFirmwareStatusNotification": acknowledged(),
    "ReportChargingProfiles": acknowledged(),
    "ReservationStatusUpdate": acknowledged(),
    "SecurityEventNotification": acknowledged(),
    "SignCertificate": acknowledged("Rejected"),
    "StatusNotification": Handler(decode.status, _nothing, is_lenient=True),
    "TransactionEvent": Handler(decode.transaction_event, _heard, is_lenient=True),
}
