"""What is left out of anything that is kept or logged: keys, passwords, private keys; cards are masked.

Pure, over JSON values as both dialects and our own commands spell them; it looks at names and at the texts themselves.
Every pattern takes time in proportion to the text, whatever it is: stations and callers choose texts of 256 kB.
"""

import re
from typing import Any

LEFT_OUT = "(left out)"
SHOWN_COUNT = 4
LONGEST_TEXT_COUNT = 6_000
MOST_ITEMS_COUNT = 50
MORE = "(more)"

SECRET_NAME = re.compile(
    r"authori[sz]ation.?key|passw|pass(phrase|code)|secret|private.?key|(?:^|_)pin$|api.?key|access.?token|credential"
    r"|basicauth|psk|(access|shared|encryption|wifi|wlan)\w{0,40}key",
    re.IGNORECASE,
)
CARD_NAME = re.compile(r"^(token|id_?tag|parent_?id_?tag|id_?token|group_?id_?token)$", re.IGNORECASE)
VALUE_NAME = re.compile(r"^(value|attribute_?value|data)$", re.IGNORECASE)
USER_INFO = re.compile(r"://[^/?#\s]*@")
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)


def without_secrets(value: Any, name: str = "") -> Any:
    """Return a JSON value with what must not be kept left out, cards masked, and long texts and lists cut."""
    if SECRET_NAME.search(name) and not isinstance(value, bool):
        return LEFT_OUT
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        shown = [without_secrets(item, name) for item in value[:MOST_ITEMS_COUNT]]
        return [*shown, MORE] if len(value) > MOST_ITEMS_COUNT else shown
    if isinstance(value, str):
        return masked(value) if CARD_NAME.match(name) else text_without_secrets(value)
    return value


def _object(value: dict[str, Any]) -> dict[str, Any]:
    """A setting's value stands beside its name: `{"key": "AuthorizationKey", "value": …}`."""
    names_a_secret = any(_names_a_secret(item) for key, item in value.items() if not VALUE_NAME.match(key))
    return {
        key: LEFT_OUT if names_a_secret and VALUE_NAME.match(key) else without_secrets(item, key)
        for key, item in value.items()
    }


def _names_a_secret(item: Any) -> bool:
    if isinstance(item, str):
        return bool(SECRET_NAME.search(item))
    return isinstance(item, dict) and any(isinstance(each, str) and SECRET_NAME.search(each) for each in item.values())


def text_without_secrets(text: str) -> str:
    """Return a text without the user information of URLs and without private keys, at most 6,000 characters."""
    text = PRIVATE_KEY.sub(LEFT_OUT, text)
    return USER_INFO.sub(f"://{LEFT_OUT}@", text)[:LONGEST_TEXT_COUNT]


def masked(card: str) -> str:
    """Return a card's number with all but its last four characters hidden; short ones are hidden whole."""
    return "…" + card[-SHOWN_COUNT:] if len(card) > 2 * SHOWN_COUNT else "…"
