import json
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ocpp_central.rpc import (
    DEEPEST_NESTING,
    Call,
    CallError,
    CallResult,
    Malformed,
    Problem,
    Refusal,
    call_text,
    error_text,
    parse,
    result_text,
)
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201

V16, V201 = Ocpp16(), Ocpp201()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_the_three_frames_are_read():
    assert parse('[2,"a","Heartbeat",{}]') == Call("a", "Heartbeat", {})
    assert parse('[3,"a",{"x":1}]') == CallResult("a", {"x": 1})
    assert parse('[4,"a","NotSupported","no",{}]') == CallError("a", "NotSupported", "no")
    assert parse('[4,"a"]') == CallError("a", "Malformed", "")
    assert parse('[3,"a",[]]') == CallError("a", "Malformed", "the station's result is not an object")


@pytest.mark.parametrize(
    ("text", "message_id", "problem"),
    [
        ("", "-1", Problem.FRAME),
        ("nonsense", "-1", Problem.FRAME),
        ("{}", "-1", Problem.FRAME),
        ("[]", "-1", Problem.FRAME),
        ("[2]", "-1", Problem.FRAME),
        ('[2,7,"Heartbeat",{}]', "-1", Problem.FRAME),
        (b'[2,"a","Heartbeat",{}]', "-1", Problem.FRAME),
        ('[2,"' + "x" * 256 + '","Heartbeat",{}]', "-1", Problem.FRAME),
        ("[" * 5000, "-1", Problem.FRAME),
        ('[2,"a","Heartbeat"]', "a", Problem.FORMAT),
        ('[2,"a","Heartbeat",null]', "a", Problem.FORMAT),
        ('[2,"a","Heartbeat",{},{}]', "a", Problem.FORMAT),
        ('[2,"a",5,{}]', "a", Problem.FORMAT),
        ('[5,"a","Heartbeat",{}]', "a", Problem.MESSAGE_TYPE),
        ('["2","a","Heartbeat",{}]', "a", Problem.MESSAGE_TYPE),
        ('[true,"a","Heartbeat",{}]', "a", Problem.MESSAGE_TYPE),
    ],
)
def test_a_malformed_frame_says_what_is_wrong(text, message_id, problem):
    frame = parse(text)
    assert isinstance(frame, Malformed)
    assert (frame.message_id, frame.problem) == (message_id, problem)


def test_nesting_is_bounded():
    deep = '{"a":' * (DEEPEST_NESTING + 1) + "1" + "}" * (DEEPEST_NESTING + 1)
    assert isinstance(parse(f'[2,"a","Heartbeat",{deep}]'), Malformed)


def test_nul_characters_which_the_database_cannot_keep_are_dropped():
    assert parse('[2,"a","Authorize",{"idTag":"a\\u0000b"}]') == Call("a", "Authorize", {"idTag": "ab"})


def test_our_own_frames_are_read_back():
    assert parse(call_text("a", "Reset", {"type": "Hard"})) == Call("a", "Reset", {"type": "Hard"})
    assert parse(result_text("a", {})) == CallResult("a", {})
    error = parse(error_text("a", "InternalError", "x" * 999))
    assert isinstance(error, CallError)
    assert len(error.description) == 255


@given(st.text(max_size=200) | JSON.map(json.dumps) | st.binary(max_size=50))
@settings(max_examples=200)
def test_no_text_makes_the_parser_raise(text):
    parse(text)


