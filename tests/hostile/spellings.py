"""Valid messages that the tables bend: each function returns a payload, changed where the row says so."""

from typing import Any

from cases import V16, V201, Ask, at
from rows import CARD

GONE = object()
REGISTER = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
Json = dict[str, Any]


def bent(payload: Json, changes: Json) -> Json:
    """Return the payload with members replaced, or left out (GONE)."""
    return {key: value for key, value in (payload | changes).items() if value is not GONE}


def boot(version: str, **changes: Any) -> Ask:
    if version == V16:
        return Ask("BootNotification", bent({"chargePointVendor": "V", "chargePointModel": "M"}, changes))
    station = {"vendorName": "V", "model": "M"}
    return Ask("BootNotification", bent({"reason": "PowerUp", "chargingStation": station}, changes))


def status(version: str, **changes: Any) -> Ask:
    if version == V16:
        payload = {"connectorId": 1, "errorCode": "NoError", "status": "Preparing", "timestamp": at()}
    else:
        payload = {"timestamp": at(), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    return Ask("StatusNotification", bent(payload, changes))


def authorize(version: str, **changes: Any) -> Ask:
    token: Any = CARD if version == V16 else {"idToken": CARD, "type": "ISO14443"}
    return Ask("Authorize", bent({"idTag" if version == V16 else "idToken": token}, changes))


def value(*sampled: Any, **changes: Any) -> Json:
    """A meter value with these samples."""
    return bent({"timestamp": at(), "sampledValue": list(sampled)}, changes)


def meter(version: str, *values: Any, **changes: Any) -> Ask:
    place = {"connectorId": 1} if version == V16 else {"evseId": 1}
    return Ask("MeterValues", bent(place | {"meterValue": list(values)}, changes))


def start(**changes: Any) -> Ask:
    payload = {"connectorId": 1, "idTag": CARD, "meterStart": 1000, "timestamp": at()}
    return Ask("StartTransaction", bent(payload, changes))


def stop(**changes: Any) -> Ask:
    return Ask("StopTransaction", bent({"transactionId": 5, "meterStop": 1500, "timestamp": at()}, changes))


def event(kind: str, seq_no: int = 0, *, tx: Any = "tx-1", register_wh: Any = None, **changes: Any) -> Ask:
    """A TransactionEvent of EVSE 1; `register_wh` adds a meter value of the event's own time."""
    payload: Json = {
        "eventType": kind,
        "timestamp": at(),
        "triggerReason": {"Started": "Authorized", "Ended": "EVDeparted"}.get(kind, "MeterValuePeriodic"),
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": tx},
        "evse": {"id": 1, "connectorId": 1},
    }
    if register_wh is not None:
        stamp = changes.get("timestamp", payload["timestamp"])
        payload["meterValue"] = [{"timestamp": stamp, "sampledValue": [{"value": register_wh}]}]
    return Ask("TransactionEvent", bent(payload, changes))


__all__ = [
    "GONE",
    "POWER",
    "REGISTER",
    "V16",
    "V201",
    "Ask",
    "at",
    "authorize",
    "bent",
    "boot",
    "event",
    "meter",
    "start",
    "status",
    "stop",
    "value",
]
