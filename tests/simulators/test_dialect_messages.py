import pytest
from fake_central import complaints

from simulators.evse import Activity, Reading
from simulators.fleet import DIALECTS
from simulators.messages import Call, Dialect, Transaction

READING = Reading(1_557_784_800, 123_456, 5999.9, 29.99, 200.0)
REASONS = ("EVDisconnected", "Remote", "DeAuthorized", "HardReset", "SoftReset", "Local")


def transaction() -> Transaction:
    return Transaction(1, "04A1B2C3D4E5F6", READING.at_s, READING.register_wh, ref="77")


def every_message(dialect: Dialect) -> list[Call]:
    tx, remote = transaction(), transaction()
    remote.remote_start_id, remote.is_remote = 5, True
    offline = {"is_offline": True}
    return [
        dialect.boot("CP-001", "PowerUp", "1.0"),
        dialect.boot("CP-001" * 20, "RemoteReset", "1.0"),
        dialect.heartbeat(),
        dialect.authorize(tx.token),
        *(dialect.status(1, activity, READING.at_s) for activity in Activity),
        dialect.started(tx, READING, is_offline=False),
        dialect.started(remote, READING, **offline),
        *(dialect.moved(tx, activity, READING.at_s, **offline) for activity in Activity),
        dialect.metered(tx, READING, is_offline=False, is_asked=False),
        dialect.metered(tx, READING, is_offline=True, is_asked=True),
        dialect.metered_idle(1, READING),
        *(dialect.firmware_status(status, request_id) for status, request_id in (("Idle", None), ("Installing", 5))),
        *(dialect.log_status(status, 5) for status in ("Idle", "Uploading", "Uploaded", "AcceptedCanceled")),
        *(dialect.ended(tx, READING, reason, is_offline=False) for reason in REASONS),
    ]


@pytest.mark.parametrize("name", DIALECTS)
def test_every_message_is_valid_by_the_standards_schema(name: str) -> None:
    dialect = DIALECTS[name][0]()
    for call in every_message(dialect):
        assert complaints(name, call.action, call.spell()) == []


def test_a_schema_complains_about_a_wrong_message() -> None:
    assert complaints("ocpp1.6", "StartTransaction", {"connectorId": "one"})
    assert complaints("ocpp2.0.1", "TransactionEvent", {"eventType": "Begun"})


def test_sequence_numbers_rise_by_one_2_0_1_e01_fr_07() -> None:
    dialect, tx = DIALECTS["ocpp2.0.1"][0](), transaction()
    calls = [
        dialect.started(tx, READING, is_offline=False),
        dialect.moved(tx, Activity.CHARGING, READING.at_s, is_offline=False),
        dialect.metered(tx, READING, is_offline=True, is_asked=False),
        dialect.ended(tx, READING, "EVDisconnected", is_offline=False),
    ]
    payloads = [call.spell() for call in calls]
    assert [payload["seqNo"] for payload in payloads] == [0, 1, 2, 3]
    assert [payload["offline"] for payload in payloads] == [False, False, True, False]
    assert [call.spell()["seqNo"] for call in calls] == [0, 1, 2, 3], "a repetition carries the same number"


def test_a_1_6_stop_is_spelled_with_the_reference_learnt_after_it_was_queued() -> None:
    dialect, tx = DIALECTS["ocpp1.6"][0](), transaction()
    tx.ref = None
    start = dialect.started(tx, READING, is_offline=True)
    meter = dialect.metered(tx, READING, is_offline=True, is_asked=False)
    stop = dialect.ended(tx, READING, "EVDisconnected", is_offline=True)
    assert "transactionId" not in meter.spell()
    assert stop.spell()["transactionId"] == -1
    assert start.on_answer is not None
    start.on_answer({"transactionId": 4711, "idTagInfo": {"status": "Accepted"}})
    assert meter.spell()["transactionId"] == 4711
    assert stop.spell()["transactionId"] == 4711
