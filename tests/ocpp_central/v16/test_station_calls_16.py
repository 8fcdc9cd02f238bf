from datetime import UTC, datetime

import pytest

from app.domain.facts import (
    CertificateRequested,
    CertificateUse,
    Recorded,
    ReportKind,
    SessionEnded,
    SessionStarted,
    StationBooted,
    StationReported,
    Suspicious,
    TokenPresented,
)
from app.ocpp_central.dialect import Desk
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v16.handlers import HANDLERS

V16 = Ocpp16()
NOW = datetime(2026, 4, 1, 7, 0, 30, tzinfo=UTC)
AT = datetime(2026, 4, 1, 7, tzinfo=UTC)
STAMP = "2026-04-01T07:00:00Z"
DESK = Desk(NOW, 300)
REQUESTS_OF_STATIONS = {
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
}


def facts(action, payload):
    return V16.decode(action, payload, NOW).facts


def one(action, payload):
    (fact,) = facts(action, payload)
    return fact


def reported(kind, name, request_id=None, **detail):
    return StationReported(kind, name, NOW, NOW, request_id, detail=detail)


def test_every_call_of_a_station_has_a_handler_and_none_but_a_start_without_a_connector_is_refused():
    assert set(HANDLERS) == REQUESTS_OF_STATIONS
    assert all(handler.is_lenient for handler in HANDLERS.values())


@pytest.mark.ocpp("1.6", "BootNotification")
@pytest.mark.parametrize(
    ("changes", "vendor", "model", "doubt_count"),
    [
        ({}, "V", "M", 0),
        ({"chargePointVendor": "V" * 30}, "V" * 20, "M", 0),
        ({"chargePointModel": 7}, "V", "7", 0),
        ({"chargePointVendor": None}, "unknown", "M", 1),
        ({"chargePointModel": ""}, "V", "unknown", 1),
        ({"chargePointVendor": {}, "chargePointModel": []}, "unknown", "unknown", 1),
        ({"colour": "red", "iccid": None}, "V", "M", 0),
    ],
)
def test_an_invalid_boot_is_heard_all_the_same_1_6_4_2(changes, vendor, model, doubt_count):
    *doubts, boot = facts("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"} | changes)
    assert isinstance(boot, StationBooted)
    assert (boot.vendor, boot.model) == (vendor, model)
    assert [type(each) for each in doubts] == [Suspicious] * doubt_count


@pytest.mark.ocpp("1.6", "Authorize")
@pytest.mark.parametrize(("tag", "token"), [("A", "A"), (4711, "4711"), ("A" * 25, "A" * 20)])
def test_a_token_is_read_as_far_as_1_6_has_characters_for_it_1_6_4_1(tag, token):
    assert one("Authorize", {"idTag": tag}) == TokenPresented(token, NOW, NOW)


@pytest.mark.ocpp("1.6", "Authorize")
@pytest.mark.parametrize("payload", [{}, {"idTag": None}, {"idTag": []}, {"idTag": ""}])
def test_an_authorisation_without_a_token_is_answered_invalid(payload):
    assert isinstance(one("Authorize", payload), Suspicious)
    assert V16.reply("Authorize", Recorded(), DESK) == {"idTagInfo": {"status": "Invalid"}}


@pytest.mark.ocpp("1.6", "DataTransfer")
@pytest.mark.parametrize(
    ("payload", "fact"),
    [
        ({"vendorId": "acme"}, reported(ReportKind.VENDOR_MESSAGE, "acme")),
        (
            {"vendorId": "acme", "messageId": "hello", "data": "x" * 9000},
            reported(ReportKind.VENDOR_MESSAGE, "acme", message_id="hello", data="x" * 2500),
        ),
        (
            {"vendorId": "acme", "data": {"door": "open"}},
            reported(ReportKind.VENDOR_MESSAGE, "acme", data='{"door":"open"}'),
        ),
        ({"vendorId": "V" * 300}, reported(ReportKind.VENDOR_MESSAGE, "V" * 100)),
        ({}, reported(ReportKind.VENDOR_MESSAGE, "unknown")),
    ],
)
def test_a_vendors_message_is_kept_and_no_vendor_is_known_1_6_4_3(payload, fact):
    assert one("DataTransfer", payload) == fact
    assert V16.reply("DataTransfer", Recorded(), DESK) == {"status": "UnknownVendorId"}


