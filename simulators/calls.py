"""What both dialects share in carrying out calls of the central system: profiles and schedules on the wire."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from simulators.clock import seconds_of, stamp
from simulators.messages import Fault, Payload
from simulators.profiles import DAY_S, WEEK_S, Period, Profile, Purpose
from simulators.station import Station

REPEATS_S = {"Daily": DAY_S, "Weekly": WEEK_S}
PURPOSES = {
    "ChargePointMaxProfile": Purpose.STATION_MAX,
    "ChargingStationMaxProfile": Purpose.STATION_MAX,
    "TxDefaultProfile": Purpose.TX_DEFAULT,
    "TxProfile": Purpose.TX,
}

Handler = Callable[[Station, Payload], Payload]


def answer_with(handlers: Mapping[str, Handler], station: Station, action: str, payload: Payload) -> Payload:
    """Carry out a call by name; raises Fault("NotImplemented") for a name that nobody knows."""
    handler = handlers.get(action)
    if handler is None:
        raise Fault("NotImplemented", f"{action} is not known here"[:200])
    if not isinstance(payload, dict):
        raise TypeError("the payload is not an object")
    return handler(station, payload)


def not_supported(_station: Station, _payload: Payload) -> Payload:
    """Refuse a call of the standard that such a station has no part for."""
    raise Fault("NotSupported", "this station has nothing to do it with")


def verdict(is_done: bool, otherwise: str = "Rejected") -> Payload:
    """Return a status answer."""
    return {"status": "Accepted" if is_done else otherwise}


def _time(text: str | None) -> int | None:
    return None if text is None else seconds_of(text)


def profile_from(wire: Payload, profile_id: int, evse_number: int, schedule: Payload) -> Profile:
    """Return a charging profile; raises KeyError, TypeError or ValueError where it is malformed."""
    kind, unit = wire["chargingProfileKind"], schedule["chargingRateUnit"]
    if unit not in {"A", "W"}:
        raise ValueError("chargingRateUnit")
    tx_ref = wire.get("transactionId")
    return Profile(
        profile_id=int(profile_id),
        evse_number=evse_number,
        purpose=PURPOSES[wire["chargingProfilePurpose"]],
        stack_level=int(wire["stackLevel"]),
        unit=unit,
        periods=tuple(
            Period(int(period["startPeriod"]), float(period["limit"]), period.get("numberPhases"))
            for period in schedule["chargingSchedulePeriod"]
        ),
        start_s=None if kind == "Relative" else _time(schedule.get("startSchedule")),
        duration_s=schedule.get("duration"),
        repeat_s=REPEATS_S[wire["recurrencyKind"]] if kind == "Recurring" else None,
        valid_from_s=_time(wire.get("validFrom")),
        valid_to_s=_time(wire.get("validTo")),
        tx_ref=None if tx_ref is None else str(tx_ref),
    )


def composite(station: Station, evse_number: int, duration_s: int, unit: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the start and the periods of an EVSE's composite schedule, limits with one decimal."""
    electrical = station.profiles.electrical
    factor = 1.0 if unit == "A" else electrical.voltage_v * electrical.phase_count
    periods = [
        {"startPeriod": offset_s, "limit": round(limit_a * factor, 1), "numberPhases": electrical.phase_count}
        for offset_s, limit_a in station.composite_a(evse_number, duration_s)
    ]
    return stamp(station.clock.now_s), periods


def trigger(station: Station, message: str, evse_number: int | None) -> Payload:
    """Send a message as asked, once the answer has left (OCPP 1.6 §5.17, OCPP 2.0.1 F06)."""
    if evse_number is not None and evse_number not in station.bays:
        return verdict(False)
    bays = [bay for number, bay in station.bays.items() if evse_number in {None, number}]
    if message == "BootNotification":
        station.trigger_boot()
    elif message == "Heartbeat":
        station.later(lambda: station.send(station.dialect.heartbeat()))
    elif message == "StatusNotification":
        for bay in bays:
            station.later(partial(bay.send_status, is_asked=True))
    elif message == "FirmwareStatusNotification":
        station.later(lambda: station.send(station.workshop.tell_firmware()))
    elif message in {"MeterValues", "TransactionEvent"}:
        for bay in bays:
            if bay.tx is not None or message == "MeterValues":
                station.later(partial(bay.send_meter, is_asked=True))
    else:
        return {"status": "NotImplemented"}
    return verdict(True)