MUTATED = st.sampled_from(
    ["NaN", "-1", -1, 0, 1e300, 2**60, None, True, [], {}, "x" * 300, "2026-13-01", "kWh", "\x7f"]
)
GOOD = {
    (V16, "MeterValues"): {
        "connectorId": 1,
        "transactionId": 5,
        "meterValue": [{"timestamp": "2026-04-01T07:00:00Z", "sampledValue": [{"value": "1", "unit": "kWh"}]}],
    },
    (V16, "StartTransaction"): {
        "connectorId": 1,
        "idTag": "A",
        "meterStart": 0,
        "timestamp": "2026-04-01T07:00:00Z",
    },
    (V16, "StopTransaction"): {
        "transactionId": 5,
        "meterStop": 9,
        "timestamp": "2026-04-01T07:00:00Z",
        "transactionData": [{"timestamp": "2026-04-01T07:00:00Z", "sampledValue": [{"value": "1"}]}],
    },
    (V16, "StatusNotification"): {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
    (V201, "TransactionEvent"): {
        "eventType": "Updated",
        "timestamp": "2026-04-01T07:00:00Z",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 1,
        "transactionInfo": {"transactionId": "t", "chargingState": "Charging"},
        "evse": {"id": 1},
        "meterValue": [
            {
                "timestamp": "2026-04-01T07:00:00Z",
                "sampledValue": [{"value": 1, "unitOfMeasure": {"unit": "kWh", "multiplier": 1}}],
            }
        ],
    },
    (V201, "MeterValues"): {
        "evseId": 1,
        "meterValue": [{"timestamp": "2026-04-01T07:00:00Z", "sampledValue": [{"value": 1}]}],
    },
    (V201, "StatusNotification"): {
        "timestamp": "2026-04-01T07:00:00Z",
        "connectorStatus": "Occupied",
        "evseId": 1,
        "connectorId": 1,
    },
}


def places(value, path=()):
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def put(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_no_payload_makes_a_decoder_raise_anything_but_a_refusal(data):
    dialect, action = data.draw(st.sampled_from(sorted(GOOD, key=lambda each: (each[0].subprotocol, each[1]))))
    payload = GOOD[dialect, action]
    for _ in range(data.draw(st.integers(0, 3))):
        path = data.draw(st.sampled_from([each for each in places(payload) if each]))
        payload = put(payload, path, data.draw(MUTATED | JSON))
    frame = parse(json.dumps([2, "a", action, payload]))
    if not isinstance(frame, Call):
        return
    received_at = datetime(2026, 4, 1, 7, 1, tzinfo=UTC)
    is_always_answered = action in {"MeterValues", "StopTransaction", "StatusNotification"}
    with nullcontext() if is_always_answered else suppress(Refusal):
        decoded = dialect.decode(action, frame.payload, received_at)
        assert all(fact.at <= received_at + timedelta(minutes=5) for fact in decoded.facts)


OCSP = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "a",
    "issuerKeyHash": "b",
    "serialNumber": "1",
    "responderURL": "http://x",
}


START = {"connectorId": 1, "idTag": "x", "meterStart": 1, "timestamp": "2026-04-01T07:00:00Z"}


def refusal(dialect, action, payload):
    with pytest.raises(Refusal) as refused:
        dialect.decode(action, payload, datetime(2026, 4, 1, tzinfo=UTC))
    return dialect.error_code(refused.value.problem)


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Nonsense", {}, "NotImplemented"),
        ("../../call", {}, "NotImplemented"),
        ("Reset", {"type": "Hard"}, "NotSupported"),
        ("StartTransaction", {"idTag": "x"}, "OccurenceConstraintViolation"),
        ("StartTransaction", START | {"connectorId": []}, "TypeConstraintViolation"),
    ],
)
def test_errors_are_spelled_as_1_6j_4_2_3_does(action, payload, code):
    assert refusal(V16, action, payload) == code


def test_1_6_has_its_own_words_for_what_its_lenient_handlers_never_refuse():
    assert V16.error_code(Problem.PROPERTY) == "PropertyConstraintViolation"
    assert V16.error_code(Problem.FORMAT) == "FormationViolation"


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Nonsense", {}, "NotImplemented"),
        ("Reset", {"type": "Immediate"}, "NotSupported"),
        ("Authorize", {}, "OccurrenceConstraintViolation"),
        ("Authorize", {"idToken": "x"}, "TypeConstraintViolation"),
        ("GetCertificateStatus", {"ocspRequestData": OCSP | {"hashAlgorithm": "MD5"}}, "PropertyConstraintViolation"),
        ("GetCertificateStatus", {"ocspRequestData": OCSP, "more": 1}, "FormatViolation"),
        ("TransactionEvent", {"eventType": "Updated"}, "OccurrenceConstraintViolation"),
    ],
)
def test_errors_are_spelled_as_2_0_1_part_4_does(action, payload, code):
    assert refusal(V201, action, payload) == code


def test_an_unreadable_frame_is_answered_in_2_0_1_and_ignored_in_1_6():
    assert V201.error_code(Problem.FRAME) == "RpcFrameworkError"
    assert V201.error_code(Problem.MESSAGE_TYPE) == "MessageTypeNotSupported"
    assert V16.error_code(Problem.FRAME) is None
    assert V16.error_code(Problem.MESSAGE_TYPE) is None


def test_a_refusal_never_repeats_what_the_station_sent():
    with pytest.raises(Refusal) as refused:
        V16.decode("StartTransaction", START | {"connectorId": "SECRET" * 9}, datetime(2026, 4, 1, tzinfo=UTC))
    assert "SECRET" not in refused.value.detail
    assert "connectorId" in refused.value.detail
