"""How a station spells what it says in OCPP 2.0.1."""

from typing import Any

from simulators.clock import stamp
from simulators.evse import Activity, Reading
from simulators.messages import MEASURANDS, Call, Payload, Transaction

CHARGING_STATE = {
    Activity.FREE: "Idle",
    Activity.CONNECTED: "EVConnected",
    Activity.CHARGING: "Charging",
    Activity.PAUSED_BY_STATION: "SuspendedEVSE",
    Activity.PAUSED_BY_CAR: "SuspendedEV",
    Activity.FINISHED: "EVConnected",
    Activity.RESERVED: "Idle",
    Activity.UNAVAILABLE: "Idle",
}
STATUS = {
    Activity.FREE: "Available",
    Activity.RESERVED: "Reserved",
    Activity.UNAVAILABLE: "Unavailable",
}
STOPPED = {
    "EVDisconnected": ("EVDeparted", "EVDisconnected"),
    "Remote": ("RemoteStop", "Remote"),
    "DeAuthorized": ("Deauthorized", "DeAuthorized"),
    "HardReset": ("ResetCommand", "ImmediateReset"),
    "SoftReset": ("ResetCommand", "Reboot"),
    "Local": ("StopAuthorized", "Local"),
    "PowerLoss": ("AbnormalCondition", "PowerLoss"),
    "UnlockCommand": ("UnlockCommand", "Other"),
}


def id_token(token: str, *, is_remote: bool = False) -> dict[str, str]:
    """Return a token as IdTokenType: cards are ISO 14443 UIDs, remote starts bring the central system's own."""
    return {"idToken": token, "type": "Central" if is_remote else "ISO14443"}


def _sampled(reading: Reading, context: str, measurands: tuple[str, ...]) -> list[dict[str, Any]]:
    values = (
        ("Energy.Active.Import.Register", float(reading.register_wh), "Wh"),
        ("Power.Active.Import", reading.power_w, "W"),
        ("Current.Import", reading.current_a, "A"),
        ("Voltage", reading.voltage_v, "V"),
    )
    return [
        {"value": value, "context": context, "measurand": measurand, "unitOfMeasure": {"unit": unit}}
        for measurand, value, unit in values
        if measurand in measurands
    ]


def _value(reading: Reading, context: str, measurands: tuple[str, ...] = MEASURANDS) -> dict[str, Any]:
    return {"timestamp": stamp(reading.at_s), "sampledValue": _sampled(reading, context, measurands)}


def _event(kind: str, trigger: str, tx: Transaction, at_s: int, is_offline: bool, **more: Any) -> Payload:
    info = {"transactionId": tx.ref, **more.pop("info", {})}
    return {
        "eventType": kind,
        "timestamp": stamp(at_s),
        "triggerReason": trigger,
        "seqNo": tx.take_seq_no(),
        "offline": is_offline,
        "transactionInfo": info,
        "evse": {"id": tx.evse_number, "connectorId": 1},
        **more,
    }


def _transactional(payload: Payload) -> Call:
    return Call("TransactionEvent", lambda: payload, is_transactional=True)


