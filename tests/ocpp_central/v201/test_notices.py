from datetime import UTC, datetime, timedelta

import pytest

from app.domain.facts import (
    BootStatus,
    CertificateRequested,
    CertificateUse,
    Recorded,
    ReportKind,
    SessionEnded,
    SessionStarted,
    StationBooted,
    StationReported,
    StationSeen,
    Suspicious,
    TokenPresented,
    TokenStatus,
)
from app.ocpp_central.dialect import Desk
from app.ocpp_central.rpc import Problem, Refusal
from app.ocpp_central.v201 import Ocpp201

V201 = Ocpp201()
NOW = datetime(2026, 4, 1, 7, 0, 30, tzinfo=UTC)
AT = datetime(2026, 4, 1, 7, tzinfo=UTC)
STAMP = "2026-04-01T07:00:00Z"
DESK = Desk(NOW, 300)


def facts(action, payload):
    return V201.decode(action, payload, NOW).facts


def one(action, payload):
    (fact,) = facts(action, payload)
    return fact


def reported(kind, name, at=NOW, **more):
    return StationReported(kind, name, at, NOW, **more)


@pytest.mark.ocpp("2.0.1", "FirmwareStatusNotification", "PublishFirmwareStatusNotification", "LogStatusNotification")
def test_progress_names_the_job_it_is_about_l01_l03_n01():
    payload = {"status": "Downloading", "requestId": 7}
    assert one("FirmwareStatusNotification", payload) == reported(ReportKind.FIRMWARE, "Downloading", request_id=7)
    assert one("LogStatusNotification", {"status": "Idle"}) == reported(ReportKind.LOG, "Idle")
    published = {"status": "Published", "requestId": 8, "location": ["https://10.0.0.2/fw"]}
    assert one("PublishFirmwareStatusNotification", published) == reported(
        ReportKind.PUBLISHED_FIRMWARE, "Published", request_id=8, detail={"locations": ["https://10.0.0.2/fw"]}
    )
    for action in ("FirmwareStatusNotification", "PublishFirmwareStatusNotification", "LogStatusNotification"):
        assert V201.reply(action, Recorded(), DESK) == {}


@pytest.mark.ocpp("2.0.1", "FirmwareStatusNotification")
@pytest.mark.parametrize("request_id", [-1, 2**31, 2**70, 1.5, "x", None])
def test_an_absurd_request_id_is_none(request_id):
    assert one("FirmwareStatusNotification", {"status": "Installed", "requestId": request_id}).request_id in {None, 2}


@pytest.mark.ocpp("2.0.1", "FirmwareStatusNotification")
def test_a_status_that_nobody_knows_is_kept_as_the_stations_own_word():
    decoded = V201.decode("FirmwareStatusNotification", {"status": "Verifying", "requestId": "7"}, NOW)
    assert decoded.facts == (reported(ReportKind.FIRMWARE, "Verifying", request_id=7),)
    assert decoded.repairs == {"text_for_number": 1, "tolerated_enum": 1}


@pytest.mark.ocpp("2.0.1", "SecurityEventNotification")
def test_a_security_event_keeps_its_own_time_a04():
    payload = {"type": "FirmwareUpdated", "timestamp": STAMP, "techInfo": "2.1"}
    expected = reported(ReportKind.SECURITY, "FirmwareUpdated", AT, detail={"info": "2.1"})
    assert one("SecurityEventNotification", payload) == expected
    absurd = V201.decode("SecurityEventNotification", payload | {"timestamp": "1970-01-01T00:00:00Z"}, NOW)
    assert absurd.facts[0].at == NOW
    assert absurd.repairs == {"timestamp_replaced": 1}
    assert V201.reply("SecurityEventNotification", Recorded(), DESK) == {}


@pytest.mark.ocpp("2.0.1", "ReservationStatusUpdate", "TransactionEvent")
def test_reservations_end_by_expiry_removal_or_use_h03_h04():
    payload = {"reservationId": 5, "reservationUpdateStatus": "Expired"}
    assert one("ReservationStatusUpdate", payload) == reported(ReportKind.RESERVATION, "Expired", request_id=5)
    used, started = facts("TransactionEvent", event("Started", reservationId=5))
    assert used == reported(ReportKind.RESERVATION, "used", AT, request_id=5, evse_number=2)
    assert isinstance(started, SessionStarted)


