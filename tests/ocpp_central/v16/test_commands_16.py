import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import get_args

import pytest

from app.domain.commands import (
    Accepted,
    ApplyProfile,
    ClearProfile,
    Command,
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
from app.domain.facts import CertificateUse, TokenStatus
from app.domain.upkeep import (
    CancelReservation,
    CertificateHash,
    ClearCache,
    DeleteCertificate,
    DeliverCertificate,
    FetchLog,
    InstallCertificate,
    LocalListEntry,
    LogKind,
    ReadCertificates,
    ReadLocalListVersion,
    ReadReport,
    Reserve,
    RootUse,
    SendLocalList,
    SendVendorMessage,
    SetAvailability,
    SetNetwork,
    Unlock,
    UpdateFirmware,
)
from app.ocpp_central.dialect import Unspeakable
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v16.spellings import ABSENT, SPELLINGS

V16 = Ocpp16()
AT = datetime(2026, 4, 1, 7, tzinfo=UTC)
WHEN = "2026-04-01T07:00:00.000Z"
PROFILE = Profile(11, ProfilePurpose.SESSION, 0, RateUnit.A, (ProfilePeriod(0, 16.0),), AT, "77", 1)
HASH = CertificateHash("SHA256", "aa", "bb", "cc")
WIRE_HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "cc"}
TOLD_HASH = {"algorithm": "SHA256", "issuer_name_hash": "aa", "issuer_key_hash": "bb", "serial_number": "cc"}
ENTRIES = (LocalListEntry("A"), LocalListEntry("B", TokenStatus.BLOCKED, AT))
SIGNED = UpdateFirmware(3, "https://x/f", AT, AT, "PEM", "c2ln", 2, 60)
URL = "https://x"

