import json
from importlib.resources import files

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.commands import RateUnit
from app.domain.raw import ChangeKind, Effect, Impact, LimitChange
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v16.handlers import HANDLERS
from app.ocpp_central.v16.impact import CLASSIFIED
from app.scheduling.profiles import STACK_LEVEL

V16 = Ocpp16()
SCHEMAS = files("ocpp.v16") / "schemas"
BOTH_WAYS = {"DataTransfer"}
LONG_AGO = "2000-01-01T00:00:00Z"


def test_every_call_to_a_station_is_classified_and_no_other():
    names = {each.name.removesuffix(".json") for each in SCHEMAS.iterdir() if each.name.endswith(".json")}
    requests = {name for name in names if not name.endswith("Response")}
    assert set(CLASSIFIED) == (requests - set(HANDLERS)) | BOTH_WAYS
    assert len(CLASSIFIED) == 19 + 7
    assert V16.classify("BootNotification", {}) is None
    assert V16.classify("Nonsense", {}) is None


@pytest.mark.parametrize(
    ("action", "effect"),
    [
        ("Reset", Effect.UNVERIFIES),
        ("UpdateFirmware", Effect.UNVERIFIES),
        ("SignedUpdateFirmware", Effect.UNVERIFIES),
        ("DataTransfer", Effect.UNVERIFIES),
        ("RemoteStartTransaction", Effect.HARMLESS),
        ("RemoteStopTransaction", Effect.HARMLESS),
        ("GetConfiguration", Effect.HARMLESS),
        ("TriggerMessage", Effect.HARMLESS),
        ("ExtendedTriggerMessage", Effect.HARMLESS),
        ("ReserveNow", Effect.HARMLESS),
    ],
)
def test_calls_without_profiles(action, effect):
    assert V16.classify(action, {}) == Impact(effect)


@pytest.mark.ocpp("1.6", "CertificateSigned", "DeleteCertificate", "InstallCertificate")
@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("CertificateSigned", {}),
        ("DeleteCertificate", {}),
        ("InstallCertificate", {"certificateType": "CentralSystemRootCertificate"}),
        ("InstallCertificate", {}),
    ],
)
def test_how_a_station_logs_in_is_no_matter_of_the_raw_door(action, payload):
    impact = V16.classify(action, payload)
    assert impact.effect is Effect.FORBIDDEN
    assert "logs in" in impact.reason


@pytest.mark.ocpp("1.6", "InstallCertificate")
def test_a_makers_root_may_be_installed():
    assert V16.classify("InstallCertificate", {"certificateType": "ManufacturerRootCertificate"}) == Impact(
        Effect.HARMLESS
    )


@pytest.mark.ocpp("1.6", "ChangeConfiguration")
@pytest.mark.parametrize(
    ("key", "effect"),
    [
        ("HeartbeatInterval", Effect.HARMLESS),
        ("LocalAuthListEnabled", Effect.HARMLESS),
        ("MaxChargingCurrent", Effect.FORBIDDEN),
        ("ChargeProfileMaxStackLevel", Effect.FORBIDDEN),
        ("AuthorizationKey", Effect.FORBIDDEN),
        ("SecurityProfile", Effect.FORBIDDEN),
    ],
)
def test_keys_of_limits_and_of_the_login_are_sunslots_own_1_6_5_3(key, effect):
    impact = V16.classify("ChangeConfiguration", {"key": key, "value": "1"})
    assert impact.effect is effect
    assert bool(impact.reason) is (effect is Effect.FORBIDDEN)


def profile(purpose="TxProfile", periods=((0, 16.0, 1),), unit="A", stack_level=STACK_LEVEL, schedule=None, **more):
    spelled = [{"startPeriod": start_s, "limit": limit, "numberPhases": count} for start_s, limit, count in periods]
    return {
        "chargingProfileId": 1,
        "stackLevel": stack_level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": spelled,
            "startSchedule": LONG_AGO,
            **(schedule or {}),
        },
        **more,
    }


def change_of(wire, connector=1):
    impact = V16.classify("SetChargingProfile", {"connectorId": connector, "csChargingProfiles": wire})
    assert impact.effect is Effect.LIMITS
    (change,) = impact.changes
    return change