SCHEDULE = {
    "id": 1,
    "chargingRateUnit": "A",
    "duration": 600,
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0, "numberPhases": 3}, {"startPeriod": 60, "limit": 6.5}],
}
READ_SCHEDULE = {"unit": "A", "duration_s": 600, "periods": [[0, 16.0, 3], [60, 6.5, None]]}


@pytest.mark.ocpp("2.0.1", "NotifyChargingLimit", "ClearedChargingLimit")
def test_limits_of_others_come_and_go_k12_k14():
    limit = {"chargingLimitSource": "SO", "isGridCritical": True}
    payload = {"chargingLimit": limit, "evseId": 1, "chargingSchedule": [SCHEDULE]}
    detail = {"is_grid_critical": True, "schedules": [READ_SCHEDULE]}
    expected = reported(ReportKind.EXTERNAL_LIMIT, "SO", evse_number=1, detail=detail)
    assert one("NotifyChargingLimit", payload) == expected
    cleared = one("ClearedChargingLimit", {"chargingLimitSource": "SO", "evseId": 1634030126})
    assert cleared == reported(ReportKind.EXTERNAL_LIMIT_CLEARED, "SO")


@pytest.mark.ocpp("2.0.1", "NotifyEVChargingNeeds", "NotifyEVChargingSchedule")
def test_what_an_iso_15118_car_wants_is_kept_and_needs_are_rejected_k15_k17():
    needs = {
        "requestedEnergyTransfer": "AC_three_phase",
        "departureTime": "2026-04-01T16:00:00Z",
        "acChargingParameters": {"energyAmount": 20000, "evMinCurrent": 6, "evMaxCurrent": 32, "evMaxVoltage": 400},
    }
    detail = {
        "departure_at": "2026-04-01T16:00:00Z",
        "energy_wh": 20000,
        "min_current_a": 6,
        "max_current_a": 32,
        "max_voltage_v": 400,
    }
    wanted = one("NotifyEVChargingNeeds", {"evseId": 2, "chargingNeeds": needs})
    assert wanted == reported(ReportKind.EV_NEEDS, "AC_three_phase", evse_number=2, detail=detail)
    rejected = {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRequest"}}
    assert V201.reply("NotifyEVChargingNeeds", Recorded(), DESK) == rejected
    planned = one("NotifyEVChargingSchedule", {"evseId": 2, "timeBase": STAMP, "chargingSchedule": SCHEDULE})
    detail = {"base_at": STAMP, "schedule": READ_SCHEDULE}
    assert planned == reported(ReportKind.EV_SCHEDULE, "schedule", evse_number=2, detail=detail)
    assert V201.reply("NotifyEVChargingSchedule", Recorded(), DESK) == {"status": "Accepted"}


@pytest.mark.ocpp("2.0.1", "DataTransfer")
@pytest.mark.parametrize(("data", "kept"), [("x", "x"), ({"a": [1]}, '{"a":[1]}'), ("y" * 9000, "y" * 2500)])
def test_a_vendors_message_is_kept_and_honestly_not_understood_p02(data, kept):
    payload = {"vendorId": "com.example", "messageId": "m", "data": data}
    detail = {"message_id": "m", "data": kept}
    assert one("DataTransfer", payload) == reported(ReportKind.VENDOR_MESSAGE, "com.example", detail=detail)
    assert V201.reply("DataTransfer", Recorded(), DESK) == {"status": "UnknownVendorId"}


@pytest.mark.ocpp("2.0.1", "SignCertificate")
def test_a_request_to_sign_is_accepted_only_where_it_is_taken_a02_a03():
    csr = "-----BEGIN CERTIFICATE REQUEST-----"
    asked = one("SignCertificate", {"csr": csr})
    assert asked == CertificateRequested(csr, CertificateUse.STATION, NOW, NOW)
    assert one("SignCertificate", {"csr": csr, "certificateType": "V2GCertificate"}).use is CertificateUse.V2G
    assert V201.reply("SignCertificate", Recorded(is_taken=True), DESK) == {"status": "Accepted"}
    assert V201.reply("SignCertificate", Recorded(), DESK) == {"status": "Rejected"}


@pytest.mark.ocpp("2.0.1", "SignCertificate")
@pytest.mark.parametrize(
    ("payload", "problem"),
    [({}, Problem.OCCURRENCE), ({"csr": "x" * 5501}, Problem.PROPERTY), ({"csr": []}, Problem.TYPE)],
)
def test_a_request_that_is_missing_or_too_long_is_nothing_to_sign(payload, problem):
    with pytest.raises(Refusal) as refused:
        V201.decode("SignCertificate", payload, NOW)
    assert refused.value.problem is problem


@pytest.mark.ocpp("2.0.1", "Get15118EVCertificate", "GetCertificateStatus")
def test_what_needs_a_certificate_pool_or_ocsp_fails_honestly_m01_m06():
    asked = {"iso15118SchemaVersion": "urn", "action": "Install", "exiRequest": "AA"}
    named = {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": "a",
        "issuerKeyHash": "b",
        "serialNumber": "1",
        "responderURL": "http://ocsp",
    }
    assert one("Get15118EVCertificate", asked) == StationSeen(NOW, NOW)
    assert one("GetCertificateStatus", {"ocspRequestData": named}) == StationSeen(NOW, NOW)
    assert V201.reply("Get15118EVCertificate", Recorded(), DESK)["status"] == "Failed"
    assert V201.reply("GetCertificateStatus", Recorded(), DESK)["status"] == "Failed"


@pytest.mark.ocpp("2.0.1", "BootNotification")
def test_a_boot_with_too_long_texts_or_without_a_vendor_is_heard_b01():
    station = {"model": "M" * 30, "serialNumber": 4711, "firmwareVersion": "F" * 60}
    doubt, booted = facts("BootNotification", {"reason": "Whim", "chargingStation": station})
    assert isinstance(doubt, Suspicious)
    assert booted == StationBooted(NOW, NOW, "unknown", "M" * 20, "4711", "F" * 50, "Whim")
    *_, unnamed = facts("BootNotification", {})
    assert (unnamed.vendor, unnamed.model, unnamed.reason) == ("unknown", "unknown", None)
    assert V201.reply("BootNotification", Recorded(BootStatus.PENDING), DESK)["status"] == "Pending"


@pytest.mark.ocpp("2.0.1", "Authorize")
def test_a_token_of_an_unknown_type_is_presented_and_no_token_is_refused_c01():
    payload = {"idToken": {"idToken": "A", "type": "RFID"}, "nonsense": 1}
    assert one("Authorize", payload) == TokenPresented("A", NOW, NOW)
    with pytest.raises(Refusal):
        V201.decode("Authorize", {"idToken": {"type": "ISO14443"}}, NOW)
    accepted = Recorded(token_status=TokenStatus.ACCEPTED)
    assert V201.reply("Authorize", accepted, DESK) == {"idTokenInfo": {"status": "Accepted"}}


@pytest.mark.ocpp("2.0.1", "Authorize")
@pytest.mark.parametrize("extra", [{"certificate": "PEM"}, {"iso15118CertificateHashData": [{"serialNumber": "1"}]}])
def test_a_contract_certificate_that_nobody_checked_lets_nobody_charge_c07(extra):
    payload = {"idToken": {"idToken": "DE8ACC12E46L89", "type": "eMAID"}, **extra}
    assert isinstance(one("Authorize", payload), Suspicious)
    answer = {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"}
    assert V201.reply("Authorize", Recorded(), DESK) == answer


def event(kind, **more):
    return {
        "eventType": kind,
        "timestamp": STAMP,
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1", **more.pop("info", {})},
        "evse": {"id": 2, "connectorId": 1},
        **more,
    }


@pytest.mark.ocpp("2.0.1", "TransactionEvent")
def test_an_event_is_answered_with_token_info_only_where_it_presented_a_token():
    assert V201.reply("TransactionEvent", Recorded(), DESK) == {}
    blocked = Recorded(token_status=TokenStatus.BLOCKED)
    assert V201.reply("TransactionEvent", blocked, DESK) == {"idTokenInfo": {"status": "Blocked"}}


@pytest.mark.ocpp("2.0.1", "TransactionEvent")
def test_a_repeated_event_has_the_same_key_whatever_its_message_id_and_others_have_another_e04():
    first = event("Ended", info={"stoppedReason": "Local"})
    key = one("TransactionEvent", first).business_key
    assert one("TransactionEvent", first | {"offline": True}).business_key == key
    others = [
        first | {"seqNo": 1},
        first | {"timestamp": (AT + timedelta(seconds=1)).isoformat()},
        event("Ended", info={"stoppedReason": "Local", "transactionId": "tx-2"}),
    ]
    keys = {one("TransactionEvent", each).business_key for each in others}
    assert len(keys | {key}) == 4
    assert isinstance(one("TransactionEvent", others[0]), SessionEnded)
