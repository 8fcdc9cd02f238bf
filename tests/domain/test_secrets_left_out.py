import pytest

from app.domain.redaction import LEFT_OUT, LONGEST_TEXT_COUNT, without_secrets

PRIVATE_KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"key": "AuthorizationKey", "value": "s3cret"}, {"key": "AuthorizationKey", "value": LEFT_OUT}),
        ({"key": "HeartbeatInterval", "value": "60"}, {"key": "HeartbeatInterval", "value": "60"}),
        ({"name": "SecurityCtrlr.BasicAuthPassword", "value": "s"}, None),
        ({"password": "s", "basicAuthPassword": "s"}, {"password": LEFT_OUT, "basicAuthPassword": LEFT_OUT}),
        ({"location": "ftp://u:p@h/x"}, {"location": f"ftp://{LEFT_OUT}@h/x"}),
        ({"location": "ftp://h/x@y"}, {"location": "ftp://h/x@y"}),
        ({"idTag": "04A1B2C3D4E5"}, {"idTag": "…D4E5"}),
        (
            {"idToken": {"idToken": "04A1B2C3D4E5", "type": "ISO14443"}},
            {"idToken": {"idToken": "…D4E5", "type": "ISO14443"}},
        ),
        ({"idTag": "SHORT"}, {"idTag": "…"}),
        ({"entries": [{"token": "04A1B2C3D4E5"}]}, {"entries": [{"token": "…D4E5"}]}),
        ({"data": f"a {PRIVATE_KEY} b"}, {"data": f"a {LEFT_OUT} b"}),
        ({"data": "-----BEGIN PRIVATE KEY-----\nMHcC"}, {"data": LEFT_OUT}),
    ],
)
def test_secrets_are_left_out_and_cards_masked_as_both_versions_spell_them(value, shown):
    if shown is None:
        shown = value | {"value": LEFT_OUT}
    assert without_secrets(value) == shown


def test_a_variables_value_stands_beside_its_name_in_ocpp_201():
    entry = {
        "attributeValue": "s3cret",
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
    }
    assert "s3cret" not in str(without_secrets({"setVariableData": [entry]}))


def test_long_lists_and_texts_are_cut():
    shown = without_secrets({"many": list(range(500)), "long": "x" * 50_000})
    assert len(shown["many"]) == 51
    assert len(shown["long"]) == 6_000


@pytest.mark.parametrize(
    "part", ["x", "access", "a://", "://a", "-----BEGIN ", "authorization key", "passphras", "api_"]
)
def test_texts_of_256_kb_that_almost_hold_a_secret_are_looked_at_once_not_from_every_character_on(part):
    """With a pattern that starts again at every character this takes minutes, in which no station is answered."""
    text = part * (256 * 1024 // len(part))
    kept = without_secrets({"data": text, "name": text, text: text})
    assert len(str(kept["data"])) <= LONGEST_TEXT_COUNT
