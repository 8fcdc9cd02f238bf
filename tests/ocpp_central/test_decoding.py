from datetime import UTC, datetime, timedelta

import pytest

from app.domain.facts import (
    Activity,
    Metered,
    Occupancy,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationSeen,
    StatusReported,
    Suspicious,
    TokenPresented,
)
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201

V16, V201 = Ocpp16(), Ocpp201()
NOW = datetime(2026, 4, 1, 7, 0, 30, tzinfo=UTC)
AT = datetime(2026, 4, 1, 7, tzinfo=UTC)
STAMP = "2026-04-01T07:00:00Z"


def facts(dialect, action, payload):
    return dialect.decode(action, payload, NOW).facts


def one(dialect, action, payload):
    (fact,) = facts(dialect, action, payload)
    return fact


def value(*samples, timestamp=STAMP):
    return {"timestamp": timestamp, "sampledValue": list(samples)}


@pytest.mark.ocpp("1.6", "BootNotification")
@pytest.mark.ocpp("2.0.1", "BootNotification")
def test_a_boot_carries_vendor_model_serial_and_firmware():
    old = {"chargePointVendor": "V", "chargePointModel": "M", "chargeBoxSerialNumber": "S", "firmwareVersion": "F"}
    new = {
        "reason": "PowerUp",
        "chargingStation": {"vendorName": "V", "model": "M", "serialNumber": "S", "firmwareVersion": "F"},
    }
    assert one(V16, "BootNotification", old) == StationBooted(NOW, NOW, "V", "M", "S", "F", None)
    assert one(V201, "BootNotification", new) == StationBooted(NOW, NOW, "V", "M", "S", "F", "PowerUp")


@pytest.mark.ocpp("1.6", "Heartbeat")
@pytest.mark.ocpp("2.0.1", "Heartbeat")
def test_heartbeats_say_that_the_station_is_there():
    assert one(V16, "Heartbeat", {}) == one(V201, "Heartbeat", {}) == StationSeen(NOW, NOW)


@pytest.mark.ocpp("1.6", "Authorize")
@pytest.mark.ocpp("2.0.1", "Authorize")
def test_a_presented_token_is_read():
    assert one(V16, "Authorize", {"idTag": "A"}) == TokenPresented("A", NOW, NOW)
    assert one(V201, "Authorize", {"idToken": {"idToken": "A", "type": "ISO14443"}}) == TokenPresented("A", NOW, NOW)


@pytest.mark.ocpp("1.6", "StatusNotification")
@pytest.mark.parametrize(
    ("status", "occupancy", "activity"),
    [
        ("Available", Occupancy.FREE, Activity.NONE),
        ("Preparing", Occupancy.OCCUPIED, Activity.CONNECTED),
        ("Charging", Occupancy.OCCUPIED, Activity.CHARGING),
        ("SuspendedEV", Occupancy.OCCUPIED, Activity.PAUSED_BY_EV),
        ("SuspendedEVSE", Occupancy.OCCUPIED, Activity.PAUSED_BY_STATION),
        ("Finishing", Occupancy.OCCUPIED, Activity.NONE),
        ("Reserved", Occupancy.RESERVED, Activity.NONE),
        ("Unavailable", Occupancy.UNAVAILABLE, None),
        ("Faulted", Occupancy.FAULTED, None),
    ],
)
def test_the_nine_statuses_of_1_6_are_split_in_two_1_6_7_7(status, occupancy, activity):
    payload = {"connectorId": 2, "errorCode": "NoError", "status": status, "timestamp": STAMP}
    assert one(V16, "StatusNotification", payload) == StatusReported(2, AT, NOW, occupancy, activity)


def test_a_fault_keeps_the_stations_own_word():
    payload = {"connectorId": 0, "errorCode": "GroundFailure", "status": "Faulted", "vendorErrorCode": "E7"}
    assert one(V16, "StatusNotification", payload).fault == "GroundFailure E7"


