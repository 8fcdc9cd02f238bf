from datetime import UTC, datetime

import pytest

from app.domain.commands import (
    Accepted,
    ApplyProfile,
    ClearProfile,
    Profile,
    ProfilePeriod,
    ProfilePurpose,
    RateUnit,
    ReadComposite,
    ReadSettings,
    Reboot,
    Rejected,
    StartSession,
    StopSession,
    Trigger,
    Unsupported,
    WriteSetting,
)
from app.domain.errors import Invalid
from app.domain.facts import BootStatus, Recorded, TokenStatus
from app.ocpp_central.dialect import Desk
from app.ocpp_central.encoding import tenths
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v16.handlers import HANDLERS as HANDLERS_16
from app.ocpp_central.v201 import Ocpp201
from app.ocpp_central.v201.handlers import HANDLERS as HANDLERS_201

V16, V201 = Ocpp16(), Ocpp201()
AT = datetime(2026, 4, 1, 7, tzinfo=UTC)
DESK = Desk(AT, 300)


def profile(purpose=ProfilePurpose.SESSION, unit=RateUnit.A, start_at=AT, station_ref="77", limit=16.0):
    periods = (ProfilePeriod(0, limit), ProfilePeriod(600, 6.0))
    return Profile(11, purpose, 0, unit, periods, start_at, station_ref, 1)


DEFAULT = profile(ProfilePurpose.DEFAULT, start_at=None, station_ref=None)
COMMANDS = [
    ApplyProfile(1, profile()),
    ApplyProfile(1, DEFAULT),
    ApplyProfile(0, profile(ProfilePurpose.STATION_MAX, RateUnit.W, None, None)),
    ClearProfile(profile_id=11),
    ClearProfile(1, purpose=ProfilePurpose.DEFAULT),
    ReadComposite(1, 1200),
    ReadComposite(1, 1200, RateUnit.W),
    StartSession(1, "CARD-1", 5),
    StopSession("77"),
    Reboot(),
    Reboot(hard=True),
    *(Trigger(message) for message in ("boot", "heartbeat", "status", "meter_values")),
    Trigger("status", 1),
    ReadSettings(("A.B",)),
    WriteSetting("A.B", "5"),
]


@pytest.mark.parametrize("dialect", [V16, V201], ids=["1.6", "2.0.1"])
@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_every_command_is_valid_in_both_dialects(dialect, command):
    action, payload = dialect.encode(command)
    assert dialect.schemas.request_faults(action, payload) == []


def test_a_lease_is_spelled_absolute_with_two_periods_r6():
    assert V16.encode(ApplyProfile(1, profile())) == (
        "SetChargingProfile",
        {
            "connectorId": 1,
            "csChargingProfiles": {
                "chargingProfileId": 11,
                "transactionId": 77,
                "stackLevel": 0,
                "chargingProfilePurpose": "TxProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {
                    "startSchedule": "2026-04-01T07:00:00.000Z",
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [
                        {"startPeriod": 0, "limit": 16.0, "numberPhases": 1},
                        {"startPeriod": 600, "limit": 6.0, "numberPhases": 1},
                    ],
                },
            },
        },
    )
    action, payload = V201.encode(ApplyProfile(1, profile(station_ref="tx-1")))
    wire = payload["chargingProfile"]
    assert (action, payload["evseId"], wire["id"], wire["transactionId"]) == ("SetChargingProfile", 1, 11, "tx-1")
    assert (wire["chargingProfilePurpose"], wire["chargingProfileKind"]) == ("TxProfile", "Absolute")
    assert [each["limit"] for each in wire["chargingSchedule"][0]["chargingSchedulePeriod"]] == [16.0, 6.0]


def test_a_standing_default_has_no_transaction_and_began_long_ago():
    for dialect, key in ((V16, "csChargingProfiles"), (V201, "chargingProfile")):
        wire = dialect.encode(ApplyProfile(1, DEFAULT))[1][key]
        assert wire["chargingProfilePurpose"] == "TxDefaultProfile"
        assert "transactionId" not in wire


@pytest.mark.parametrize(
    ("exact", "spelled"), [(6.0, 6.0), (5.9999999999, 6.0), (6.19, 6.1), (21.4, 21.4), (0.1 + 0.2, 0.3), (0, 0.0)]
)
def test_limits_have_one_decimal_and_are_never_rounded_up_1_6_7_14(exact, spelled):
    assert tenths(exact) == spelled
    payload = V16.encode(ApplyProfile(1, profile(limit=exact)))[1]
    assert V16.schemas.request_faults("SetChargingProfile", payload) == []


def test_what_a_dialect_cannot_say_is_invalid_and_names_the_field():
    for dialect, command, field in (
        (V16, StopSession("not-a-number"), "station_ref"),
        (V16, Trigger("coffee"), "message"),
        (V201, Trigger("coffee"), "message"),
        (V201, ReadSettings(), "names"),
        (V201, WriteSetting("NoDot", "1"), "name"),
    ):
        with pytest.raises(Invalid) as invalid:
            dialect.encode(command)
        assert invalid.value.field == field


