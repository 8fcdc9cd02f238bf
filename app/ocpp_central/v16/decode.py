"""What an OCPP 1.6 station says, as facts. Transaction messages and meter values are read as far as they can be."""

from collections.abc import Iterator
from typing import Any

from app.domain.facts import (
    Activity,
    Fact,
    Occupancy,
    ReportKind,
    SessionEnded,
    SessionStarted,
    StationBooted,
    StationReported,
    StatusReported,
    TokenPresented,
)
from app.ocpp_central.dialect import Message, list_of, text_of, whole_of
from app.ocpp_central.metering import UNKNOWN_EVSE, believable_evse, business_key, is_believable_wh, metered
from app.ocpp_central.moments import OLDEST_LIVE, believe, is_replay
from app.ocpp_central.repair import as_number
from app.ocpp_central.rpc import Problem, Refusal
from app.ocpp_central.samples import RawSample
from app.ocpp_central.v16.reports import UNKNOWN, request_id_of

LONGEST_REF_COUNT = 36

# OCPP 1.6 §7.7: nine statuses are two things at once. None: the status says nothing about that half.
STATUSES: dict[str, tuple[Occupancy, Activity | None]] = {
    "Available": (Occupancy.FREE, Activity.NONE),
    "Preparing": (Occupancy.OCCUPIED, Activity.CONNECTED),
    "Charging": (Occupancy.OCCUPIED, Activity.CHARGING),
    "SuspendedEV": (Occupancy.OCCUPIED, Activity.PAUSED_BY_EV),
    "SuspendedEVSE": (Occupancy.OCCUPIED, Activity.PAUSED_BY_STATION),
    "Finishing": (Occupancy.OCCUPIED, Activity.NONE),
    "Reserved": (Occupancy.RESERVED, Activity.NONE),
    "Unavailable": (Occupancy.UNAVAILABLE, None),
    "Faulted": (Occupancy.FAULTED, None),
}


def boot(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 §4.2; never refused: a station whose boot is refused never works."""
    payload = message.payload
    vendor, model = (text_of(payload, key, 50) for key in ("chargePointVendor", "chargePointModel"))
    fact = StationBooted(
        at=message.received_at,
        received_at=message.received_at,
        vendor=vendor or UNKNOWN,
        model=model or UNKNOWN,
        serial=text_of(payload, "chargePointSerialNumber", 50) or text_of(payload, "chargeBoxSerialNumber", 50),
        firmware=text_of(payload, "firmwareVersion", 50),
    )
    if vendor is None or model is None:
        return (message.suspicious("a boot without the station's vendor or model"), fact)
    return (fact,)


def authorize(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 §4.1; without a token the answer is Invalid."""
    token = text_of(message.payload, "idTag")
    if token is None:
        return (message.suspicious("an authorisation without a token"),)
    return (TokenPresented(token, message.received_at, message.received_at),)


def status(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 §4.9; connector 0 is the station. The timestamp is optional."""
    payload = message.payload
    number = believable_evse(whole_of(payload, "connectorId"))
    known = STATUSES.get(text_of(payload, "status") or "")
    if number is None or known is None:
        return (message.suspicious("a status of no known connector or of no known name"),)
    moment = believe(payload.get("timestamp"), message.received_at, OLDEST_LIVE)
    error = text_of(payload, "errorCode")
    fault = None if error in {None, "NoError"} else error
    if fault is not None and (vendor_code := text_of(payload, "vendorErrorCode", 50)):
        fault = f"{fault} {vendor_code}"
    occupancy, activity = known
    fact = StatusReported(number, moment.at, message.received_at, occupancy, activity, fault)
    return (message.suspicious(moment.doubt), fact) if moment.doubt else (fact,)


def start(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 §4.8; answered whatever it says, unless the connector is missing altogether."""
    payload = message.payload
    connector = whole_of(payload, "connectorId")
    if connector is None:
        raise Refusal(Problem.OCCURRENCE, "connectorId")
    token, register_wh = text_of(payload, "idTag"), as_number(payload.get("meterStart"))
    moment = believe(payload.get("timestamp"), message.received_at)
    doubts = [moment.doubt] if moment.doubt else []
    if "timestamp" not in payload:
        doubts.append("a start without a timestamp")
    if not is_believable_wh(register_wh):
        doubts.append("a start without a believable register")
        register_wh = None
    number = believable_evse(connector)
    if number is None:
        doubts.append("a start at an impossible connector")
    fact = SessionStarted(
        evse_number=UNKNOWN_EVSE if number is None else number,
        at=moment.at,
        received_at=message.received_at,
        station_ref=None,
        token=token,
        meter_start_wh=register_wh,
        business_key=business_key("start", connector, token, payload.get("timestamp"), payload.get("meterStart")),
        offline=is_replay(moment.at, message.received_at),
    )
    return (*(message.suspicious(doubt) for doubt in doubts), fact, *_reservation(message, fact))


def _reservation(message: Message, started: SessionStarted) -> tuple[Fact, ...]:
    """OCPP 1.6 §5.13: a start that names a reservation has used it."""
    number = request_id_of(message, "reservationId")
    if number is None:
        return ()
    kind, at = ReportKind.RESERVATION, started.at
    return (StationReported(kind, "used", at, message.received_at, number, started.evse_number or None),)


def stop(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 §4.10; always answered. Without a usable transactionId it is only kept as suspicious."""
    payload = message.payload
    ref = _ref(payload)
    if ref is None:
        return (message.suspicious("a stop without a transaction id"),)
    register_wh = as_number(payload.get("meterStop"))
    moment = believe(payload.get("timestamp"), message.received_at)
    doubts = [moment.doubt] if moment.doubt else []
    if "timestamp" not in payload:
        doubts.append("a stop without a timestamp")
    if not is_believable_wh(register_wh):
        doubts.append("a stop without a believable register")
        register_wh = None
    values = metered(message, list_of(payload, "transactionData"), UNKNOWN_EVSE, ref, _raw)
    fact = SessionEnded(
        evse_number=None,
        at=moment.at,
        received_at=message.received_at,
        station_ref=ref,
        meter_stop_wh=register_wh,
        business_key=business_key("stop", payload.get("timestamp", ref), payload.get("meterStop")),
        issued_key=business_key("stop", ref),
        reason=text_of(payload, "reason", 64) or "Local",
        token=text_of(payload, "idTag"),
        offline=is_replay(moment.at, message.received_at),
    )
    return (*(message.suspicious(doubt) for doubt in doubts), *values, fact)


def meter_values(message: Message) -> tuple[Fact, ...]:
    """OCPP 1.6 §4.7; always answered. A transactionId below 1 was never issued: the EVSE says whose values they are."""
    return tuple(_meter_values(message))


def _meter_values(message: Message) -> Iterator[Fact]:
    payload = message.payload
    number = believable_evse(whole_of(payload, "connectorId"))
    values = list_of(payload, "meterValue")
    if number is None or not values:
        yield message.suspicious("meter values of no known connector, or none at all")
        return
    ref = whole_of(payload, "transactionId")
    yield from metered(message, values, number, str(ref)[:LONGEST_REF_COUNT] if ref and ref > 0 else None, _raw)


def _ref(payload: dict[str, Any]) -> str | None:
    value = payload.get("transactionId")
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value):
        return None
    return str(value)[:LONGEST_REF_COUNT]


def _raw(spelled: dict[str, Any]) -> RawSample | None:
    said = spelled.get
    if said("format") == "SignedData":
        return None
    return RawSample(said("value"), said("measurand"), said("unit"), said("phase"), said("location"), said("context"))
