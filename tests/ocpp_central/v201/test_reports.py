from datetime import UTC, datetime

import pytest

from app.domain.device import Variable
from app.domain.facts import Recorded, ReportKind, StationReported, Suspicious, VariablesReported
from app.ocpp_central.dialect import Desk
from app.ocpp_central.v201 import Ocpp201

V201 = Ocpp201()
NOW = datetime(2026, 4, 1, 7, 0, 30, tzinfo=UTC)
AT = datetime(2026, 4, 1, 7, tzinfo=UTC)
STAMP = "2026-04-01T07:00:00Z"


def facts(action, payload):
    return V201.decode(action, payload, NOW).facts


def one(action, payload):
    (fact,) = facts(action, payload)
    return fact


def part(**more):
    return {"requestId": 3, "seqNo": 0, "generatedAt": STAMP, **more}


def entry(component="EVSE", variable="Power", **more):
    return {"component": {"name": component}, "variable": {"name": variable}, **more}


@pytest.mark.ocpp("2.0.1", "NotifyReport")
def test_every_attribute_of_a_report_is_a_variable_b07():
    said = {
        "component": {"name": "EVSE", "instance": "left", "evse": {"id": 2, "connectorId": 1}},
        "variable": {"name": "Power", "instance": "max"},
        "variableAttribute": [
            {"value": "7400", "mutability": "ReadOnly"},
            {"type": "MaxSet", "value": "", "mutability": "ReadWrite"},
            {"type": "Target", "value": "secret", "mutability": "WriteOnly"},
        ],
        "variableCharacteristics": {
            "unit": "W",
            "dataType": "OptionList",
            "valuesList": "a,b",
            "supportsMonitoring": False,
        },
    }
    report = one("NotifyReport", part(reportData=[said], tbc=True))
    common = ("left", "max", 2, 1)
    assert report == VariablesReported(
        at=AT,
        received_at=NOW,
        request_id=3,
        seq_no=0,
        is_last=False,
        variables=(
            Variable("EVSE", "Power", "7400", False, *common, "Actual", "W", "a,b"),
            Variable("EVSE", "Power", "", True, *common, "MaxSet", "W", "a,b"),
            Variable("EVSE", "Power", None, True, *common, "Target", "W", "a,b"),
        ),
    )
    assert V201.reply("NotifyReport", Recorded(), Desk(NOW, 300)) == {}


@pytest.mark.ocpp("2.0.1", "NotifyReport")
def test_a_report_without_data_is_the_last_one():
    assert one("NotifyReport", part()) == VariablesReported(AT, NOW, 3, 0, is_last=True, variables=())


@pytest.mark.ocpp("2.0.1", "NotifyReport")
def test_a_report_is_clamped_and_what_cannot_be_read_is_left_out():
    many = [entry(variable=f"V{number}", variableAttribute=[{"value": "1"}]) for number in range(501)]
    doubt, report = facts("NotifyReport", part(reportData=many))
    assert isinstance(doubt, Suspicious)
    assert len(report.variables) == 500
    odd = [
        entry(variableAttribute={"value": 5}) | {"component": {"name": "C" * 90, "evse": {"id": 1634030126}}},
        entry(variableAttribute=[{"value": "v" * 9000}]),
        {"component": {"name": "A"}, "variableAttribute": [{"value": "1"}]},
        "nonsense",
    ]
    doubt, report = facts("NotifyReport", {"reportData": odd, "seqNo": -5, "requestId": 2**40})
    assert isinstance(doubt, Suspicious)
    assert (report.request_id, report.seq_no, report.is_last, report.at) == (0, 0, True, NOW)
    first, second = report.variables
    assert (first.component, first.evse_number, first.value) == ("C" * 50, None, "5")
    assert len(second.value) == 2500


def happened(number=1, **more):
    said = {
        "eventId": number,
        "timestamp": STAMP,
        "trigger": "Alerting",
        "actualValue": "95",
        "eventNotificationType": "CustomMonitor",
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": "Temperature"},
    }
    return said | more


@pytest.mark.ocpp("2.0.1", "NotifyEvent")
def test_every_event_is_a_fact_n07():
    detail = {
        "event_id": 1,
        "trigger": "Alerting",
        "notification": "CustomMonitor",
        "value": "95",
        "is_cleared": True,
        "monitor_id": 9,
        "code": "E7",
    }
    payload = {
        "generatedAt": STAMP,
        "seqNo": 0,
        "eventData": [happened(cleared=True, variableMonitoringId=9, techCode="E7"), happened(2)],
    }
    first, second = facts("NotifyEvent", payload)
    assert first == StationReported(ReportKind.MONITOR_EVENT, "EVSE.Temperature", AT, NOW, evse_number=1, detail=detail)
    assert second.detail["event_id"] == 2


@pytest.mark.ocpp("2.0.1", "NotifyEvent")
def test_fifty_events_of_a_message_are_kept_and_none_at_all_is_quarantined():
    payload = {"generatedAt": STAMP, "seqNo": 0, "eventData": [happened(number) for number in range(60)]}
    *events, doubt = facts("NotifyEvent", payload)
    assert len(events) == 50
    assert isinstance(doubt, Suspicious)
    assert isinstance(one("NotifyEvent", {"generatedAt": STAMP, "seqNo": 0, "eventData": []}), Suspicious)


