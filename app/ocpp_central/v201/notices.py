"""What an OCPP 2.0.1 station tells of its own accord besides its sessions: progress, security, limits of others."""

from typing import Any

import orjson

from app.domain.facts import CertificateRequested, CertificateUse, Fact, ReportKind
from app.ocpp_central.dialect import Message, dict_of, list_of, text_of
from app.ocpp_central.metering import believable_evse
from app.ocpp_central.rpc import Problem, Refusal
from app.ocpp_central.v201.reading import bounded_of, dicts_of, moment_of, report, told
from app.ocpp_central.v201.reports import schedule

LONGEST_DATA_COUNT = 2500
MOST_SCHEDULES_COUNT = 3
MOST_LOCATIONS_COUNT = 10
USES = {
    "ChargingStationCertificate": CertificateUse.STATION,
    "V2GCertificate": CertificateUse.V2G,
}
NEEDS = {
    "energyAmount": "energy_wh",
    "evMinCurrent": "min_current_a",
    "evMaxCurrent": "max_current_a",
    "evMaxVoltage": "max_voltage_v",
    "evMaxPower": "max_power_w",
    "evEnergyCapacity": "capacity_wh",
    "stateOfCharge": "charge_percent",
    "fullSoC": "full_percent",
    "bulkSoC": "bulk_percent",
}


def firmware(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 L01 (FirmwareStatusNotification)."""
    request_id = bounded_of(message.payload, "requestId")
    return report(message, ReportKind.FIRMWARE, text_of(message.payload, "status", 50), request_id=request_id)


def published_firmware(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 L03 (PublishFirmwareStatusNotification)."""
    places = [each[:512] for each in list_of(message.payload, "location") if isinstance(each, str)]
    detail = told(locations=places[:MOST_LOCATIONS_COUNT] or None)
    status = text_of(message.payload, "status", 50)
    request_id = bounded_of(message.payload, "requestId")
    return report(message, ReportKind.PUBLISHED_FIRMWARE, status, detail, request_id=request_id)


def log_status(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 N01 (LogStatusNotification)."""
    request_id = bounded_of(message.payload, "requestId")
    return report(message, ReportKind.LOG, text_of(message.payload, "status", 50), request_id=request_id)


def security_event(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 A04 (SecurityEventNotification); stations queue these, so they may be old."""
    detail = told(info=text_of(message.payload, "techInfo"))
    at = moment_of(message, message.payload, "timestamp")
    return report(message, ReportKind.SECURITY, text_of(message.payload, "type", 50), detail, at=at)


def reservation(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 H04 (ReservationStatusUpdate): it has expired, or the station has removed it."""
    name = text_of(message.payload, "reservationUpdateStatus", 50)
    return report(message, ReportKind.RESERVATION, name, request_id=bounded_of(message.payload, "reservationId"))


def external_limit(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 K12, K13 (NotifyChargingLimit): somebody else's limit holds."""
    limit = dict_of(message.payload, "chargingLimit")
    schedules = [schedule(each) for each in dicts_of(message.payload, "chargingSchedule")[:MOST_SCHEDULES_COUNT]]
    detail = told(is_grid_critical=limit.get("isGridCritical") is True, schedules=schedules or None)
    source = text_of(limit, "chargingLimitSource", 20)
    return report(message, ReportKind.EXTERNAL_LIMIT, source, detail, evse_number=_evse(message))


def external_limit_cleared(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 K13 (ClearedChargingLimit): somebody else's limit holds no longer."""
    source = text_of(message.payload, "chargingLimitSource", 20)
    return report(message, ReportKind.EXTERNAL_LIMIT_CLEARED, source, evse_number=_evse(message))


def ev_needs(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 K15 (NotifyEVChargingNeeds): what an ISO 15118 car asks for."""
    needs = dict_of(message.payload, "chargingNeeds")
    wanted = dict_of(needs, "acChargingParameters") | dict_of(needs, "dcChargingParameters")
    detail = told(departure_at=text_of(needs, "departureTime", 40), **_quantities(wanted))
    name = text_of(needs, "requestedEnergyTransfer", 50)
    return report(message, ReportKind.EV_NEEDS, name, detail, evse_number=_evse(message))


def _quantities(wanted: dict[str, Any]) -> dict[str, int | None]:
    return {name: bounded_of(wanted, key) for key, name in NEEDS.items()}


def ev_schedule(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 K17 (NotifyEVChargingSchedule): how an ISO 15118 car means to charge."""
    detail = told(
        base_at=text_of(message.payload, "timeBase", 40),
        schedule=schedule(dict_of(message.payload, "chargingSchedule")),
    )
    return report(message, ReportKind.EV_SCHEDULE, "schedule", detail, evse_number=_evse(message))


def vendor_message(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 P02 (DataTransfer): kept for the operator, understood by nobody here."""
    data = message.payload.get("data")
    text = data if isinstance(data, str) or data is None else orjson.dumps(data).decode()
    detail = told(
        message_id=text_of(message.payload, "messageId", 50), data=None if text is None else text[:LONGEST_DATA_COUNT]
    )
    return report(message, ReportKind.VENDOR_MESSAGE, text_of(message.payload, "vendorId", 100), detail)


def certificate_request(message: Message) -> tuple[Fact, ...]:
    """OCPP 2.0.1 A02, A03 (SignCertificate). A request that is missing, or was cut off, is nothing to sign: refused."""
    csr = text_of(message.payload, "csr", 5500)
    if csr is None or message.repairs["text_shortened"]:
        raise Refusal(Problem.OCCURRENCE, "csr")
    use = USES.get(text_of(message.payload, "certificateType") or "", CertificateUse.STATION)
    return (CertificateRequested(csr, use, message.received_at, message.received_at),)


def _evse(message: Message) -> int | None:
    return believable_evse(bounded_of(message.payload, "evseId"))