@pytest.mark.ocpp("1.6", "DiagnosticsStatusNotification", "LogStatusNotification")
@pytest.mark.parametrize(
    ("action", "payload", "name", "request_id"),
    [
        ("DiagnosticsStatusNotification", {"status": "Uploaded"}, "Uploaded", None),
        ("LogStatusNotification", {"status": "UploadFailure", "requestId": 7}, "UploadFailure", 7),
        ("LogStatusNotification", {"status": "Uploading", "requestId": "7"}, "Uploading", 7),
        ("LogStatusNotification", {"status": "Idle"}, "Idle", None),
        ("LogStatusNotification", {"status": "Melting", "requestId": 2**40}, "Melting", None),
        ("LogStatusNotification", {}, "unknown", None),
    ],
)
def test_uploads_of_logs_are_reported_1_6_4_4_and_whitepaper_n01(action, payload, name, request_id):
    assert one(action, payload) == reported(ReportKind.LOG, name, request_id)
    assert V16.reply(action, Recorded(), DESK) == {}


@pytest.mark.ocpp("1.6", "FirmwareStatusNotification", "SignedFirmwareStatusNotification")
@pytest.mark.parametrize(
    ("action", "payload", "name", "request_id"),
    [
        ("FirmwareStatusNotification", {"status": "Installed"}, "Installed", None),
        ("FirmwareStatusNotification", {"status": "Melting"}, "Melting", None),
        ("SignedFirmwareStatusNotification", {"status": "InvalidSignature", "requestId": 5}, "InvalidSignature", 5),
    ],
)
def test_firmware_updates_are_reported_1_6_4_5_and_whitepaper_l01(action, payload, name, request_id):
    assert one(action, payload) == reported(ReportKind.FIRMWARE, name, request_id)


@pytest.mark.ocpp("1.6", "SecurityEventNotification")
@pytest.mark.parametrize(
    ("timestamp", "at", "doubt_count"), [(STAMP, AT, 0), ("1970-01-01T00:00:00Z", NOW, 1), ("yesterday", NOW, 1)]
)
def test_a_security_event_is_never_lost_to_a_bad_clock_1_6_whitepaper_a04(timestamp, at, doubt_count):
    payload = {"type": "TamperDetectionActivated", "timestamp": timestamp, "techInfo": "door"}
    *doubts, fact = facts("SecurityEventNotification", payload)
    assert len(doubts) == doubt_count
    assert (fact.kind, fact.name, fact.at) == (ReportKind.SECURITY, "TamperDetectionActivated", at)
    assert fact.detail == {"info": "door"}


@pytest.mark.ocpp("1.6", "SignCertificate")
def test_a_certificate_request_is_accepted_if_somebody_sees_to_it_1_6_whitepaper_a02():
    fact = one("SignCertificate", {"csr": "PEM"})
    assert fact == CertificateRequested("PEM", CertificateUse.STATION, NOW, NOW)
    assert V16.reply("SignCertificate", Recorded(is_taken=True), DESK) == {"status": "Accepted"}


@pytest.mark.ocpp("1.6", "SignCertificate")
@pytest.mark.parametrize("payload", [{}, {"csr": "x" * 6000}, {"csr": None}])
def test_a_certificate_request_that_is_missing_or_cut_off_is_rejected(payload):
    assert isinstance(one("SignCertificate", payload), Suspicious)
    assert V16.reply("SignCertificate", Recorded(), DESK) == {"status": "Rejected"}


@pytest.mark.ocpp("1.6", "StartTransaction", "ReserveNow")
def test_a_start_that_names_a_reservation_has_used_it_1_6_5_13():
    payload = {"connectorId": 2, "idTag": "A", "meterStart": 1, "timestamp": STAMP, "reservationId": 9}
    started, used = facts("StartTransaction", payload)
    assert isinstance(started, SessionStarted)
    assert used == StationReported(ReportKind.RESERVATION, "used", AT, NOW, 9, 2)
    without = {key: value for key, value in payload.items() if key != "reservationId"}
    assert started == one("StartTransaction", without)


def stop(transaction_id, **changes):
    payload = {"transactionId": transaction_id, "meterStop": 5000, "timestamp": STAMP} | changes
    (fact,) = (each for each in facts("StopTransaction", payload) if isinstance(each, SessionEnded))
    return fact


@pytest.mark.ocpp("1.6", "StopTransaction")
def test_a_stop_is_known_again_by_its_id_if_we_issued_it_else_by_time_and_register_1_6_4_10():
    first = stop(7)
    assert stop(7, timestamp="2026-04-01T07:00:09Z", meterStop=5001).issued_key == first.issued_key
    assert stop(8).issued_key != first.issued_key
    assert stop(-1).business_key == stop(0).business_key == first.business_key
    assert stop(-1, meterStop=5001).business_key != first.business_key
    assert stop(-1, timestamp="2026-04-01T07:00:09Z").business_key != first.business_key


@pytest.mark.ocpp("1.6", "StopTransaction")
def test_stops_that_tell_nothing_but_an_id_are_told_apart_by_it():
    keys = set()
    for transaction_id in (-1, 4):
        *_, fact = facts("StopTransaction", {"transactionId": transaction_id})
        keys.add(fact.business_key)
    assert len(keys) == 2
