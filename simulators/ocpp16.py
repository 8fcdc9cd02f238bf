"""How a station spells what it says in OCPP 1.6J."""

from typing import Any

from simulators.clock import stamp
from simulators.evse import Activity, Reading
from simulators.messages import MEASURANDS, Call, Payload, Transaction

UNKNOWN_REF = -1
STATUS = {
    Activity.FREE: "Available",
    Activity.CONNECTED: "Preparing",
    Activity.CHARGING: "Charging",
    Activity.PAUSED_BY_STATION: "SuspendedEVSE",
    Activity.PAUSED_BY_CAR: "SuspendedEV",
    Activity.FINISHED: "Finishing",
    Activity.RESERVED: "Reserved",
    Activity.UNAVAILABLE: "Unavailable",
}


def _sampled(reading: Reading, context: str, measurands: tuple[str, ...]) -> list[dict[str, Any]]:
    values = (
        ("Energy.Active.Import.Register", reading.register_wh, "Wh"),
        ("Power.Active.Import", reading.power_w, "W"),
        ("Current.Import", reading.current_a, "A"),
        ("Voltage", reading.voltage_v, "V"),
    )
    return [
        {"value": str(value), "context": context, "measurand": measurand, "unit": unit}
        for measurand, value, unit in values
        if measurand in measurands
    ]


def _ref(tx: Transaction) -> int:
    return UNKNOWN_REF if tx.ref is None else int(tx.ref)


class Ocpp16:
    """See `simulators.messages.Dialect`."""

    subprotocol = "ocpp1.6"
    format_violation = "FormationViolation"

    def __init__(self) -> None:
        self.measurands: tuple[str, ...] = MEASURANDS

    def boot(self, identity: str, reason: str, firmware: str) -> Call:
        """OCPP 1.6 §4.2 (which has no word for the reason)."""
        payload = {
            "chargePointVendor": "Sunslot",
            "chargePointModel": "Simulated AC",
            "chargePointSerialNumber": identity[:25],
            "firmwareVersion": firmware,
        }
        return Call("BootNotification", lambda: payload, is_boot=True, is_asked=reason == "Triggered")

    def heartbeat(self) -> Call:
        """OCPP 1.6 §4.6."""
        return Call("Heartbeat", dict)

    def authorize(self, token: str) -> Call:
        """OCPP 1.6 §4.1."""
        return Call("Authorize", lambda: {"idTag": token})

    def status(self, evse_number: int, activity: Activity, at_s: int) -> Call:
        """OCPP 1.6 §4.9; connector 0 is the station."""
        payload = {
            "connectorId": evse_number,
            "errorCode": "NoError",
            "status": STATUS[activity],
            "timestamp": stamp(at_s),
        }
        return Call("StatusNotification", lambda: payload)

    def started(self, tx: Transaction, reading: Reading, *, is_offline: bool) -> Call:  # noqa: ARG002 - 2.0.1 only
        """OCPP 1.6 §4.8: the answer brings the transaction's id."""
        payload = {
            "connectorId": tx.evse_number,
            "idTag": tx.token,
            "meterStart": tx.meter_start_wh,
            "timestamp": stamp(reading.at_s),
        }
        if tx.reservation_id is not None:
            payload["reservationId"] = tx.reservation_id

        def answered(answer: Payload) -> None:
            tx.ref = str(int(answer["transactionId"]))

        return Call("StartTransaction", lambda: payload, on_answer=answered, is_transactional=True)

    def moved(self, tx: Transaction, activity: Activity, at_s: int, *, is_offline: bool) -> Call:  # noqa: ARG002
        """OCPP 1.6 §4.9: a change of activity is a change of status."""
        return self.status(tx.evse_number, activity, at_s)

    def metered(self, tx: Transaction, reading: Reading, *, is_offline: bool, is_asked: bool) -> Call:  # noqa: ARG002
        """OCPP 1.6 §4.7."""
        value = _value(reading, "Trigger" if is_asked else "Sample.Periodic", self.measurands)

        def spell() -> Payload:
            known = {} if tx.ref is None else {"transactionId": _ref(tx)}
            return {"connectorId": tx.evse_number, **known, "meterValue": [value]}

        return Call("MeterValues", spell, is_transactional=True)

    def metered_idle(self, evse_number: int, reading: Reading) -> Call:
        """OCPP 1.6 §4.7, without a transaction."""
        payload = {"connectorId": evse_number, "meterValue": [_value(reading, "Trigger", MEASURANDS)]}
        return Call("MeterValues", lambda: payload, is_asked=True)

    def ended(self, tx: Transaction, reading: Reading, reason: str, *, is_offline: bool) -> Call:  # noqa: ARG002
        """OCPP 1.6 §4.10."""

        def spell() -> Payload:
            return {
                "transactionId": _ref(tx),
                "idTag": tx.token,
                "meterStop": reading.register_wh,
                "timestamp": stamp(reading.at_s),
                "reason": reason,
            }

        return Call("StopTransaction", spell, is_transactional=True)

    def firmware_status(self, status: str, request_id: int | None) -> Call:
        """OCPP 1.6 §4.5; whitepaper L01 where the update had an id."""
        if request_id is None:
            return Call("FirmwareStatusNotification", lambda: {"status": status})
        return Call("SignedFirmwareStatusNotification", lambda: {"status": status, "requestId": request_id})

    def log_status(self, status: str, request_id: int | None) -> Call:
        """OCPP 1.6 §4.4; whitepaper N01 where the upload had an id (it has no word for an upload that was given up)."""
        if request_id is None:
            return Call("DiagnosticsStatusNotification", lambda: {"status": status})
        word = "UploadFailure" if status == "AcceptedCanceled" else status
        return Call("LogStatusNotification", lambda: {"status": word, "requestId": request_id})

    def sign_certificate(self, csr: str) -> Call:
        """OCPP 1.6 security whitepaper A02."""
        return Call("SignCertificate", lambda: {"csr": csr})

    def reservation_expired(self, reservation_id: int) -> Call | None:  # noqa: ARG002 - 2.0.1 only
        """OCPP 1.6 §5.13: the connector becomes Available, which is all that is said."""
        return None

    def tells_install_reboot(self, is_signed: bool) -> bool:
        """OCPP 1.6 §7.25 has no word for it, the whitepaper has."""
        return is_signed

    def is_accepted(self, answer: Payload) -> bool | None:
        """The idTagInfo's verdict."""
        info = answer.get("idTagInfo")
        return None if info is None else info.get("status") == "Accepted"

    def reports_status_when_charging(self) -> bool:
        """In 1.6 the connector's status tells whether the car charges."""
        return True


def _value(reading: Reading, context: str, measurands: tuple[str, ...]) -> dict[str, Any]:
    return {"timestamp": stamp(reading.at_s), "sampledValue": _sampled(reading, context, measurands)}
