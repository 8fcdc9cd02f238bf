"""What an OCPP 2.0.1 station says, as facts. Transaction messages and meter values are read as far as they can be."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.domain.facts import (
    Activity,
    Fact,
    Metered,
    Occupancy,
    ReportKind,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StatusReported,
    TokenPresented,
)
from app.ocpp_central.dialect import Message, dict_of, list_of, text_of, whole_of
from app.ocpp_central.metering import UNKNOWN_EVSE, believable_evse, business_key, metered
from app.ocpp_central.moments import OLDEST_LIVE, believe, is_replay
from app.ocpp_central.rpc import Problem, Refusal
from app.ocpp_central.samples import RawSample, register_wh_of
from app.ocpp_central.v201.reading import bounded_of, report

LONGEST_REF_COUNT = 36
UNKNOWN = "unknown"

# A free connector has no car and so no activity; whether an occupied one charges is told by its transaction.
STATUSES: dict[str, tuple[Occupancy, Activity | None]] = {
    "Available": (Occupancy.FREE, Activity.NONE),
    "Occupied": (Occupancy.OCCUPIED, None),
    "Reserved": (Occupancy.RESERVED, Activity.NONE),
    "Unavailable": (Occupancy.UNAVAILABLE, None),
    "Faulted": (Occupancy.FAULTED, None),
}
CHARGING_STATES = {
    "Charging": Activity.CHARGING,
    "EVConnected": Activity.CONNECTED,
    "SuspendedEV": Activity.PAUSED_BY_EV,
    "SuspendedEVSE": Activity.PAUSED_BY_STATION,
    "Idle": Activity.NONE,
}


def boot(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 B01. A station that does not say who made it is heard all the same, and quarantined."""
    station = dict_of(message.payload, "chargingStation")
    vendor, model = text_of(station, "vendorName", 50), text_of(station, "model", 20)
    booted = StationBooted(
        at=message.received_at,
        received_at=message.received_at,
        vendor=vendor or UNKNOWN,
        model=model or UNKNOWN,
        serial=text_of(station, "serialNumber", 25),
        firmware=text_of(station, "firmwareVersion", 50),
        reason=text_of(message.payload, "reason", 50),
    )
    if vendor and model:
        return (booted,)
    return (message.suspicious("a boot without the station's vendor or model"), booted)


