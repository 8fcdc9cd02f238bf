import json
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.commands import RateUnit
from app.domain.raw import ChangeKind, Effect, Impact, LimitChange
from app.ocpp_central.v201 import Ocpp201
from app.ocpp_central.v201.handlers import HANDLERS
from app.ocpp_central.v201.impact import CLASSIFIED

V201 = Ocpp201()
SCHEMAS = files("ocpp.v201") / "schemas"
ACTIONS = sorted(
    name.removesuffix("Request.json") for each in SCHEMAS.iterdir() if "Request.json" in (name := each.name)
)


def test_every_call_to_a_station_is_classified_and_no_other():
    to_station = (set(ACTIONS) - set(HANDLERS)) | {"DataTransfer"}
    assert set(CLASSIFIED) == to_station
    assert len(to_station) == 40
    assert V201.classify("Heartbeat", {}) is None
    assert V201.classify("Nonsense", {}) is None


@pytest.mark.ocpp("2.0.1", "ClearDisplayMessage", "CostUpdated", "GetDisplayMessages", "SetDisplayMessage")
@pytest.mark.ocpp("2.0.1", "PublishFirmware", "UnpublishFirmware", "CancelReservation", "GetVariables")
@pytest.mark.parametrize(
    "action",
    [
        "CancelReservation",
        "ChangeAvailability",
        "ClearCache",
        "ClearDisplayMessage",
        "ClearVariableMonitoring",
        "CostUpdated",
        "CustomerInformation",
        "GetBaseReport",
        "GetChargingProfiles",
        "GetCompositeSchedule",
        "GetDisplayMessages",
        "GetInstalledCertificateIds",
        "GetLocalListVersion",
        "GetLog",
        "GetMonitoringReport",
        "GetReport",
        "GetTransactionStatus",
        "GetVariables",
        "PublishFirmware",
        "RequestStopTransaction",
        "ReserveNow",
        "SendLocalList",
        "SetDisplayMessage",
        "SetMonitoringBase",
        "SetMonitoringLevel",
        "SetVariableMonitoring",
        "TriggerMessage",
        "UnlockConnector",
        "UnpublishFirmware",
    ],
)
def test_most_calls_touch_no_limit(action):
    assert V201.classify(action, {}) == Impact(Effect.HARMLESS)


@pytest.mark.ocpp("2.0.1", "Reset", "UpdateFirmware", "DataTransfer")
@pytest.mark.parametrize("action", ["Reset", "UpdateFirmware", "DataTransfer"])
def test_what_may_lose_or_bypass_profiles_takes_their_proof_away_r10(action):
    assert V201.classify(action, {}) == Impact(Effect.UNVERIFIES)


@pytest.mark.ocpp("2.0.1", "SetNetworkProfile", "CertificateSigned", "DeleteCertificate", "InstallCertificate")
@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("SetNetworkProfile", {}),
        ("CertificateSigned", {}),
        ("DeleteCertificate", {}),
        ("InstallCertificate", {"certificateType": "CSMSRootCertificate"}),
        ("InstallCertificate", {}),
    ],
)
def test_how_a_station_logs_in_is_no_matter_of_the_raw_door(action, payload):
    impact = V201.classify(action, payload)
    assert impact.effect is Effect.FORBIDDEN
    assert "logs in" in impact.reason


@pytest.mark.ocpp("2.0.1", "InstallCertificate")
def test_roots_of_others_may_be_installed():
    for kind in ("ManufacturerRootCertificate", "V2GRootCertificate", "MORootCertificate"):
        assert V201.classify("InstallCertificate", {"certificateType": kind}).effect is Effect.HARMLESS


def variable(component, name, **more):
    return {"attributeValue": "1", "component": {"name": component}, "variable": {"name": name}} | more


