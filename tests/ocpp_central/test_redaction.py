"""What may be logged of a frame."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ocpp_central.redaction import LONGEST_LOGGED_COUNT, TRIGGERS, redacted, walked

SECRET = "Zq7w-Xy9K3v_Secr8"
LOGIN = f"ftp://upload:{SECRET}@logs.example/cp1"


def shown(kind, *rest):
    """Return what is logged of a frame, read again."""
    return json.loads(redacted(json.dumps([kind, "id-1", *rest])))


def test_what_holds_no_secret_is_kept_to_the_letter():
    text = '[2, "id-1", "MeterValues",  {"connectorId":1, "meterValue":[{"sampledValue":[{"value":"12.5"}]}]}]'
    assert redacted(text) == text


@pytest.mark.ocpp("1.6", "ChangeConfiguration", "GetConfiguration")
def test_the_value_of_a_secret_key_is_hidden_and_its_name_stays():
    assert shown(2, "ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET})[3] == {
        "key": "AuthorizationKey",
        "value": "***",
    }
    keys = [{"key": "AuthorizationKey", "readonly": False, "value": SECRET}, {"key": "HeartbeatInterval", "value": "7"}]
    assert shown(3, {"configurationKey": keys})[2]["configurationKey"] == [
        {"key": "AuthorizationKey", "readonly": False, "value": "***"},
        {"key": "HeartbeatInterval", "value": "7"},
    ]
    names = {"key": ["AuthorizationKey", "HeartbeatInterval"]}
    assert shown(2, "GetConfiguration", names)[3] == names


@pytest.mark.ocpp("2.0.1", "SetVariables", "NotifyReport", "SetNetworkProfile")
def test_the_value_of_a_secret_variable_is_hidden_and_its_name_stays():
    names = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    assert shown(2, "SetVariables", {"setVariableData": [names | {"attributeValue": SECRET}]})[3] == {
        "setVariableData": [names | {"attributeValue": "***"}]
    }
    report = [names | {"variableAttribute": [{"type": "Actual", "value": SECRET}]}]
    assert SECRET not in json.dumps(shown(2, "NotifyReport", {"requestId": 1, "reportData": report}))
    vpn = {"server": "vpn.example", "user": SECRET, "password": SECRET, "key": SECRET, "type": "IKEv2"}
    assert SECRET not in json.dumps(shown(2, "SetNetworkProfile", {"connectionData": {"vpn": vpn}}))


@pytest.mark.ocpp("1.6", "StartTransaction", "SendLocalList")
def test_tokens_are_told_apart_by_their_last_four_characters_1_6():
    assert shown(2, "StartTransaction", {"idTag": "04A1B2C3D4", "meterStart": 7})[3] == {
        "idTag": "…C3D4",
        "meterStart": 7,
    }
    entry = {"idTag": "04A1B2C3D4", "idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET-0001"}}
    assert shown(2, "SendLocalList", {"listVersion": 1, "localAuthorizationList": [entry]})[3][
        "localAuthorizationList"
    ] == [{"idTag": "…C3D4", "idTagInfo": {"status": "Accepted", "parentIdTag": "…0001"}}]


@pytest.mark.ocpp("2.0.1", "TransactionEvent", "CustomerInformation", "NotifyCustomerInformation")
def test_tokens_are_told_apart_by_their_last_four_characters_2_0_1():
    token = {"idToken": "04A1B2C3D4", "type": "ISO14443", "additionalInfo": [{"additionalIdToken": "X-99887766"}]}
    assert shown(2, "TransactionEvent", {"idToken": token, "seqNo": 4})[3] == {
        "idToken": {"idToken": "…C3D4", "type": "ISO14443", "additionalInfo": [{"additionalIdToken": "…7766"}]},
        "seqNo": 4,
    }
    info = {"idTokenInfo": {"status": "Accepted", "groupIdToken": {"idToken": "GROUP-1234", "type": "Central"}}}
    assert shown(3, info)[2]["idTokenInfo"] == {
        "status": "Accepted",
        "groupIdToken": {"idToken": "…1234", "type": "Central"},
    }
    about = {"requestId": 1, "customerIdentifier": SECRET, "report": True, "clear": False}
    assert SECRET not in json.dumps(shown(2, "CustomerInformation", about))
    told = {"data": f"card {SECRET}", "seqNo": 0, "generatedAt": "2026-04-01T00:00:00Z", "requestId": 1}
    assert SECRET not in json.dumps(shown(2, "NotifyCustomerInformation", told))


@pytest.mark.ocpp("1.6", "GetDiagnostics", "UpdateFirmware")
def test_urls_lose_who_logs_in_and_keep_where_to():
    payload = {"location": LOGIN, "retries": 2}
    assert shown(2, "GetDiagnostics", payload)[3] == {"location": "ftp://***@logs.example/cp1", "retries": 2}
    signed = {"location": f"https://s3.example/fw.bin?X-Sig={SECRET}&v=2"}
    assert shown(2, "UpdateFirmware", signed)[3] == {"location": "https://s3.example/fw.bin?X-Sig=***&v=***"}
    escaped = '[2,"a","GetDiagnostics",{"location":"' + LOGIN.replace("/", "\\/") + '"}]'
    assert SECRET not in redacted(escaped)


@pytest.mark.ocpp("2.0.1", "CertificateSigned")
def test_certificates_are_abbreviated_and_private_keys_gone():
    chain = "-----BEGIN CERTIFICATE-----\n" + SECRET * 60
    assert shown(2, "CertificateSigned", {"certificateChain": chain})[3] == {
        "certificateChain": f"-----BEGIN CERTIFICATE-----\n… ({len(chain)} characters)"
    }
    key = "-----BEGIN EC PRIVATE KEY-----\n" + SECRET
    assert shown(2, "DataTransfer", {"vendorId": "x", "data": key})[3]["data"] == f"… ({len(key)} characters)"


def test_a_frame_that_cannot_be_read_is_withheld_but_for_its_head():
    torn = '[2,"id-1","ChangeConfiguration",{"value":"' + SECRET + '","key":"AuthorizationKe'
    assert redacted(torn) == f'[2,"id-1","ChangeConfiguration", … ({len(torn)} characters, withheld)'
    assert redacted(b"\x00" + SECRET.encode()) == f"(binary, {len(SECRET) + 1} bytes)"


def test_a_broken_frame_without_any_trigger_is_shown():
    torn = '[2,"id-1","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"value":NaN}]}]}]'
    assert redacted(torn) == torn


def test_long_texts_are_cut_and_marked():
    logged = redacted("[" + "1," * 5000)
    assert logged.startswith("[1,1,")
    assert logged.endswith(f"… ({10_001 - LONGEST_LOGGED_COUNT} more characters)")
    entries = [{"idTag": f"CARD-{number:08d}"} for number in range(20_000)]
    assert len(redacted(json.dumps([2, "a", "SendLocalList", {"localAuthorizationList": entries}]))) < 4100


# Every way in which a secret is said, to be put anywhere in a payload of any shape.
SAID = st.sampled_from(
    [
        {"idTag": SECRET},
        {"IDTAG": SECRET},
        {"parentIdTag": SECRET},
        {"idToken": {"idToken": SECRET, "type": "ISO14443"}},
        {"idToken": {"uid": SECRET, "type": SECRET}},
        {"groupIdToken": {"idToken": SECRET, "type": "Central"}},
        {"key": "AuthorizationKey", "value": SECRET},
        {"value": SECRET, "readonly": False, "key": "wifi_password"},
        {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}, "attributeValue": SECRET},
        {"component": {"name": "X"}, "variable": {"name": "PrivateKey"}, "variableAttribute": [{"value": SECRET}]},
        {"password": SECRET},
        {"apn": {"apn": "x", "apnPassword": SECRET, "simPin": SECRET}},
        {"AuthorizationKey": [SECRET, {"x": SECRET}]},
        {"location": LOGIN},
        {"url": f"https://a.example/x?token={SECRET}"},
        {"data": f"password={SECRET}"},
        {"data": json.dumps({"key": "AuthorizationKey", "value": SECRET})},
        {"data": f"Authorization: Basic {SECRET}"},
        {"techInfo": f"{SECRET} is the new private key"},
        {"certificate": "-----BEGIN PRIVATE KEY-----" + SECRET},
    ]
)
PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["Accepted", "2026-04-01T00:00:00Z"])
PAYLOADS = st.recursive(
    SAID,
    lambda inner: (
        st.lists(inner | PLAIN, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "customData", "data", "list"]), inner | PLAIN, min_size=1, max_size=3)
    ),
    max_leaves=6,
)
SHAPES = st.one_of(
    PAYLOADS.map(lambda payload: [2, "id-1", "DataTransfer", payload]),
    PAYLOADS.map(lambda payload: [3, "id-1", payload]),
    PAYLOADS.map(lambda payload: [4, "id-1", "GenericError", "", payload]),
    PAYLOADS.map(lambda payload: [4, "id-1", "GenericError", f"password {SECRET}", payload]),
    PAYLOADS.map(lambda payload: [2, "id-1", payload]),
    PAYLOADS.map(lambda payload: [9, "id-1", "X", payload]),
    PAYLOADS.map(lambda payload: {"frame": payload}),
    PAYLOADS,
)


@given(frame=SHAPES, is_spaced=st.booleans(), is_escaped=st.booleans())
def test_no_secret_survives_in_a_frame_of_any_shape(frame, is_spaced, is_escaped):
    text = json.dumps(frame, indent=1 if is_spaced else None)
    if is_escaped:
        text = text.replace("idT", "\\u0069dT").replace("key", "\\u006bey").replace("ass", "\\u0061ss")
    assert SECRET not in redacted(text)


@given(frame=SHAPES, tail=st.sampled_from(["", "]", "}", ",", "NaN", "\\"]), cut=st.floats(0.5, 1.0))
def test_no_secret_survives_in_a_frame_that_is_no_json(frame, tail, cut):
    """Torn behind the word that announces it: before that nobody can know."""
    text = json.dumps(frame)
    torn = text[: max(int(len(text) * cut), 1)] + tail
    words = ("idtag", "token", "key", "passw", "secret", "basic", "private", "apn", "://")
    if not any(word in torn.lower() for word in words):
        return
    assert SECRET not in redacted(torn + "]]")


CARDS = st.sampled_from(["04A1B2C3D4E5F6", "X1", "", "ключ-123456", "my pin code", "ftp://a:b@c", "Token-12345"])
KINDS = st.sampled_from(["ISO14443", "eMAID", "Central", "strange"])
SHOWN = st.one_of(
    st.sampled_from(
        [
            {"status": "Accepted"},
            {"triggerReason": "Authorized", "timestamp": "2026-04-01T00:00:00Z"},
            {"sampledValue": [{"value": "12.5", "measurand": "Energy.Active.Import.Register", "unit": "kWh"}]},
            {"techInfo": "Basic tests"},
            {"apn": "internet", "signature": "x" * 60},
            {"ocspResult": "y" * 60, "emaid": "DE-8AA-123456"},
            {"data": "all about him", "generatedAt": "2026-04-01T00:00:00Z"},
            {"vendorErrorCode": "idToken"},
            {"Authorized": {"deep": [[[[1]]]]}},
        ]
    ),
    st.builds(lambda card: {"idTag": card}, CARDS | st.integers(0, 10**9)),
    st.builds(lambda card: {"parentIdTag": card}, CARDS),
    st.builds(lambda card: {"idTagInfo": {"status": "Accepted", "parentIdTag": card}}, CARDS),
    st.builds(lambda card, kind: {"idToken": {"idToken": card, "type": kind}}, CARDS, KINDS),
    st.builds(lambda card, kind: {"idToken": {"type": kind, "idToken": card, "more": "more of it"}}, CARDS, KINDS),
    st.builds(lambda card: {"idToken": {"idToken": card, "additionalInfo": [{"additionalIdToken": card}]}}, CARDS),
    st.builds(lambda card: {"idTokenInfo": {"status": "Accepted", "groupIdToken": {"idToken": card}}}, CARDS),
)
ORDINARY = st.recursive(
    SHOWN | SAID,
    lambda inner: (
        st.lists(inner | PLAIN, min_size=1, max_size=3)
        | st.builds(lambda one, other: {**one, **other}, SHOWN, SHOWN)
        | st.dictionaries(st.sampled_from(["a", "idToken", "customData", "list"]), inner | PLAIN, max_size=3)
    ),
    max_leaves=5,
)


@given(
    payload=ORDINARY.filter(lambda payload: isinstance(payload, dict)) | st.builds(lambda item: {"a": item}, ORDINARY),
    head=st.sampled_from(
        [[2, "id-1", "Authorize"], [2, "7f3c-01", "DataTransfer"], [3, "a" * 40], [4, "token", "GenericError", "idTag"]]
    ),
    spaces=st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_tokens_are_masked_in_place_exactly_as_by_the_walk(payload, head, spaces):
    text = json.dumps([*head, payload], separators=spaces, ensure_ascii=False)
    is_told = any(trigger in text.lower() for trigger in TRIGGERS)
    slowly = walked(text, json.loads(text)) if is_told else text
    assert orjson.loads(redacted(text)) == orjson.loads(slowly)


@given(
    text=st.text(st.sampled_from('KIſiıdtagpnkey -/:\\"{},1.'), max_size=40), message_id=st.text("0aF-", max_size=36)
)
def test_no_trigger_is_overlooked_for_speed(text, message_id):
    frame = f'[2,"{message_id}",{text}"transactionId": "{message_id}"{text}'
    is_told = any(trigger in frame.lower() for trigger in TRIGGERS)
    assert (redacted(frame) == frame) != is_told or len(frame) > LONGEST_LOGGED_COUNT


@given(text=st.text(max_size=300) | st.binary(max_size=60))
def test_anything_at_all_can_be_logged(text):
    assert isinstance(redacted(text), str)


@pytest.mark.parametrize(
    "part", ["x", "auth", "access", "://", "?", "?a&", "://?", "pass", "wifi", "-----BEGI", "\\", "@"]
)
def test_frames_of_256_kb_that_almost_hold_a_secret_are_looked_at_once_not_from_every_character_on(part):
    """With a pattern that starts again at every character one frame of a station stops the house for minutes."""
    text = part * (256 * 1024 // len(part))
    frame = json.dumps([2, "id-1", "DataTransfer", {"vendorId": "://" + text, "data": text, text: text}])
    assert len(redacted(frame)) <= LONGEST_LOGGED_COUNT + 50


def test_a_login_that_holds_slashes_ats_and_spaces_is_hidden_from_the_first_scheme_to_the_last_at():
    text = f"see ftp://u:{SECRET}/@ {SECRET}@logs/x??a={SECRET}&b=2 and http://c"
    assert (
        shown(2, "DataTransfer", {"messageId": text})[3]["messageId"]
        == "see ftp://***@logs/x??a=***&b=*** and http://c"
    )


def test_a_text_that_is_not_shown_to_its_end_is_withheld_whatever_stands_in_it():
    text = "Variable " + "x" * LONGEST_LOGGED_COUNT
    said = shown(2, "DataTransfer", {"messageId": text, "data": "short"})[3]
    assert said == {"messageId": f"… ({len(text)} characters)", "data": "short"}


def test_behind_what_is_shown_no_text_and_no_name_is_looked_at():
    holder = {f"variable{number}" + "n" * 90: "x" * 90 for number in range(1000)}
    assert len(redacted(json.dumps([2, "id-1", "DataTransfer", holder]))) <= LONGEST_LOGGED_COUNT + 50
    named = shown(2, "DataTransfer", {"key": "k" * 201, "value": SECRET})[3]
    assert named["value"] == "***"
