"""What an OCPP 2.0.1 station may call, and how each call is answered."""

from collections.abc import Callable
from typing import Any

from app.domain.facts import BootStatus, Recorded, TokenStatus
from app.ocpp_central.dialect import Desk, Handler, seen
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201 import decode, notices, reports

TOKEN_STATUSES = {
    TokenStatus.ACCEPTED: "Accepted",
    TokenStatus.BLOCKED: "Blocked",
    TokenStatus.EXPIRED: "Expired",
    TokenStatus.INVALID: "Invalid",
}
NOT_DONE_HERE = {"reasonCode": "UnsupportedRequest"}


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
    """OCPP 2.0.1 C07: a contract certificate is not looked into, so that its token was never presented to anybody."""
    if recorded.token_status is None:
        return {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"}
    return {"idTokenInfo": {"status": TOKEN_STATUSES[recorded.token_status]}}


def _heard(recorded: Recorded, _desk: Desk) -> Payload:
    """OCPP 2.0.1 part 2, TransactionEventResponse: idTokenInfo answers an idToken, and nothing else."""
    if recorded.token_status is None:
        return {}
    return {"idTokenInfo": {"status": TOKEN_STATUSES[recorded.token_status]}}


def _signing(recorded: Recorded, _desk: Desk) -> Payload:
    return {"status": "Accepted" if recorded.is_taken else "Rejected"}


def _nothing(_recorded: Recorded, _desk: Desk) -> Payload:
    return {}


def _always(**answer: Any) -> Callable[[Recorded, Desk], Payload]:
    return lambda _recorded, _desk: dict(answer)


HANDLERS: dict[str, Handler] = {
    "Authorize": Handler(
        decode.authorize,
        _authorized,
        is_lenient=True,
        note="with a contract certificate (ISO 15118): always Invalid, since cars' certificates are not checked yet",
    ),
    "BootNotification": Handler(
        decode.boot, _booted, is_lenient=True, note="synthesised: a vendor or model that is missing is unknown"
    ),
    "ClearedChargingLimit": Handler(notices.external_limit_cleared, _nothing, is_lenient=True),
    "DataTransfer": Handler(
        notices.vendor_message,
        _always(status="UnknownVendorId"),
        is_lenient=True,
        note="kept, and answered UnknownVendorId: no vendor's messages are understood",
    ),
    "FirmwareStatusNotification": Handler(notices.firmware, _nothing, is_lenient=True),
    "Get15118EVCertificate": Handler(
        seen,
        _always(status="Failed", statusInfo=NOT_DONE_HERE, exiResponse=""),
        note="always Failed: there is no connection to a contract certificate pool",
    ),
    "GetCertificateStatus": Handler(
        seen,
        _always(status="Failed", statusInfo=NOT_DONE_HERE),
        note="always Failed: OCSP responders are not asked",
    ),
    "Heartbeat": Handler(seen, _beat, is_lenient=True),
    "LogStatusNotification": Handler(notices.log_status, _nothing, is_lenient=True),
    "MeterValues": Handler(decode.meter_values, _nothing, is_lenient=True),
    "NotifyChargingLimit": Handler(
        notices.external_limit,
        _nothing,
        is_lenient=True,
        note="lossy: kept for the operator (without sales tariffs); the scheduler does not plan with it",
    ),
    "NotifyCustomerInformation": Handler(reports.customer_information, _nothing, is_lenient=True),
    "NotifyDisplayMessages": Handler(
        reports.display_messages, _nothing, is_lenient=True, note="lossy: without format and language"
    ),
    "NotifyEVChargingNeeds": Handler(
        notices.ev_needs,
        _always(status="Rejected", statusInfo=NOT_DONE_HERE),
        is_lenient=True,
        note="kept, and always Rejected: schedules for ISO 15118 are not computed yet",
    ),
    "NotifyEVChargingSchedule": Handler(
        notices.ev_schedule,
        _always(status="Accepted"),
        is_lenient=True,
        note="lossy: kept for the operator (without sales tariffs); the scheduler does not plan with it",
    ),
    "NotifyEvent": Handler(reports.events, _nothing, is_lenient=True, note="lossy: the first 50 events of a message"),
    "NotifyMonitoringReport": Handler(
        reports.monitors, _nothing, is_lenient=True, note="lossy: the first 200 monitors of a part"
    ),
    "NotifyReport": Handler(
        reports.device_model,
        _nothing,
        is_lenient=True,
        note="lossy: the first 500 attributes of a part; without data types",
    ),
    "PublishFirmwareStatusNotification": Handler(notices.published_firmware, _nothing, is_lenient=True),
    "ReportChargingProfiles": Handler(
        reports.profiles,
        _nothing,
        is_lenient=True,
        note="lossy: the first 50 profiles of a part, 200 periods of a schedule; without sales tariffs",
    ),
    "ReservationStatusUpdate": Handler(notices.reservation, _nothing, is_lenient=True),
    "SecurityEventNotification": Handler(notices.security_event, _nothing, is_lenient=True),
    "SignCertificate": Handler(notices.certificate_request, _signing, is_lenient=True),
    "StatusNotification": Handler(
        decode.status, _nothing, is_lenient=True, note="lossy: an EVSE's connectors are not told apart"
    ),
    "TransactionEvent": Handler(
        decode.transaction_event,
        _heard,
        is_lenient=True,
        note="lossy: remoteStartId, cableMaxCurrent and numberOfPhasesUsed are not kept",
    ),
}