WORDS = [
    (Unlock(2), "UnlockConnector", {"connectorId": 2}),
    (SetAvailability(2, is_operative=False), "ChangeAvailability", {"connectorId": 2, "type": "Inoperative"}),
    (SetAvailability(0, is_operative=True), "ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
    (ClearCache(), "ClearCache", {}),
    (ReadLocalListVersion(), "GetLocalListVersion", {}),
    (
        SendLocalList(4, is_full=True, entries=ENTRIES),
        "SendLocalList",
        {
            "listVersion": 4,
            "updateType": "Full",
            "localAuthorizationList": [
                {"idTag": "A", "idTagInfo": {"status": "Accepted"}},
                {"idTag": "B", "idTagInfo": {"status": "Blocked", "expiryDate": WHEN}},
            ],
        },
    ),
    (
        SendLocalList(5, is_full=False, entries=(LocalListEntry("A", None),)),
        "SendLocalList",
        {"listVersion": 5, "updateType": "Differential", "localAuthorizationList": [{"idTag": "A"}]},
    ),
    (
        Reserve(9, 1, "A", AT),
        "ReserveNow",
        {"connectorId": 1, "expiryDate": WHEN, "idTag": "A", "reservationId": 9},
    ),
    (CancelReservation(9), "CancelReservation", {"reservationId": 9}),
    (
        FetchLog(3, LogKind.SECURITY, URL),
        "GetLog",
        {"log": {"remoteLocation": URL}, "logType": "SecurityLog", "requestId": 3},
    ),
    (
        FetchLog(3, LogKind.DIAGNOSTICS, URL, AT, AT, 2, 60),
        "GetLog",
        {
            "log": {"remoteLocation": URL, "oldestTimestamp": WHEN, "latestTimestamp": WHEN},
            "logType": "DiagnosticsLog",
            "requestId": 3,
            "retries": 2,
            "retryInterval": 60,
        },
    ),
    (
        FetchLog(3, LogKind.DIAGNOSTICS, URL, AT, AT, 2, 60, is_plain=True),
        "GetDiagnostics",
        {"location": URL, "retries": 2, "retryInterval": 60, "startTime": WHEN, "stopTime": WHEN},
    ),
    (
        UpdateFirmware(3, "https://x/f", AT, retry_count=2, retry_interval_s=60),
        "UpdateFirmware",
        {"location": "https://x/f", "retrieveDate": WHEN, "retries": 2, "retryInterval": 60},
    ),
    (
        SIGNED,
        "SignedUpdateFirmware",
        {
            "requestId": 3,
            "retries": 2,
            "retryInterval": 60,
            "firmware": {
                "location": "https://x/f",
                "retrieveDateTime": WHEN,
                "installDateTime": WHEN,
                "signingCertificate": "PEM",
                "signature": "c2ln",
            },
        },
    ),
    (
        InstallCertificate(RootUse.CENTRAL_SYSTEM, "PEM"),
        "InstallCertificate",
        {"certificateType": "CentralSystemRootCertificate", "certificate": "PEM"},
    ),
    (DeleteCertificate(HASH), "DeleteCertificate", {"certificateHashData": WIRE_HASH}),
    (
        ReadCertificates(RootUse.MANUFACTURER),
        "GetInstalledCertificateIds",
        {"certificateType": "ManufacturerRootCertificate"},
    ),
    (DeliverCertificate("PEM"), "CertificateSigned", {"certificateChain": "PEM"}),
    (
        SendVendorMessage("acme", "hello", "world"),
        "DataTransfer",
        {"vendorId": "acme", "messageId": "hello", "data": "world"},
    ),
    (SendVendorMessage("acme"), "DataTransfer", {"vendorId": "acme"}),
    (Trigger("boot"), "TriggerMessage", {"requestedMessage": "BootNotification"}),
    (Trigger("heartbeat"), "TriggerMessage", {"requestedMessage": "Heartbeat"}),
    (Trigger("status", 2), "TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 2}),
    (Trigger("meter_values", 1), "TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}),
    (Trigger("firmware_status"), "TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"}),
    (Trigger("diagnostics_status"), "TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"}),
    (Trigger("log_status"), "ExtendedTriggerMessage", {"requestedMessage": "LogStatusNotification"}),
    (Trigger("sign_certificate"), "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}),
    (StartSession(1, "A", 5), "RemoteStartTransaction", {"connectorId": 1, "idTag": "A"}),
    (StopSession("77"), "RemoteStopTransaction", {"transactionId": 77}),
    (Reboot(hard=True), "Reset", {"type": "Hard"}),
    (Reboot(), "Reset", {"type": "Soft"}),
    (ReadSettings(), "GetConfiguration", {}),
    (ReadSettings(("A",)), "GetConfiguration", {"key": ["A"]}),
    (WriteSetting("A", "1"), "ChangeConfiguration", {"key": "A", "value": "1"}),
    (ClearProfile(1, 11), "ClearChargingProfile", {"id": 11, "connectorId": 1}),
    (
        ReadComposite(1, 60, RateUnit.W),
        "GetCompositeSchedule",
        {"connectorId": 1, "duration": 60, "chargingRateUnit": "W"},
    ),
]
CENTRAL_ACTIONS = sorted({action for spelling in SPELLINGS.values() for action in spelling.actions})


def test_every_command_is_either_spelled_or_said_to_be_absent():
    assert set(SPELLINGS).isdisjoint(ABSENT)
    assert set(SPELLINGS) | set(ABSENT) == set(get_args(Command))


@pytest.mark.ocpp("1.6", "CancelReservation", "CertificateSigned", "ChangeAvailability", "ChangeConfiguration")
@pytest.mark.ocpp("1.6", "ClearCache", "ClearChargingProfile", "DataTransfer", "DeleteCertificate")
@pytest.mark.ocpp("1.6", "ExtendedTriggerMessage", "GetCompositeSchedule", "GetConfiguration", "GetDiagnostics")
@pytest.mark.ocpp("1.6", "GetInstalledCertificateIds", "GetLocalListVersion", "GetLog", "InstallCertificate")
@pytest.mark.ocpp("1.6", "RemoteStartTransaction", "RemoteStopTransaction", "ReserveNow", "Reset", "SendLocalList")
@pytest.mark.ocpp("1.6", "SignedUpdateFirmware", "TriggerMessage", "UnlockConnector", "UpdateFirmware")
@pytest.mark.parametrize(("command", "action", "payload"), WORDS, ids=lambda each: str(each)[:60])
def test_a_command_in_1_6s_words(command, action, payload):
    assert V16.encode(command) == (action, payload)
    assert V16.schemas.request_faults(action, payload) == []
    assert action in SPELLINGS[type(command)].actions


def test_every_action_of_the_table_is_shown_in_words():
    shown = {action for _, action, _ in WORDS} | {V16.encode(ApplyProfile(1, PROFILE))[0]}
    assert shown == set(CENTRAL_ACTIONS)


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (ReadReport(1), "device model"),
        (SetNetwork(1, "wss://x", 1), "network profiles"),
        (FetchLog(1, LogKind.SECURITY, URL, is_plain=True), "security log"),
        (UpdateFirmware(1, URL, AT, install_at=AT), "when to install"),
        (InstallCertificate(RootUse.V2G, "PEM"), "v2g"),
        (ReadCertificates(RootUse.MOBILITY_OPERATOR), "mobility_operator"),
        (ReadCertificates(), "one use at a time"),
        (DeliverCertificate("PEM", CertificateUse.V2G), "v2g"),
    ],
    ids=lambda each: str(each)[:60],
)
def test_what_1_6_has_no_words_for_says_what_is_missing(command, missing):
    with pytest.raises(Unspeakable, match=missing):
        V16.encode(command)


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (StartSession(1, "A" * 21, 5), "token"),
        (Reserve(9, 1, "A" * 21, AT), "token"),
        (SendLocalList(1, is_full=True, entries=(LocalListEntry("A" * 21),)), "token"),
        (SendLocalList(1, is_full=True, entries=(LocalListEntry("A", None),)), "entries"),
        (UpdateFirmware(1, URL, AT, signature="c2ln"), "signature"),
        (DeleteCertificate(CertificateHash("MD5", "a", "b", "c")), "algorithm"),
        (Trigger("coffee"), "message"),
        (StopSession("x"), "station_ref"),
    ],
    ids=lambda each: str(each)[:60],
)
def test_what_cannot_be_meant_names_its_field(command, field):
    with pytest.raises(Invalid) as invalid:
        V16.encode(command)
    assert invalid.value.field == field


