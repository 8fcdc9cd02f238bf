"""What an OCPP 1.6 station tells the operator, as facts: logs, firmware, security events, vendors' own messages.

Nothing of it is refused: a station would only send it again, or lose it. What cannot be read is called "unknown".
"""

from typing import Any

import orjson

from app.domain.facts import CertificateRequested, CertificateUse, Fact, ReportKind, StationReported
from app.ocpp_central.dialect import Message, text_of, whole_of
from app.ocpp_central.moments import believe
from app.ocpp_central.rpc import Payload

LONGEST_WORD_COUNT = 50
LONGEST_VENDOR_COUNT = 100
LONGEST_DATA_COUNT = 2500
LONGEST_CSR_COUNT = 5500
HIGHEST_ID = 2**31 - 1
UNKNOWN = "unknown"


def request_id_of(message: Message, key: str = "requestId") -> int | None:
    """Return the number of a job or reservation, None where there is none that we can have given."""
    number = whole_of(message.payload, key)
    return number if number is not None and abs(number) <= HIGHEST_ID else None


def data_of(payload: Payload) -> str | None:
    """Return a vendor's data as text, shortened; whatever is no text as JSON."""
    data = payload.get("data")
    text = data if isinstance(data, str) or data is None else orjson.dumps(data).decode()
    return None if text is None else text[:LONGEST_DATA_COUNT]


def _told(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _status(message: Message, kind: ReportKind, request_id: int | None) -> tuple[Fact, ...]:
    word = text_of(message.payload, "status", LONGEST_WORD_COUNT) or UNKNOWN
    return (StationReported(kind, word, message.received_at, message.received_at, request_id),)


def diagnostics(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 §4.4; without a number of the job."""
    return _status(message, ReportKind.LOG, None)


def log_status(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 security whitepaper N01."""
    return _status(message, ReportKind.LOG, request_id_of(message))


def firmware(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 §4.5, without a number of the job; whitepaper L01 (SignedFirmwareStatusNotification), with one."""
    return _status(message, ReportKind.FIRMWARE, request_id_of(message))


def security_event(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 security whitepaper A04; stations queue these, so they may be old."""
    payload = message.payload
    moment = believe(payload.get("timestamp"), message.received_at)
    word = text_of(payload, "type", LONGEST_WORD_COUNT) or UNKNOWN
    detail = _told(info=text_of(payload, "techInfo"))
    fact = StationReported(ReportKind.SECURITY, word, moment.at, message.received_at, detail=detail)
    return (message.suspicious(moment.doubt), fact) if moment.doubt else (fact,)


def vendor_message(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 §4.3: kept for the operator, understood by nobody here."""
    payload = message.payload
    detail = _told(message_id=text_of(payload, "messageId", LONGEST_WORD_COUNT), data=data_of(payload))
    vendor = text_of(payload, "vendorId", LONGEST_VENDOR_COUNT) or UNKNOWN
    at = message.received_at
    return (StationReported(ReportKind.VENDOR_MESSAGE, vendor, at, at, detail=detail),)


def certificate_request(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 security whitepaper A02; a request that is missing or was cut off is nothing to sign."""
    csr = text_of(message.payload, "csr", LONGEST_CSR_COUNT)
    if csr is None or message.repairs["text_shortened"]:
        return (message.suspicious("a certificate request that cannot be read"),)
    return (CertificateRequested(csr, CertificateUse.STATION, message.received_at, message.received_at),)