@pytest.mark.ocpp("2.0.1", "StatusNotification")
@pytest.mark.parametrize(
    ("status", "occupancy", "activity"),
    [
        ("Available", Occupancy.FREE, Activity.NONE),
        ("Occupied", Occupancy.OCCUPIED, None),
        ("Reserved", Occupancy.RESERVED, Activity.NONE),
        ("Unavailable", Occupancy.UNAVAILABLE, None),
        ("Faulted", Occupancy.FAULTED, None),
    ],
)
def test_connector_statuses_of_2_0_1_g01(status, occupancy, activity):
    payload = {"timestamp": STAMP, "connectorStatus": status, "evseId": 2, "connectorId": 1}
    fact = one(V201, "StatusNotification", payload)
    assert (fact.evse_number, fact.occupancy, fact.activity) == (2, occupancy, activity)


def test_absurd_connectors_are_clamped_into_the_quarantine():
    payload = {"connectorId": 1634030126, "errorCode": "NoError", "status": "Available"}
    assert isinstance(one(V16, "StatusNotification", payload), Suspicious)
    start = {"connectorId": -5, "idTag": "A", "meterStart": 1, "timestamp": STAMP}
    doubt, started = facts(V16, "StartTransaction", start)
    assert isinstance(doubt, Suspicious)
    assert started.evse_number == 0


def test_a_start_of_1_6_asks_for_a_reference_and_keeps_its_key_on_repetition_1_6_4_8():
    payload = {"connectorId": 1, "idTag": "A", "meterStart": 1200, "timestamp": STAMP}
    first, again = one(V16, "StartTransaction", payload), one(V16, "StartTransaction", dict(payload))
    assert first == again
    assert first.station_ref is None
    assert (first.evse_number, first.at, first.token, first.meter_start_wh) == (1, AT, "A", 1200)
    assert len(first.business_key) < 64
    keys = {
        one(V16, "StartTransaction", payload | change).business_key
        for change in ({}, {"connectorId": 2}, {"idTag": "B"}, {"meterStart": 1}, {"timestamp": "2026-04-01T07:00:01Z"})
    }
    assert len(keys) == 5


@pytest.mark.parametrize("transaction_id", [0, -1, 7, 2**40])
def test_a_stop_of_1_6_keeps_whatever_id_it_names_1_6_4_10(transaction_id):
    payload = {"transactionId": transaction_id, "meterStop": 5000, "timestamp": STAMP, "idTag": "A"}
    ended = one(V16, "StopTransaction", payload)
    assert isinstance(ended, SessionEnded)
    assert (ended.station_ref, ended.meter_stop_wh, ended.reason, ended.token) == (
        str(transaction_id),
        5000,
        "Local",
        "A",
    )
    assert ended.evse_number is None
    later = payload | {"timestamp": "2026-04-01T07:00:01Z"}
    assert one(V16, "StopTransaction", later).business_key != ended.business_key


@pytest.mark.parametrize(
    "payload",
    [{}, {"transactionId": None}, {"transactionId": []}, {"transactionId": 4}, {"transactionId": 4, "meterStop": "x"}],
)
def test_a_stop_is_never_refused(payload):
    assert any(isinstance(fact, Suspicious) for fact in facts(V16, "StopTransaction", payload))


def test_transaction_data_come_before_the_end_they_belong_to():
    payload = {
        "transactionId": 7,
        "meterStop": 5000,
        "timestamp": STAMP,
        "transactionData": [value({"value": "4900"})],
    }
    metered, ended = facts(V16, "StopTransaction", payload)
    assert (metered.station_ref, metered.register_wh) == ("7", 4900)
    assert isinstance(ended, SessionEnded)


@pytest.mark.ocpp("1.6", "MeterValues")
def test_meter_values_of_an_id_that_was_never_issued_belong_to_the_evse():
    for transaction_id, ref in ((7, "7"), (0, None), (-1, None)):
        payload = {"connectorId": 1, "transactionId": transaction_id, "meterValue": [value({"value": "1"})]}
        assert one(V16, "MeterValues", payload).station_ref == ref


def event(kind, seq_no=0, **more):
    info = {"transactionId": "tx-1", **more.pop("info", {})}
    return {
        "eventType": kind,
        "timestamp": STAMP,
        "triggerReason": "Authorized",
        "seqNo": seq_no,
        "transactionInfo": info,
        "evse": {"id": 2, "connectorId": 1},
        **more,
    }


