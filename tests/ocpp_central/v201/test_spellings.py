from datetime import UTC, datetime
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
from app.domain.device import Variable
from app.domain.errors import Invalid
from app.domain.facts import CertificateUse, TokenStatus
from app.domain.monitors import (
    ClearMonitors,
    Monitor,
    MonitoringBase,
    MonitorKind,
    ReadMonitors,
    SetMonitoringBase,
    SetMonitoringLevel,
    SetMonitors,
)
from app.domain.upkeep import (
    AskCustomerInformation,
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
    ReadProfiles,
    ReadReport,
    ReadSessionStatus,
    ReadVariables,
    ReportBase,
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
from app.ocpp_central.v201 import Ocpp201
from app.ocpp_central.v201.spellings import ABSENT, SPELLINGS

V201 = Ocpp201()
AT = datetime(2026, 4, 1, 7, tzinfo=UTC)
STAMP = "2026-04-01T07:00:00.000Z"
POWER = Variable("EVSE", "Power", None, evse_number=1, variable_instance="max")
WHOLE = Variable("EVSE", "", None)
MONITOR = Monitor(POWER, MonitorKind.UPPER_THRESHOLD, "80.5", 4)
CARD = {"idToken": "CARD-1", "type": "ISO14443"}
HASH = CertificateHash("SHA256", "aa", "bb", "01")
WIRE_HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "01"}
PROFILE = Profile(11, ProfilePurpose.SESSION, 0, RateUnit.A, (ProfilePeriod(0, 16.0),), AT, "tx-1", 1)


def test_every_command_is_either_spelled_or_known_to_be_absent():
    every = set(get_args(Command))
    assert set(SPELLINGS) | set(ABSENT) == every
    assert not set(SPELLINGS) & set(ABSENT)
    assert not ABSENT