@pytest.mark.ocpp("2.0.1", "SetVariables")
@pytest.mark.parametrize(
    ("component", "name"),
    [
        ("SmartChargingCtrlr", "Enabled"),
        ("SmartChargingCtrlr", "LimitChangeSignificance"),
        ("EVSE", "Power"),
        ("SecurityCtrlr", "BasicAuthPassword"),
        ("SecurityCtrlr", "SecurityProfile"),
        ("SecurityCtrlr", "Identity"),
        ("OCPPCommCtrlr", "NetworkConfigurationPriority"),
    ],
)
def test_limit_and_identity_variables_forbid_the_whole_call(component, name):
    harmless = variable("OCPPCommCtrlr", "HeartbeatInterval")
    impact = V201.classify("SetVariables", {"setVariableData": [harmless, variable(component, name)]})
    assert impact.effect is Effect.FORBIDDEN
    assert f"{component}.{name}" in impact.reason


@pytest.mark.ocpp("2.0.1", "SetVariables")
def test_other_variables_are_harmless_unless_an_instance_says_otherwise():
    harmless = variable("OCPPCommCtrlr", "HeartbeatInterval")
    assert V201.classify("SetVariables", {"setVariableData": [harmless]}).effect is Effect.HARMLESS
    instance = variable("Ctrlr", "Value", variable={"name": "Value", "instance": "MaxCurrent"})
    assert V201.classify("SetVariables", {"setVariableData": [instance]}).effect is Effect.FORBIDDEN


def schedule(*limits, unit="A", **more):
    periods = [{"startPeriod": 60 * number, "limit": limit} for number, limit in enumerate(limits)]
    return {"id": 1, "chargingRateUnit": unit, "chargingSchedulePeriod": periods} | more


def profile(*schedules, purpose="TxProfile", level=0, **more):
    return {
        "id": 11,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": list(schedules or (schedule(16.0),)),
        **more,
    }


def change(said, evse_number=1):
    impact = V201.classify("SetChargingProfile", {"evseId": evse_number, "chargingProfile": said})
    assert impact.effect is Effect.LIMITS
    (only,) = impact.changes
    return only


@pytest.mark.ocpp("2.0.1", "SetChargingProfile")
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (profile(), LimitChange(ChangeKind.SESSION, 1, 16.0, is_replaceable=True)),
        (profile(level=1), LimitChange(ChangeKind.SESSION, 1, 16.0)),
        (profile(id=12), LimitChange(ChangeKind.SESSION, 1, 16.0)),
        (
            profile(purpose="TxDefaultProfile"),
            LimitChange(ChangeKind.DEFAULT, 1, 16.0),
        ),
        (
            profile(schedule(7000, unit="W"), purpose="ChargingStationMaxProfile"),
            LimitChange(ChangeKind.STATION_MAX, 1, 7000, RateUnit.W),
        ),
        (
            profile(schedule(6, 32, 10), schedule(20)),
            LimitChange(ChangeKind.SESSION, 1, 32, is_replaceable=True),
        ),
        (
            profile(schedule(6), schedule(7000, unit="W")),
            LimitChange(ChangeKind.SESSION, 1, None, is_replaceable=True),
        ),
    ],
    ids=["lease", "other level", "another id (K01.FR.39)", "default", "station", "highest of all", "mixed units"],
)
def test_a_profile_counts_with_the_highest_of_its_periods(said, expected):
    assert change(said) == expected


@pytest.mark.ocpp("2.0.1", "SetChargingProfile")
@pytest.mark.parametrize("limit", [-1, 1e9, "much", None, True, [16]])
def test_a_limit_that_cannot_be_believed_is_none(limit):
    assert change(profile(schedule(6, limit))).limit is None


@pytest.mark.ocpp("2.0.1", "SetChargingProfile")
@pytest.mark.parametrize("schedules", [[], [{"chargingRateUnit": "A", "chargingSchedulePeriod": []}], ["x"], [{}]])
def test_a_profile_without_periods_is_unbounded(schedules):
    assert change(profile() | {"chargingSchedule": schedules}).limit is None