@pytest.mark.ocpp("2.0.1", "NotifyMonitoringReport")
def test_monitors_are_listed_n02():
    monitor = {"id": 9, "transaction": True, "value": 80, "type": "UpperThreshold", "severity": 4}
    payload = part(monitor=[entry("EVSE", "Temperature", variableMonitoring=[monitor])], tbc=True)
    listed = {
        "component": "EVSE",
        "variable": "Temperature",
        "monitor_id": 9,
        "kind": "upper_threshold",
        "value": 80.0,
        "severity": 4,
        "is_in_session_only": True,
    }
    assert one("NotifyMonitoringReport", payload) == StationReported(
        ReportKind.MONITORS, "part", AT, NOW, 3, is_last=False, detail={"seq_no": 0, "monitors": [listed]}
    )


def installed(**more):
    period = {"startPeriod": 0, "limit": 16, "numberPhases": 1}
    schedule = {
        "id": 1,
        "chargingRateUnit": "A",
        "startSchedule": STAMP,
        "chargingSchedulePeriod": [period],
    }
    return {
        "id": 12,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
        **more,
    }


@pytest.mark.ocpp("2.0.1", "ReportChargingProfiles")
def test_profiles_are_read_back_in_our_words_k09():
    payload = {"requestId": 3, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": [installed()]}
    profile = {
        "profile_id": 12,
        "stack_level": 0,
        "purpose": "default",
        "kind": "absolute",
        "schedules": [{"unit": "A", "start_at": STAMP, "periods": [[0, 16.0, 1]]}],
    }
    assert one("ReportChargingProfiles", payload) == StationReported(
        ReportKind.PROFILES, "CSO", NOW, NOW, 3, 1, is_last=True, detail={"profiles": [profile]}
    )


@pytest.mark.ocpp("2.0.1", "ReportChargingProfiles")
def test_more_profiles_or_periods_than_we_keep_are_said_to_be_cut():
    profiles = [installed() for _ in range(51)]
    periods = [{"startPeriod": number, "limit": 1} for number in range(201)]
    profiles[0]["chargingSchedule"][0]["chargingSchedulePeriod"] = periods
    payload = {"requestId": 3, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": profiles}
    doubt, report = facts("ReportChargingProfiles", payload)
    assert isinstance(doubt, Suspicious)
    assert len(report.detail["profiles"]) == 50
    (schedule,) = report.detail["profiles"][0]["schedules"]
    assert (len(schedule["periods"]), schedule["is_cut"]) == (200, True)


@pytest.mark.ocpp("2.0.1", "NotifyCustomerInformation")
def test_customer_information_comes_in_parts_n09():
    payload = part(data="all we know", tbc=True)
    detail = {"seq_no": 0, "data": "all we know"}
    expected = StationReported(ReportKind.CUSTOMER_INFORMATION, "part", AT, NOW, 3, is_last=False, detail=detail)
    assert one("NotifyCustomerInformation", payload) == expected


@pytest.mark.ocpp("2.0.1", "NotifyDisplayMessages")
def test_display_messages_are_listed_o03():
    shown = {"id": 4, "priority": "InFront", "message": {"format": "UTF8", "content": "Closed"}}
    listed = {"message_id": 4, "priority": "InFront", "text": "Closed"}
    fact = one("NotifyDisplayMessages", {"requestId": 3, "messageInfo": [shown]})
    assert (fact.kind, fact.request_id, fact.detail) == (ReportKind.DISPLAY_MESSAGES, 3, {"messages": [listed]})


@pytest.mark.ocpp("2.0.1", "StatusNotification", "Heartbeat")
def test_a_status_of_no_known_name_is_quarantined_and_answered():
    payload = {"timestamp": STAMP, "connectorStatus": "Dreaming", "evseId": 1, "connectorId": 1}
    assert isinstance(one("StatusNotification", payload), Suspicious)
    desk = Desk(NOW, 300)
    assert V201.reply("StatusNotification", Recorded(), desk) == {}
    assert V201.reply("Heartbeat", Recorded(), desk) == {"currentTime": "2026-04-01T07:00:30.000Z"}


@pytest.mark.ocpp("2.0.1", "MeterValues")
def test_meter_values_belong_to_their_evse_and_what_cannot_be_read_is_quarantined_j01():
    sampled = {"timestamp": STAMP, "sampledValue": [{"value": 1.5, "unitOfMeasure": {"unit": "kWh"}}]}
    metered = one("MeterValues", {"evseId": 2, "meterValue": [sampled]})
    assert (metered.evse_number, metered.at, metered.station_ref, metered.register_wh) == (2, AT, None, 1500.0)
    for odd in ({"evseId": 2, "meterValue": [None]}, {"evseId": 1634030126, "meterValue": [sampled]}, {}):
        assert isinstance(one("MeterValues", odd), Suspicious)
    assert V201.reply("MeterValues", Recorded(), Desk(NOW, 300)) == {}