@pytest.mark.ocpp("2.0.1", "UnlockConnector", "ChangeAvailability", "ClearCache", "GetLocalListVersion")
@pytest.mark.ocpp("2.0.1", "SendLocalList", "ReserveNow", "CancelReservation", "CustomerInformation", "GetLog")
@pytest.mark.ocpp("2.0.1", "UpdateFirmware", "InstallCertificate", "DeleteCertificate", "GetInstalledCertificateIds")
@pytest.mark.ocpp("2.0.1", "CertificateSigned", "DataTransfer", "GetBaseReport", "GetReport", "GetChargingProfiles")
@pytest.mark.ocpp("2.0.1", "GetTransactionStatus", "SetNetworkProfile", "SetMonitoringBase", "SetMonitoringLevel")
@pytest.mark.ocpp("2.0.1", "SetVariableMonitoring", "ClearVariableMonitoring", "GetMonitoringReport", "TriggerMessage")
@pytest.mark.parametrize(
    ("command", "action", "payload"),
    [
        (Unlock(2), "UnlockConnector", {"evseId": 2, "connectorId": 1}),
        (SetAvailability(0, False), "ChangeAvailability", {"operationalStatus": "Inoperative"}),
        (SetAvailability(2, True), "ChangeAvailability", {"operationalStatus": "Operative", "evse": {"id": 2}}),
        (ClearCache(), "ClearCache", {}),
        (ReadLocalListVersion(), "GetLocalListVersion", {}),
        (SendLocalList(4, True, ()), "SendLocalList", {"versionNumber": 4, "updateType": "Full"}),
        (
            SendLocalList(
                5,
                False,
                (LocalListEntry("CARD-1", TokenStatus.BLOCKED, AT), LocalListEntry("CARD-1", None)),
            ),
            "SendLocalList",
            {
                "versionNumber": 5,
                "updateType": "Differential",
                "localAuthorizationList": [
                    {"idToken": CARD, "idTokenInfo": {"status": "Blocked", "cacheExpiryDateTime": STAMP}},
                    {"idToken": CARD},
                ],
            },
        ),
        (Reserve(7, 0, "CARD-1", AT), "ReserveNow", {"id": 7, "expiryDateTime": STAMP, "idToken": CARD}),
        (Reserve(7, 2, "CARD-1", AT), "ReserveNow", {"id": 7, "expiryDateTime": STAMP, "idToken": CARD, "evseId": 2}),
        (CancelReservation(7), "CancelReservation", {"reservationId": 7}),
        (
            AskCustomerInformation(3, "CARD-1", is_report=True, is_erasure=False),
            "CustomerInformation",
            {"requestId": 3, "report": True, "clear": False, "idToken": CARD},
        ),
        (
            FetchLog(3, LogKind.SECURITY, "https://x/log", AT, None, 2, 30),
            "GetLog",
            {
                "log": {"remoteLocation": "https://x/log", "oldestTimestamp": STAMP},
                "logType": "SecurityLog",
                "requestId": 3,
                "retries": 2,
                "retryInterval": 30,
            },
        ),
        (
            UpdateFirmware(3, "https://x/fw", AT, AT, "PEM", "c2ln"),
            "UpdateFirmware",
            {
                "requestId": 3,
                "firmware": {
                    "location": "https://x/fw",
                    "retrieveDateTime": STAMP,
                    "installDateTime": STAMP,
                    "signingCertificate": "PEM",
                    "signature": "c2ln",
                },
            },
        ),
        (
            UpdateFirmware(3, "https://x/fw", AT),
            "UpdateFirmware",
            {"requestId": 3, "firmware": {"location": "https://x/fw", "retrieveDateTime": STAMP}},
        ),
        (
            InstallCertificate(RootUse.MOBILITY_OPERATOR, "PEM"),
            "InstallCertificate",
            {"certificateType": "MORootCertificate", "certificate": "PEM"},
        ),
        (DeleteCertificate(HASH), "DeleteCertificate", {"certificateHashData": WIRE_HASH}),
        (ReadCertificates(), "GetInstalledCertificateIds", {}),
        (
            ReadCertificates(RootUse.CENTRAL_SYSTEM),
            "GetInstalledCertificateIds",
            {"certificateType": ["CSMSRootCertificate"]},
        ),
        (
            DeliverCertificate("PEM", CertificateUse.V2G),
            "CertificateSigned",
            {"certificateChain": "PEM", "certificateType": "V2GCertificate"},
        ),
        (SendVendorMessage("v", "m", "d"), "DataTransfer", {"vendorId": "v", "messageId": "m", "data": "d"}),
        (ReadReport(3), "GetBaseReport", {"requestId": 3, "reportBase": "FullInventory"}),
        (
            ReadReport(3, ReportBase.SUMMARY),
            "GetBaseReport",
            {"requestId": 3, "reportBase": "SummaryInventory"},
        ),
        (
            ReadVariables(3, (POWER, WHOLE)),
            "GetReport",
            {
                "requestId": 3,
                "componentVariable": [
                    {
                        "component": {"name": "EVSE", "evse": {"id": 1}},
                        "variable": {"name": "Power", "instance": "max"},
                    },
                    {"component": {"name": "EVSE"}},
                ],
            },
        ),
        (ReadProfiles(3), "GetChargingProfiles", {"requestId": 3, "chargingProfile": {}}),
        (ReadProfiles(3, 1), "GetChargingProfiles", {"requestId": 3, "evseId": 1, "chargingProfile": {}}),
        (ReadSessionStatus(), "GetTransactionStatus", {}),
        (ReadSessionStatus("tx-1"), "GetTransactionStatus", {"transactionId": "tx-1"}),
        (
            SetNetwork(1, "wss://x/ocpp", 2),
            "SetNetworkProfile",
            {
                "configurationSlot": 1,
                "connectionData": {
                    "ocppVersion": "OCPP20",
                    "ocppTransport": "JSON",
                    "ocppCsmsUrl": "wss://x/ocpp",
                    "messageTimeout": 30,
                    "securityProfile": 2,
                    "ocppInterface": "Wired0",
                },
            },
        ),
        (SetMonitoringBase(MonitoringBase.FACTORY), "SetMonitoringBase", {"monitoringBase": "FactoryDefault"}),
        (SetMonitoringLevel(5), "SetMonitoringLevel", {"severity": 5}),
        (
            SetMonitors((MONITOR,)),
            "SetVariableMonitoring",
            {
                "setMonitoringData": [
                    {
                        "value": 80.5,
                        "type": "UpperThreshold",
                        "severity": 4,
                        "component": {"name": "EVSE", "evse": {"id": 1}},
                        "variable": {"name": "Power", "instance": "max"},
                    }
                ]
            },
        ),
        (ClearMonitors((1, 2)), "ClearVariableMonitoring", {"id": [1, 2]}),
        (ReadMonitors(3), "GetMonitoringReport", {"requestId": 3}),
        (Trigger("firmware_status"), "TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"}),
        (Trigger("log_status"), "TriggerMessage", {"requestedMessage": "LogStatusNotification"}),
        (Trigger("sign_certificate"), "TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}),
    ],
    ids=repr,
)
def test_commands_are_spelled(command, action, payload):
    assert V201.encode(command) == (action, payload)
    assert V201.schemas.request_faults(action, payload) == []
    assert action in SPELLINGS[type(command)].actions


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (SendLocalList(0, True, ()), "version"),
        (SendLocalList(1, True, (LocalListEntry("A", None),)), "entries"),
        (UpdateFirmware(3, "u", AT, signature="c2ln"), "signature"),
        (ReadVariables(3, ()), "variables"),
        (SetMonitors(()), "monitors"),
        (SetMonitors((Monitor(POWER, MonitorKind.DELTA, "much", 4),)), "value"),
        (SetMonitors((Monitor(WHOLE, MonitorKind.DELTA, "1", 4),)), "variable"),
        (ClearMonitors(()), "monitor_ids"),
        (ReadSettings(("A[.B",)), "names"),
    ],
    ids=repr,
)
def test_what_cannot_be_said_names_its_field(command, field):
    with pytest.raises(Invalid) as invalid:
        V201.encode(command)
    assert invalid.value.field == field