@pytest.mark.ocpp("2.0.1", "SetChargingProfile")
def test_a_profile_that_leaves_its_beginning_open_is_unbounded_k01_fr_31():
    later = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 9, "limit": 1}]}
    assert change(profile(later)).limit is None
    assert change(profile(schedule(16), later)).limit is None


@pytest.mark.ocpp("2.0.1", "SetChargingProfile", "RequestStartTransaction")
@pytest.mark.parametrize("purpose", ["ChargingStationExternalConstraints", "Whim", None])
def test_a_central_system_sets_no_external_constraint_k01(purpose):
    said = profile(purpose=purpose)
    for action in ("SetChargingProfile", "RequestStartTransaction"):
        assert V201.classify(action, {"evseId": 1, "chargingProfile": said}).effect is Effect.FORBIDDEN


@pytest.mark.ocpp("2.0.1", "RequestStartTransaction")
def test_a_remote_start_is_harmless_until_it_brings_a_profile_f01():
    start = {"remoteStartId": 1, "idToken": {"idToken": "A", "type": "Central"}}
    assert V201.classify("RequestStartTransaction", start) == Impact(Effect.HARMLESS)
    anywhere = V201.classify("RequestStartTransaction", start | {"chargingProfile": profile()})
    assert anywhere.changes == (LimitChange(ChangeKind.SESSION, None, 16.0),)
    there = V201.classify("RequestStartTransaction", start | {"evseId": 2, "chargingProfile": profile(id=21)})
    assert there.changes[0].is_replaceable


@pytest.mark.ocpp("2.0.1", "ClearChargingProfile")
@pytest.mark.parametrize(
    ("payload", "evse_number"),
    [
        ({}, None),
        ({"chargingProfileId": 5}, None),
        ({"chargingProfileCriteria": {"evseId": 2}}, 2),
        ({"chargingProfileCriteria": {"chargingProfilePurpose": "TxProfile"}}, None),
        ({"chargingProfileId": 5, "chargingProfileCriteria": {"evseId": 2}}, None),
    ],
)
def test_clearing_takes_away_what_it_does_not_name(payload, evse_number):
    impact = V201.classify("ClearChargingProfile", payload)
    assert impact == Impact(Effect.LIMITS, changes=(LimitChange(ChangeKind.CLEARED, evse_number),))


def of_schema(schema, definitions):
    """Payloads that a schema of the ocpp package admits (and a few that it does not: texts have no length)."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        required = set(schema.get("required", ()))
        parts = {key: of_schema(each, definitions) for key, each in schema.get("properties", {}).items()}
        wanted = {key: each for key, each in parts.items() if key in required}
        return st.fixed_dictionaries(wanted, optional={key: each for key, each in parts.items() if key not in required})
    if kind == "array":
        return st.lists(of_schema(schema["items"], definitions), max_size=2)
    simple = {
        "integer": st.integers(-(2**40), 2**40),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "string": st.text(max_size=12),
    }
    return simple.get(kind, st.none() | st.text(max_size=5))


def schema_of(action):
    schema = json.loads((SCHEMAS / f"{action}Request.json").read_text(encoding="utf-8-sig"))
    return of_schema(schema, schema.get("definitions", {}))


@pytest.mark.parametrize(
    "action", ["SetChargingProfile", "RequestStartTransaction", "SetVariables", "ClearChargingProfile"]
)
def test_no_payload_of_the_schema_raises(action):
    @settings(max_examples=60, deadline=None)
    @given(schema_of(action))
    def classify(payload):
        assert isinstance(V201.classify(action, payload), Impact)

    classify()


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_payload_of_any_other_schema_raises(data):
    action = data.draw(st.sampled_from(sorted(CLASSIFIED)))
    payload = data.draw(
        st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=5), max_size=3)
    )
    assert isinstance(V201.classify(action, payload), Impact)