@pytest.mark.ocpp("1.6", "SetChargingProfile")
@pytest.mark.parametrize(
    ("wire", "connector", "change"),
    [
        (profile(), 1, LimitChange(ChangeKind.SESSION, 1, 16.0, RateUnit.A, True)),
        (profile(stack_level=3), 1, LimitChange(ChangeKind.SESSION, 1, 16.0, RateUnit.A, False)),
        (
            profile("TxDefaultProfile", ((0, 1000.0, 3), (60, 9000.0, 3)), "W"),
            0,
            LimitChange(ChangeKind.DEFAULT, 0, 9000.0, RateUnit.W, False),
        ),
        (
            profile("ChargePointMaxProfile", ((0, 32, 1), (60, 6, 3))),
            0,
            LimitChange(ChangeKind.STATION_MAX, 0, 32.0, RateUnit.A, False),
        ),
    ],
)
def test_a_profile_is_what_it_allows_at_most_1_6_5_16(wire, connector, change):
    assert change_of(wire, connector) == change


@pytest.mark.parametrize(
    "periods",
    [
        (),
        ((60, 6.0, 1),),
        ((0, -1.0, 1),),
        ((0, 1e9, 1),),
        ((0, "6", 1),),
        ((0, True, 1),),
        ((0, float("nan"), 1),),
        ((0, 6.0, 1), (60, None, 1)),
    ],
)
def test_an_unbounded_or_odd_profile_has_no_limit_to_believe(periods):
    assert change_of(profile(periods=periods)).limit is None


def test_a_purpose_nobody_knows_counts_as_profiles_taken_away():
    change = change_of(profile("TxSomethingProfile"))
    assert (change.kind, change.limit, change.is_replaceable) == (ChangeKind.CLEARED, None, False)


@pytest.mark.ocpp("1.6", "ClearChargingProfile")
@pytest.mark.parametrize(
    ("payload", "change"),
    [
        ({}, LimitChange(ChangeKind.CLEARED, None)),
        ({"id": 5}, LimitChange(ChangeKind.CLEARED, None)),
        ({"id": 5, "connectorId": 1, "chargingProfilePurpose": "TxProfile"}, LimitChange(ChangeKind.CLEARED, None)),
        ({"connectorId": 1}, LimitChange(ChangeKind.CLEARED, 1)),
        ({"stackLevel": 4}, LimitChange(ChangeKind.CLEARED, None)),
        ({"connectorId": 2, "chargingProfilePurpose": "TxProfile"}, LimitChange(ChangeKind.CLEARED, 2)),
        ({"chargingProfilePurpose": "ChargePointMaxProfile"}, LimitChange(ChangeKind.CLEARED, None)),
    ],
)
def test_what_is_cleared_leaves_nothing_that_limits_1_6_5_5(payload, change):
    assert V16.classify("ClearChargingProfile", payload) == Impact(Effect.LIMITS, changes=(change,))


@pytest.mark.ocpp("1.6", "RemoteStartTransaction")
@pytest.mark.parametrize(("connector", "number"), [({"connectorId": 2}, 2), ({}, None)])
def test_a_remote_start_may_bring_a_profile_1_6_5_11(connector, number):
    impact = V16.classify("RemoteStartTransaction", {"idTag": "A", **connector, "chargingProfile": profile()})
    change = LimitChange(ChangeKind.SESSION, number, 16.0, RateUnit.A, True)
    assert impact == Impact(Effect.LIMITS, changes=(change,))


def like(schema, definitions):
    """Payloads in the shape of a schema, with odd values in any place now and then."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    kind = schema.get("type")
    odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})
    if "enum" in schema:
        right = st.sampled_from(schema["enum"])
    elif kind == "object":
        parts = {key: like(each, definitions) for key, each in schema.get("properties", {}).items()}
        return st.fixed_dictionaries({}, optional=parts) if parts else st.just({})
    elif kind == "array":
        return st.lists(like(schema["items"], definitions), max_size=3)
    else:
        simple = {"integer": st.integers(), "number": st.floats(), "boolean": st.booleans()}
        right = simple.get(kind, st.text(max_size=12) | st.sampled_from([LONG_AGO, "2030-01-01T00:00:00"]))
    return right | odd


@pytest.mark.parametrize("action", sorted(CLASSIFIED))
def test_whatever_the_payload_the_classifier_answers(action):
    schema = json.loads((SCHEMAS / f"{action}.json").read_text(encoding="utf-8-sig"))

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(like(schema, schema.get("definitions", {})))
    def classify(payload):
        impact = V16.classify(action, payload)
        assert isinstance(impact, Impact)
        assert (impact.effect is Effect.LIMITS) is bool(impact.changes)

    classify()