@pytest.mark.ocpp("2.0.1", "TriggerMessage")
def test_a_diagnostics_status_is_a_word_of_1_6():
    with pytest.raises(Unspeakable, match=r"1\.6"):
        V201.encode(Trigger("diagnostics_status"))


@pytest.mark.ocpp("2.0.1", "GetVariables", "SetVariables")
def test_instances_stand_in_brackets():
    name = "DeviceDataCtrlr.ItemsPerMessage[GetVariables]"
    wire = {
        "component": {"name": "DeviceDataCtrlr"},
        "variable": {"name": "ItemsPerMessage", "instance": "GetVariables"},
    }
    assert V201.encode(ReadSettings((name,))) == ("GetVariables", {"getVariableData": [wire]})
    written = V201.encode(WriteSetting("Ctrlr[a].Var", "5"))[1]["setVariableData"]
    assert written == [
        {"attributeValue": "5", "component": {"name": "Ctrlr", "instance": "a"}, "variable": {"name": "Var"}}
    ]
    answer = {"getVariableResult": [wire | {"attributeStatus": "Accepted", "attributeValue": "50"}]}
    found = V201.decode_outcome(ReadSettings((name,)), answer)
    assert found == Accepted({"values": {name: "50"}, "unknown": []})


@pytest.mark.ocpp("2.0.1", "UnlockConnector", "ChangeAvailability", "SendLocalList", "GetLog", "UpdateFirmware")
@pytest.mark.ocpp("2.0.1", "GetInstalledCertificateIds", "DataTransfer", "GetBaseReport", "GetChargingProfiles")
@pytest.mark.ocpp("2.0.1", "SetVariableMonitoring", "ClearVariableMonitoring", "GetTransactionStatus", "Reset")
@pytest.mark.ocpp("2.0.1", "SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule")
@pytest.mark.ocpp("2.0.1", "RequestStartTransaction", "RequestStopTransaction")
@pytest.mark.parametrize(
    ("command", "answer", "outcome"),
    [
        (Unlock(1), {"status": "Unlocked"}, Accepted()),
        (Unlock(1), {"status": "OngoingAuthorizedTransaction"}, Rejected("OngoingAuthorizedTransaction")),
        (Unlock(1), {"status": "UnknownConnector"}, Rejected("UnknownConnector")),
        (SetAvailability(1, True), {"status": "Accepted"}, Accepted({"scheduled": False})),
        (SetAvailability(1, True), {"status": "Scheduled"}, Accepted({"scheduled": True})),
        (Reboot(), {"status": "Scheduled"}, Accepted({"scheduled": True})),
        (Reboot(), {"status": "Accepted"}, Accepted()),
        (Reboot(), {"status": "Rejected"}, Rejected("Rejected")),
        (ReadLocalListVersion(), {"versionNumber": 4}, Accepted({"version": 4})),
        (SendLocalList(1, True, ()), {"status": "VersionMismatch"}, Rejected("VersionMismatch")),
        (Reserve(1, 1, "A", AT), {"status": "Occupied"}, Rejected("Occupied")),
        (
            Reserve(1, 1, "A", AT),
            {"status": "Rejected", "statusInfo": {"reasonCode": "NotEnabled"}},
            Rejected("NotEnabled"),
        ),
        (
            FetchLog(1, LogKind.DIAGNOSTICS, "u"),
            {"status": "Accepted", "filename": "log.gz"},
            Accepted({"file": "log.gz"}),
        ),
        (
            FetchLog(1, LogKind.DIAGNOSTICS, "u"),
            {"status": "AcceptedCanceled"},
            Accepted({"file": None, "has_replaced": True}),
        ),
        (UpdateFirmware(1, "u", AT), {"status": "AcceptedCanceled"}, Accepted({"has_replaced": True})),
        (UpdateFirmware(1, "u", AT), {"status": "RevokedCertificate"}, Rejected("RevokedCertificate")),
        (InstallCertificate(RootUse.V2G, "PEM"), {"status": "Failed"}, Rejected("Failed")),
        (DeleteCertificate(HASH), {"status": "NotFound"}, Rejected("NotFound")),
        (ReadCertificates(), {"status": "NotFound"}, Accepted({"certificates": []})),
        (DeliverCertificate("PEM"), {"status": "Rejected"}, Rejected("Rejected")),
        (SendVendorMessage("v"), {"status": "Accepted", "data": {"a": 1}}, Accepted({"data": '{"a":1}'})),
        (SendVendorMessage("v"), {"status": "Accepted"}, Accepted({"data": None})),
        (SendVendorMessage("v"), {"status": "UnknownVendorId"}, Unsupported("UnknownVendorId")),
        (SendVendorMessage("v"), {"status": "UnknownMessageId"}, Unsupported("UnknownMessageId")),
        (ReadReport(1), {"status": "NotSupported"}, Unsupported("NotSupported")),
        (ReadReport(1), {"status": "EmptyResultSet"}, Rejected("EmptyResultSet")),
        (ReadProfiles(1), {"status": "NoProfiles"}, Rejected("NoProfiles")),
        (AskCustomerInformation(1, "A", True, False), {"status": "Invalid"}, Rejected("Invalid")),
        (SetNetwork(1, "u", 2), {"status": "Failed"}, Rejected("Failed")),
        (
            ReadSessionStatus("t"),
            {"ongoingIndicator": True, "messagesInQueue": False},
            Accepted({"is_ongoing": True, "has_queued_messages": False}),
        ),
        (
            ReadSessionStatus(),
            {"messagesInQueue": True},
            Accepted({"is_ongoing": None, "has_queued_messages": True}),
        ),
        (
            SetMonitors((MONITOR,)),
            {"setMonitoringResult": [{"status": "Rejected"}, {"id": 4, "status": "Accepted"}]},
            Accepted(
                {"monitors": [{"monitor_id": None, "status": "Rejected"}, {"monitor_id": 4, "status": "Accepted"}]}
            ),
        ),
        (
            SetMonitors((MONITOR,)),
            {"setMonitoringResult": [{"status": "UnknownVariable"}]},
            Unsupported("UnknownVariable"),
        ),
        (SetMonitors((MONITOR,)), {"setMonitoringResult": [{"status": "Duplicate"}]}, Rejected("Duplicate")),
        (ClearMonitors((1,)), {"clearMonitoringResult": [{"id": 1, "status": "NotFound"}]}, Rejected("NotFound")),
        (ApplyProfile(1, PROFILE), {"status": "Accepted"}, Accepted()),
        (ClearProfile(), {"status": "Unknown"}, Rejected("Unknown")),
        (ReadComposite(1, 9), {"status": "Rejected"}, Rejected("Rejected")),
        (StartSession(1, "A", 5), {"status": "Accepted", "transactionId": "tx-1"}, Accepted()),
        (StopSession("tx-1"), {"status": "Rejected"}, Rejected("Rejected")),
    ],
    ids=repr,
)
def test_answers_are_read_honestly(command, answer, outcome):
    assert V201.decode_outcome(command, answer) == outcome