@pytest.mark.ocpp("2.0.1", "TransactionEvent")
def test_a_started_event_takes_its_register_from_transaction_begin_2_0_1_e01():
    samples = [{"value": 5.0}, {"value": 1000.0, "context": "Transaction.Begin"}]
    payload = event("Started", info={"chargingState": "EVConnected"}, meterValue=[value(*samples)])
    payload["idToken"] = {"idToken": "A", "type": "ISO14443"}
    started, metered = facts(V201, "TransactionEvent", payload)
    assert isinstance(started, SessionStarted)
    assert (started.evse_number, started.station_ref, started.token) == (2, "tx-1", "A")
    assert (started.meter_start_wh, started.activity) == (1000.0, Activity.CONNECTED)
    assert isinstance(metered, Metered)


@pytest.mark.ocpp("2.0.1", "TransactionEvent")
@pytest.mark.parametrize(
    ("state", "activity"),
    [
        ("Charging", Activity.CHARGING),
        ("EVConnected", Activity.CONNECTED),
        ("SuspendedEV", Activity.PAUSED_BY_EV),
        ("SuspendedEVSE", Activity.PAUSED_BY_STATION),
        ("Idle", Activity.NONE),
    ],
)
def test_an_updated_event_carries_the_charging_state_2_0_1_e02(state, activity):
    updated = one(V201, "TransactionEvent", event("Updated", info={"chargingState": state}))
    assert isinstance(updated, SessionUpdated)
    assert updated.activity is activity


def test_an_updated_event_with_values_and_no_news_is_only_metered_2_0_1_j02():
    assert isinstance(one(V201, "TransactionEvent", event("Updated", meterValue=[value({"value": 1})])), Metered)


@pytest.mark.ocpp("2.0.1", "TransactionEvent")
def test_an_ended_event_takes_its_register_from_transaction_end_2_0_1_e06():
    values = [value({"value": 1.0}), value({"value": 9000.0, "context": "Transaction.End"})]
    payload = event("Ended", info={"stoppedReason": "EVDisconnected"}, meterValue=values)
    *_, ended = facts(V201, "TransactionEvent", payload)
    assert isinstance(ended, SessionEnded)
    assert (ended.meter_stop_wh, ended.reason, ended.evse_number) == (9000.0, "EVDisconnected", 2)


@pytest.mark.ocpp("2.0.1", "TransactionEvent")
def test_events_are_told_apart_by_content_even_where_seq_no_is_always_0():
    same = event("Updated", info={"chargingState": "Charging"})
    key = one(V201, "TransactionEvent", same).business_key
    assert one(V201, "TransactionEvent", same | {"offline": True}).business_key == key
    assert one(V201, "TransactionEvent", same | {"timestamp": "2026-04-01T07:00:01Z"}).business_key != key


def test_an_offline_event_says_so():
    assert one(V201, "TransactionEvent", event("Updated", offline=True, info={"chargingState": "Charging"})).offline
    old = {"connectorId": 1, "idTag": "A", "meterStart": 1, "timestamp": "2026-04-01T06:00:00Z"}
    assert one(V16, "StartTransaction", old).offline


@pytest.mark.parametrize(
    "timestamp",
    [
        "1970-01-01T00:00:00Z",
        "222222017-01-01T00:00:00Z",
        "2026-04-01T16:00:00Z",
        "yesterday",
        "2026-04-01T03:00:00",
        5,
    ],
)
def test_impossible_timestamps_become_the_time_of_arrival_and_are_quarantined(timestamp):
    payload = {"connectorId": 1, "idTag": "A", "meterStart": 1, "timestamp": timestamp}
    *doubts, started = facts(V16, "StartTransaction", payload)
    assert started.at == NOW
    assert [type(each) for each in doubts] == [Suspicious]


@pytest.mark.parametrize("timestamp", ["2026-04-01T07:00:00", "2026-04-01T16:00:00+09:00", "2026-04-01T07:00:00.000Z"])
def test_a_recent_timestamp_is_believed_with_or_without_a_zone(timestamp):
    payload = {"connectorId": 1, "idTag": "A", "meterStart": 1, "timestamp": timestamp}
    assert one(V16, "StartTransaction", payload).at == AT


def test_a_status_is_live_so_an_old_one_counts_as_of_its_arrival():
    stamp = (NOW - timedelta(hours=2)).isoformat()
    payload = {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": stamp}
    doubt, status = facts(V16, "StatusNotification", payload)
    assert isinstance(doubt, Suspicious)
    assert status.at == NOW