def authorize(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 C01. Refused without a token: then nothing is asked.

    A contract certificate (C07) is not checked, so its token is not looked up either: anybody could have written it.
    """
    token = text_of(message.payload.get("idToken"), "idToken", 36)
    if token is None:
        raise Refusal(Problem.OCCURRENCE, "idToken.idToken")
    if message.payload.get("certificate") or message.payload.get("iso15118CertificateHashData"):
        return (message.suspicious("a contract certificate, which nobody here can check"),)
    return (TokenPresented(token, message.received_at, message.received_at),)


def status(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 G01."""
    payload = message.payload
    number = believable_evse(whole_of(payload, "evseId"))
    name = text_of(payload, "connectorStatus") or ""
    if number is None or name not in STATUSES:
        return (message.suspicious("a status of no known EVSE or of no known name"),)
    moment = believe(payload.get("timestamp"), message.received_at, OLDEST_LIVE)
    occupancy, activity = STATUSES[name]
    fault = name if occupancy is Occupancy.FAULTED else None
    fact = StatusReported(number, moment.at, message.received_at, occupancy, activity, fault)
    return (message.suspicious(moment.doubt), fact) if moment.doubt else (fact,)


def meter_values(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 J01; always answered. Some stations send these instead of TransactionEvent Updated."""
    number = believable_evse(whole_of(message.payload, "evseId"))
    values = list_of(message.payload, "meterValue")
    if number is None or not values:
        return (message.suspicious("meter values of no known EVSE, or none at all"),)
    found = tuple(metered(message, values, number, None, _raw))
    return found or (message.suspicious("meter values without any believable sample"),)


def transaction_event(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 E01 to E08. Refused only without a transaction id or a known event type: then it is about nothing."""
    payload = message.payload
    ref = text_of(dict_of(payload, "transactionInfo"), "transactionId", LONGEST_REF_COUNT)
    if ref is None:
        raise Refusal(Problem.OCCURRENCE, "transactionInfo.transactionId")
    moment = believe(payload.get("timestamp"), message.received_at)
    doubts = [moment.doubt] if moment.doubt else []
    if "timestamp" not in payload:
        doubts.append("an event without a timestamp")
    number = _evse_number(payload, doubts)
    common: dict[str, Any] = {
        "at": moment.at,
        "received_at": message.received_at,
        "station_ref": ref,
        "token": text_of(payload.get("idToken"), "idToken"),
        "business_key": _business_key(payload, ref),
        "offline": payload.get("offline") is True or is_replay(moment.at, message.received_at),
    }
    evse_number = UNKNOWN_EVSE if number is None else number
    values = tuple(metered(message, list_of(payload, "meterValue"), evse_number, ref, _raw))
    activity = CHARGING_STATES.get(text_of(dict_of(payload, "transactionInfo"), "chargingState") or "")
    notes = (*(message.suspicious(doubt) for doubt in doubts), *_reservation_used(message, common["at"], number))
    match payload.get("eventType"):
        case "Started":
            start_wh = _register_wh(values, "Transaction.Begin")
            started = SessionStarted(evse_number=evse_number, meter_start_wh=start_wh, activity=activity, **common)
            return (*notes, started, *values)
        case "Updated":
            has_news = activity is not None or common["token"] is not None or not values
            updated = SessionUpdated(evse_number=evse_number, activity=activity, **common)
            return (*notes, updated, *values) if has_news else (*notes, *values)
        case "Ended":
            reason = text_of(dict_of(payload, "transactionInfo"), "stoppedReason", 64) or "Local"
            stop_wh = _register_wh(values[::-1], "Transaction.End")
            ended = SessionEnded(evse_number=number, meter_stop_wh=stop_wh, reason=reason, **common)
            return (*notes, *values, ended)
        case _:
            raise Refusal(Problem.PROPERTY, "eventType")


def _reservation_used(message: Message, at: datetime, evse_number: int | None) -> tuple[Fact, ...]:
    """OCPP 2.0.1 H03: the event that uses a reservation up names it."""
    reservation_id = bounded_of(message.payload, "reservationId")
    if reservation_id is None:
        return ()
    kind = ReportKind.RESERVATION
    return report(message, kind, "used", at=at, request_id=reservation_id, evse_number=evse_number)


def _evse_number(payload: dict[str, Any], doubts: list[str]) -> int | None:
    """Return which EVSE it is about; None where the event leaves that out, as later ones may."""
    said_number = whole_of(payload.get("evse"), "id")
    number = believable_evse(said_number)
    if said_number is not None and number is None:
        doubts.append("an event of an impossible EVSE")
    return number


def _business_key(payload: dict[str, Any], ref: str) -> str:
    """A repetition has a new message id, and may say `offline` where the original did not."""
    same = {key: value for key, value in payload.items() if key != "offline"}
    return business_key("event", ref, payload.get("seqNo"), same)


def _register_wh(values: Sequence[Fact], context: str) -> float | None:
    """Return the first register of this context, else the first of any; None without one."""
    readings = [each for each in values if isinstance(each, Metered)]
    meant = [register_wh_of([each for each in reading.samples if each.context == context]) for reading in readings]
    found = [*meant, *(reading.register_wh for reading in readings)]
    return next((register_wh for register_wh in found if register_wh is not None), None)


def _raw(spelled: dict[str, Any]) -> RawSample:
    said, unit = spelled.get, spelled.get("unitOfMeasure")
    name, multiplier = (unit.get("unit"), unit.get("multiplier")) if isinstance(unit, dict) else (None, None)
    return RawSample(
        said("value"), said("measurand"), name, said("phase"), said("location"), said("context"), multiplier
    )