@pytest.mark.ocpp("2.0.1", "GetInstalledCertificateIds")
def test_installed_certificates_are_named_with_their_chains_m03():
    chain = {
        "certificateType": "V2GCertificateChain",
        "certificateHashData": WIRE_HASH,
        "childCertificateHashData": [WIRE_HASH],
    }
    found = V201.decode_outcome(ReadCertificates(), {"status": "Accepted", "certificateHashDataChain": [chain]})
    named = {"algorithm": "SHA256", "issuer_name_hash": "aa", "issuer_key_hash": "bb", "serial_number": "01"}
    assert found == Accepted({"certificates": [{"use": "v2g_chain", **named, "children": [named]}]})


@pytest.mark.parametrize(
    "command",
    [Unlock(1), ReadLocalListVersion(), ReadSessionStatus(), SetMonitors((MONITOR,)), WriteSetting("A.B", "1")],
    ids=repr,
)
def test_an_answer_that_says_nothing_is_an_error(command):
    with pytest.raises(ValueError, match="the answer"):
        V201.decode_outcome(command, {})


@pytest.mark.ocpp("2.0.1", "NotifyReport", "ReportChargingProfiles", "NotifyMonitoringReport")
@pytest.mark.parametrize(
    ("command", "action"),
    [
        (ReadReport(1), "NotifyReport"),
        (ReadVariables(1, (POWER,)), "NotifyReport"),
        (ReadProfiles(1), "ReportChargingProfiles"),
        (ReadMonitors(1), "NotifyMonitoringReport"),
        (AskCustomerInformation(1, "A", True, False), "NotifyCustomerInformation"),
        (FetchLog(1, LogKind.SECURITY, "u"), "LogStatusNotification"),
        (UpdateFirmware(1, "u", AT), "FirmwareStatusNotification"),
        (Trigger("status"), "StatusNotification"),
        (Trigger("sign_certificate"), "SignCertificate"),
        (Trigger("diagnostics_status"), None),
        (ClearCache(), None),
    ],
    ids=repr,
)
def test_what_we_ask_for_is_heard_while_pending_b02_fr_02(command, action):
    assert V201.solicited_by(command) == action


@pytest.mark.ocpp("2.0.1", "BootNotification")
def test_answers_to_what_we_asked_are_never_barred_and_other_calls_are_b01_fr_10():
    for action in ("BootNotification", "NotifyReport", "LogStatusNotification", "PublishFirmwareStatusNotification"):
        assert not V201.is_barred_while_pending(action)
    for action in ("Heartbeat", "StatusNotification", "TransactionEvent", "SignCertificate", "NotifyEvent"):
        assert V201.is_barred_while_pending(action)
