"""The calls that are measured, as stations spell them."""

import json
from typing import Any

SAMPLE_COUNT = 10
AT = "2026-04-01T00:00:00Z"
PHASES = ("L1", "L2", "L3")
MEASURANDS = (("Voltage", "V", 230.0), ("Current.Import", "A", 15.5), ("Power.Active.Import", "W", 3500.0))

Payload = dict[str, Any]


def _samples(register_wh: float) -> list[tuple[str, str, float, str | None]]:
    """Return measurand, unit, value, phase: the register, then three measurands on three phases."""
    by_phase = [(name, unit, value, phase) for name, unit, value in MEASURANDS for phase in PHASES]
    return [("Energy.Active.Import.Register", "Wh", register_wh, None), *by_phase][:SAMPLE_COUNT]


def samples_16(register_wh: float) -> list[Payload]:
    """Return ten sampled values as OCPP 1.6 spells them."""
    common = {"context": "Sample.Periodic", "location": "Outlet"}
    return [
        {"value": str(value), "measurand": name, "unit": unit, **common} | ({"phase": phase} if phase else {})
        for name, unit, value, phase in _samples(register_wh)
    ]


def samples_201(register_wh: float) -> list[Payload]:
    """Return ten sampled values as OCPP 2.0.1 spells them."""
    common = {"context": "Sample.Periodic", "location": "Outlet"}
    return [
        {"value": value, "measurand": name, "unitOfMeasure": {"unit": unit}, **common}
        | ({"phase": phase} if phase else {})
        for name, unit, value, phase in _samples(register_wh)
    ]


def meter_values(transaction_id: int | None, register_wh: float, at: str = AT) -> Payload:
    """Return an OCPP 1.6 MeterValues with ten samples."""
    values = [{"timestamp": at, "sampledValue": samples_16(register_wh)}]
    named: Payload = {} if transaction_id is None else {"transactionId": transaction_id}
    return {"connectorId": 1, **named, "meterValue": values}


def transaction_event(
    kind: str, ref: str, seq_no: int, *, register_wh: float | None = None, at: str = AT, **more: Any
) -> Payload:
    """Return an OCPP 2.0.1 TransactionEvent, with ten samples where there is a register."""
    reasons = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "StopAuthorized"}
    payload: Payload = {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": reasons[kind],
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": ref, "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        **more,
    }
    if register_wh is not None:
        payload["meterValue"] = [{"timestamp": at, "sampledValue": samples_201(register_wh)}]
    return payload


def call_text(message_id: str, action: str, payload: Payload) -> str:
    """Return the frame as chargers write it: without spaces."""
    return json.dumps([2, message_id, action, payload], separators=(",", ":"))