class Ocpp201:
    """See `simulators.messages.Dialect`."""

    subprotocol = "ocpp2.0.1"
    format_violation = "FormatViolation"

    def __init__(self) -> None:
        self.measurands: tuple[str, ...] = MEASURANDS

    def boot(self, identity: str, reason: str, firmware: str) -> Call:
        """OCPP 2.0.1 B01."""
        station = {
            "vendorName": "Sunslot",
            "model": "Simulated AC",
            "serialNumber": identity[:25],
            "firmwareVersion": firmware,
        }
        payload = {"reason": reason, "chargingStation": station}
        return Call("BootNotification", lambda: payload, is_boot=True, is_asked=reason == "Triggered")

    def heartbeat(self) -> Call:
        """OCPP 2.0.1 G02."""
        return Call("Heartbeat", dict)

    def authorize(self, token: str) -> Call:
        """OCPP 2.0.1 C01."""
        return Call("Authorize", lambda: {"idToken": id_token(token)})

    def status(self, evse_number: int, activity: Activity, at_s: int) -> Call:
        """OCPP 2.0.1 G01: only whether something is plugged in."""
        payload = {
            "timestamp": stamp(at_s),
            "connectorStatus": STATUS.get(activity, "Occupied"),
            "evseId": evse_number,
            "connectorId": 1,
        }
        return Call("StatusNotification", lambda: payload)

    def started(self, tx: Transaction, reading: Reading, *, is_offline: bool) -> Call:
        """OCPP 2.0.1 E01: TransactionEvent Started, with the register at the beginning."""
        info: dict[str, Any] = {"chargingState": "EVConnected"}
        if tx.remote_start_id is not None:
            info["remoteStartId"] = tx.remote_start_id
        more = {} if tx.reservation_id is None else {"reservationId": tx.reservation_id}
        payload = _event(
            "Started",
            "RemoteStart" if tx.is_remote else "Authorized",
            tx,
            reading.at_s,
            is_offline,
            info=info,
            idToken=id_token(tx.token, is_remote=tx.is_remote),
            meterValue=[_value(reading, "Transaction.Begin")],
            **more,
        )
        return _transactional(payload)

    def moved(self, tx: Transaction, activity: Activity, at_s: int, *, is_offline: bool) -> Call:
        """OCPP 2.0.1 E02: a change of the charging state."""
        info = {"chargingState": CHARGING_STATE[activity]}
        return _transactional(_event("Updated", "ChargingStateChanged", tx, at_s, is_offline, info=info))

    def metered(self, tx: Transaction, reading: Reading, *, is_offline: bool, is_asked: bool) -> Call:
        """OCPP 2.0.1 J02: meter values of a running transaction."""
        trigger, context = ("Trigger", "Trigger") if is_asked else ("MeterValuePeriodic", "Sample.Periodic")
        values = [_value(reading, context, self.measurands)]
        return _transactional(_event("Updated", trigger, tx, reading.at_s, is_offline, meterValue=values))

    def metered_idle(self, evse_number: int, reading: Reading) -> Call:
        """OCPP 2.0.1 J01: meter values without a transaction."""
        payload = {"evseId": evse_number, "meterValue": [_value(reading, "Trigger")]}
        return Call("MeterValues", lambda: payload, is_asked=True)

    def ended(self, tx: Transaction, reading: Reading, reason: str, *, is_offline: bool) -> Call:
        """OCPP 2.0.1 E06/E07: TransactionEvent Ended, with the register at the end."""
        trigger, stopped = STOPPED[reason]
        payload = _event(
            "Ended",
            trigger,
            tx,
            reading.at_s,
            is_offline,
            info={"stoppedReason": stopped, "chargingState": "EVConnected"},
            meterValue=[_value(reading, "Transaction.End")],
        )
        return _transactional(payload)

    def firmware_status(self, status: str, request_id: int | None) -> Call:
        """OCPP 2.0.1 L01; without an id only Idle is said."""
        payload = {"status": status} if request_id is None else {"status": status, "requestId": request_id}
        return Call("FirmwareStatusNotification", lambda: payload)

    def log_status(self, status: str, request_id: int | None) -> Call:
        """OCPP 2.0.1 N01."""
        payload = {"status": status} if status == "Idle" else {"status": status, "requestId": request_id}
        return Call("LogStatusNotification", lambda: payload)

    def sign_certificate(self, csr: str) -> Call:
        """OCPP 2.0.1 A02."""
        return Call("SignCertificate", lambda: {"csr": csr, "certificateType": "ChargingStationCertificate"})

    def reservation_expired(self, reservation_id: int) -> Call | None:
        """OCPP 2.0.1 H04."""
        payload = {"reservationId": reservation_id, "reservationUpdateStatus": "Expired"}
        return Call("ReservationStatusUpdate", lambda: payload)

    def tells_install_reboot(self, is_signed: bool) -> bool:  # noqa: ARG002 - 1.6 only
        """OCPP 2.0.1 L01.FR.15."""
        return True

    def is_accepted(self, answer: Payload) -> bool | None:
        """The idTokenInfo's verdict."""
        info = answer.get("idTokenInfo")
        return None if info is None else info.get("status") == "Accepted"

    def reports_status_when_charging(self) -> bool:
        """In 2.0.1 the transaction tells whether the car charges."""
        return False