NOT_UNDERSTOOD = {"NotSupported", "NotImplemented", "UnknownVendorId", "UnknownMessageId"}
GOOD = {
    SetAvailability(1, is_operative=True): {
        "Accepted": Accepted({"scheduled": False}),
        "Scheduled": Accepted({"scheduled": True}),
    },
    WriteSetting("A", "1"): {
        "Accepted": Accepted({"reboot_required": False}),
        "RebootRequired": Accepted({"reboot_required": True}),
    },
    Unlock(1): {"Unlocked": Accepted()},
    FetchLog(1, LogKind.SECURITY, URL): {
        "Accepted": Accepted({"file": None}),
        "AcceptedCanceled": Accepted({"file": None, "has_replaced": True}),
    },
    SIGNED: {"Accepted": Accepted(), "AcceptedCanceled": Accepted({"has_replaced": True})},
    ReadCertificates(RootUse.MANUFACTURER): {
        "Accepted": Accepted({"certificates": []}),
        "NotFound": Accepted({"certificates": []}),
    },
    SendVendorMessage("acme"): {"Accepted": Accepted({"data": None})},
}
PLAIN = [
    ApplyProfile(1, PROFILE),
    ClearProfile(),
    StartSession(1, "A", 1),
    StopSession("7"),
    Reboot(),
    Trigger("boot"),
    Trigger("log_status"),
    ClearCache(),
    SendLocalList(1, is_full=True, entries=()),
    Reserve(1, 1, "A", AT),
    CancelReservation(1),
    InstallCertificate(RootUse.MANUFACTURER, "PEM"),
    DeleteCertificate(HASH),
    DeliverCertificate("PEM"),
]