def test_a_status_is_triggered_at_a_connector_2_0_1_f06_fr_12():
    assert V201.encode(Trigger("status", 2))[1]["evse"] == {"id": 2, "connectorId": 1}
    assert V201.encode(Trigger("meter_values", 2))[1]["evse"] == {"id": 2}
    assert V16.encode(Trigger("status", 2))[1] == {"requestedMessage": "StatusNotification", "connectorId": 2}


@pytest.mark.parametrize("dialect", [V16, V201], ids=["1.6", "2.0.1"])
def test_plain_outcomes(dialect):
    apply = ApplyProfile(1, DEFAULT)
    assert dialect.decode_outcome(apply, {"status": "Accepted"}) == Accepted()
    assert dialect.decode_outcome(apply, {"status": "Rejected"}) == Rejected("Rejected")
    assert dialect.decode_outcome(ClearProfile(), {"status": "Unknown"}) == Rejected("Unknown")
    assert dialect.decode_outcome(Trigger("boot"), {"status": "NotImplemented"}) == Unsupported("NotImplemented")
    with pytest.raises(ValueError, match="status"):
        dialect.decode_outcome(apply, {})


PERIODS = [{"startPeriod": 600, "limit": 6.0}, {"startPeriod": 0, "limit": 16.05}]


def test_a_composite_schedule_is_read():
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": PERIODS}
    expected = {"start_at": "2026", "unit": "A", "periods": [[0, 16.05], [600, 6.0]]}
    old = {"status": "Accepted", "scheduleStart": "2026", "chargingSchedule": schedule}
    new = {"status": "Accepted", "schedule": schedule | {"scheduleStart": "2026", "evseId": 1, "duration": 5}}
    assert V16.decode_outcome(ReadComposite(1, 9), old) == Accepted(expected)
    assert V201.decode_outcome(ReadComposite(1, 9), new) == Accepted(expected)
    for dialect in (V16, V201):
        with pytest.raises(ValueError, match="composite"):
            dialect.decode_outcome(ReadComposite(1, 9), {"status": "Accepted"})


def test_settings_are_read_and_written():
    found = V16.decode_outcome(
        ReadSettings(),
        {
            "configurationKey": [{"key": "A", "readonly": True, "value": "1"}, {"key": "B", "readonly": False}],
            "unknownKey": ["C"],
        },
    )
    assert found == Accepted({"values": {"A": "1", "B": None}, "unknown": ["C"], "writable": {"A": False, "B": True}})

    def result(name, status, **more):
        component, variable = name.split(".")
        return {"attributeStatus": status, "component": {"name": component}, "variable": {"name": variable}, **more}

    results = [
        result("X.A", "Accepted", attributeValue="1"),
        result("X.B", "Rejected"),
        result("X.C", "UnknownVariable"),
    ]
    found = V201.decode_outcome(ReadSettings(("X.A",)), {"getVariableResult": results})
    assert found == Accepted({"values": {"X.A": "1", "X.B": None}, "unknown": ["X.C"]})
    write = WriteSetting("X.A", "1")
    assert V16.decode_outcome(write, {"status": "RebootRequired"}) == Accepted({"reboot_required": True})
    assert V16.decode_outcome(write, {"status": "NotSupported"}) == Unsupported("NotSupported")
    for status, outcome in (
        ("Accepted", Accepted({"reboot_required": False})),
        ("RebootRequired", Accepted({"reboot_required": True})),
        ("Rejected", Rejected("Rejected")),
        ("UnknownComponent", Unsupported("UnknownComponent")),
    ):
        assert V201.decode_outcome(write, {"setVariableResult": [result("X.A", status)]}) == outcome


@pytest.mark.parametrize(
    "recorded",
    [
        Recorded(),
        Recorded(BootStatus.PENDING, TokenStatus.BLOCKED, "77"),
        Recorded(BootStatus.ACCEPTED, TokenStatus.ACCEPTED, "tx-1"),
    ],
    ids=["nothing", "pending", "accepted"],
)
def test_every_answer_is_valid_whatever_was_recorded(recorded):
    for dialect, handlers in ((V16, HANDLERS_16), (V201, HANDLERS_201)):
        for action in handlers:
            assert dialect.schemas.response_faults(action, dialect.reply(action, recorded, DESK)) == [], action


def test_answers_say_what_was_recorded():
    accepted = Recorded(BootStatus.ACCEPTED, TokenStatus.ACCEPTED, "77")
    boot = {"status": "Accepted", "currentTime": "2026-04-01T07:00:00.000Z", "interval": 300}
    assert V16.reply("BootNotification", accepted, DESK) == V201.reply("BootNotification", accepted, DESK) == boot
    assert V16.reply("StartTransaction", accepted, DESK) == {"transactionId": 77, "idTagInfo": {"status": "Accepted"}}
    assert V16.reply("StopTransaction", Recorded(), DESK) == {}
    assert V201.reply("TransactionEvent", Recorded(token_status=TokenStatus.EXPIRED), DESK) == {
        "idTokenInfo": {"status": "Expired"}
    }
    assert V16.reply("Authorize", Recorded(), DESK) == {"idTagInfo": {"status": "Invalid"}}
    for dialect in (V16, V201):
        assert dialect.reply("DataTransfer", Recorded(), DESK) == {"status": "UnknownVendorId"}