def words_of(action):
    """Return every status word that the standard's schema of an answer has."""
    text = (files("ocpp.v16") / "schemas" / f"{action}Response.json").read_text(encoding="utf-8-sig")
    schema = json.loads(text)
    status = schema["properties"]["status"]
    if "$ref" in status:
        status = schema["definitions"][status["$ref"].rsplit("/", 1)[-1]]
    return status["enum"]


@pytest.mark.parametrize("command", [*GOOD, *PLAIN], ids=lambda each: str(each)[:60])
def test_every_status_word_of_an_answer_has_its_meaning(command):
    good = GOOD.get(command, {"Accepted": Accepted()})
    words = words_of(V16.encode(command)[0])
    assert set(good) <= set(words)
    for word in words:
        refusal = Unsupported(word) if word in NOT_UNDERSTOOD else Rejected(word)
        assert V16.decode_outcome(command, {"status": word}) == good.get(word, refusal)
    with pytest.raises(ValueError, match="status"):
        V16.decode_outcome(command, {})


@pytest.mark.parametrize(
    ("command", "answer", "outcome"),
    [
        (ReadLocalListVersion(), {"listVersion": 4}, Accepted({"version": 4})),
        (FetchLog(1, LogKind.DIAGNOSTICS, URL, is_plain=True), {"fileName": "f"}, Accepted({"file": "f"})),
        (FetchLog(1, LogKind.DIAGNOSTICS, URL, is_plain=True), {}, Rejected("no diagnostics")),
        (UpdateFirmware(1, URL, AT), {}, Accepted()),
        (SendVendorMessage("v"), {"status": "Accepted", "data": "d" * 9000}, Accepted({"data": "d" * 2500})),
        (SendVendorMessage("v"), {"status": "Accepted", "data": {"a": 1}}, Accepted({"data": '{"a":1}'})),
        (
            ReadCertificates(RootUse.CENTRAL_SYSTEM),
            {"status": "Accepted", "certificateHashData": [WIRE_HASH, "odd"]},
            Accepted({"certificates": [{"use": "central_system", **TOLD_HASH}]}),
        ),
        (
            ReadSettings(),
            {"configurationKey": [{"key": "A", "readonly": False, "value": "1"}, {"key": "B"}], "unknownKey": ["C", 5]},
            Accepted(
                {"values": {"A": "1", "B": None}, "unknown": ["C"], "writable": {"A": True, "B": False}},
            ),
        ),
    ],
    ids=lambda each: str(each)[:60],
)
def test_what_an_answer_tells(command, answer, outcome):
    assert V16.decode_outcome(command, answer) == outcome


def test_a_list_version_that_is_no_number_is_no_answer():
    with pytest.raises(ValueError, match="version"):
        V16.decode_outcome(ReadLocalListVersion(), {"listVersion": "x"})


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (Trigger("boot"), "BootNotification"),
        (Trigger("sign_certificate"), "SignCertificate"),
        (Trigger("log_status"), "LogStatusNotification"),
        (FetchLog(1, LogKind.SECURITY, URL), "LogStatusNotification"),
        (FetchLog(1, LogKind.DIAGNOSTICS, URL, is_plain=True), "DiagnosticsStatusNotification"),
        (UpdateFirmware(1, URL, AT), "FirmwareStatusNotification"),
        (SIGNED, "SignedFirmwareStatusNotification"),
        (ClearCache(), None),
    ],
    ids=lambda each: str(each)[:60],
)
def test_what_a_command_makes_the_station_send(command, action):
    assert V16.solicited_by(command) == action
