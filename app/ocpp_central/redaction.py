"""What the message log may keep of a frame: no secret, tokens by their last four characters, certificates abbreviated.

Cheap for most frames: only what contains one of `TRIGGERS` is looked at closely, that is parsed. A card's token in the
usual place is then masked in the text; where anything else might be secret too, the frame is walked through and spelled
again. What is no well-formed OCPP-J frame is withheld but for its head: when in doubt, cut. Pure; nothing here raises,
and every pattern takes time in proportion to the text, whatever it is: stations choose texts of 256 kB.
"""

import re
from functools import lru_cache
from typing import Any

import orjson

from app.ocpp_central.rpc import may_be_deep

TRIGGERS = (
    "idtag",
    "token",
    "key",
    "pass",
    "secret",
    "auth",
    "cert",
    "csr",
    "-----begin",
    "://",
    "\\",
    "variable",
    "config",
    "private",
    "credential",
    "customer",
    "bearer",
    "pin",
    "psk",
    "exi",
    "pnc",
    "vpn",
)
# What the walk also knows by itself: a text without these and without triggers is left by it as it is.
BESIDES = ("apn", "emaid", "basic", "signature", "ocspresult", "generatedat")
LONGEST_LOGGED_COUNT = 4000
LONGEST_NAME_COUNT = 200
MOST_NODES_COUNT = 1500
DEEPEST_NESTING = 24
SHORTEST_ABBREVIATED_COUNT = 48
ABBREVIATED_COUNT = 28
SHOWN_TOKEN_COUNT = 4
CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4
CALL_LENGTH, RESULT_LENGTH = 4, 3

MOST_SHAPES_COUNT = 1000
LONGEST_MASKED_COUNT = 2 * MOST_NODES_COUNT - 100  # no node is shorter than two characters: all of them are walked

AS_LOWER = bytes.maketrans(bytes(range(65, 91)), bytes(range(97, 123)))
NO_LETTERS = b"0123456789."
HEX_ID = re.compile(r'\[[234], ?"[0-9a-fA-F-]{1,36}",')
HEX_REF = re.compile(r'"transactionId": ?"[0-9a-fA-F-]{1,36}"')
HEAD = re.compile(r'\s*\[\s*\d\s*,\s*"[^"\\]{1,36}"\s*(,\s*"[A-Za-z]{1,50}"\s*)?,')
SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)|secret|auth\w{0,40}key|basicauth|private|api_?key"
    r"|(access|shared|encryption|wifi|wlan)\w{0,40}key"
    r"|credential|psk|pin$|pincode|simpin|masterpass|token$|bearer",
    re.IGNORECASE,
)
SECRET_TEXT = re.compile(
    r"passw|pass(phrase|code)|secret|auth\w{0,40}[ _-]?key|private|api[ _-]?key|credential|\bpsk\b|\bpin\b|\btoken"
    r"|idtag|idtoken|\bbearer\b|\bbasic\b",
    re.IGNORECASE,
)
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.]{1,100}")
TOKEN_KINDS = "Central|eMAID|ISO14443|ISO15693|KeyCode|Local|MacAddress|NoAuthorization"  # noqa: S105 - kinds, no token
KIND = rf'"type"\s*:\s*"(?:{TOKEN_KINDS})"'
TOKEN = re.compile(
    r'"id(?:(?:Tag|Token)Info"\s*:|Tag"\s*:\s*"([^"]*)"'
    rf'|Token"\s*:\s*\{{\s*(?:{KIND}\s*,\s*)?"idToken"\s*:\s*"([^"]*)"\s*(?:,\s*{KIND}\s*)?\}})'
)
URL_QUERY = re.compile(r"(\?|&)([^=&?\s]*)=[^&\s#]*")
TOKENS = {"idtag", "parentidtag", "idtoken", "groupidtoken", "additionalidtoken", "emaid"}
CERTIFICATES = ("cert", "csr", "exi", "ocspresult", "signature")
NAMES_OF_VALUES = {"key", "name", "component", "variable", "readonly", "type", "mutability"}
NAMES_OF_VALUES |= {"attributetype", "attributestatus", "persistent", "constant", "status"}
SECRETS = {"vpn", "apn", "customeridentifier"}
TOKEN_TYPES = set(TOKEN_KINDS.split("|"))
SHAPED_TRIGGERS = tuple(trigger.encode() for trigger in TRIGGERS)
SHAPED_WORDS = (*SHAPED_TRIGGERS, *(word.encode() for word in BESIDES))


def redacted(text: str | bytes) -> str:
    """Return what may be logged of a frame, at most 4,000 characters and a mark of what was cut."""
    if isinstance(text, bytes):
        return f"(binary, {len(text)} bytes)"
    return bounded(_looked_at(text) if has_any(_shape(text), SHAPED_TRIGGERS) else text)


def _shape(text: str) -> bytes:
    """Return a text in lower case without digits and dots, and without ids that are hexadecimal.

    None of that is part of a trigger, and frames that differ in numbers, times and ids only have the same shape.
    """
    if (head := HEX_ID.match(text)) is not None:
        text = text[head.end() :]
    if (ref_at := text.find('"transactionId"')) >= 0 and (ref := HEX_REF.match(text, ref_at)) is not None:
        text = text[:ref_at] + text[ref.end() :]
    if text.isascii():
        return text.encode().translate(AS_LOWER, NO_LETTERS)
    return text.lower().encode("utf-8", "surrogatepass").translate(None, NO_LETTERS)


def has_any(shape: bytes, words: tuple[bytes, ...]) -> bool:
    """Whether a shape contains one of these words. Shapes of ordinary length are looked through once."""
    return _has_any(shape, words) if len(shape) <= LONGEST_LOGGED_COUNT else _has_any.__wrapped__(shape, words)


@lru_cache(MOST_SHAPES_COUNT)
def _has_any(shape: bytes, words: tuple[bytes, ...]) -> bool:
    return any(word in shape for word in words)


def bounded(text: str) -> str:
    """Return at most 4,000 characters of a text; how many more there were is said at its end."""
    if len(text) <= LONGEST_LOGGED_COUNT:
        return text
    return f"{text[:LONGEST_LOGGED_COUNT]}… ({len(text) - LONGEST_LOGGED_COUNT} more characters)"


def _looked_at(text: str) -> str:
    try:
        frame = orjson.loads(text)
    except ValueError:
        return _withheld(text)
    if not _is_well_formed(frame):
        return _withheld(text)
    masked = _masked(text)
    return walked(text, frame) if masked is None else masked


def walked(text: str, frame: list[Any]) -> str:
    """Return a well-formed frame without secrets, spelled again: the way for all that is not plain."""
    try:
        return orjson.dumps([*frame[:2], *_Walk().rest_of(frame)]).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return _withheld(text)


def _masked(text: str) -> str | None:
    """Return a well-formed frame with its tokens masked in place; None where the walk might find more in it.

    Without a backslash (a trigger) every `"` begins or ends a text, so that what `TOKEN` matches is a name with its
    value; and what surrounds it is not secret, as no name there contains a trigger.
    """
    head = HEAD.match(text)
    if head is None or len(text) > LONGEST_MASKED_COUNT or may_be_deep(text):
        return None
    kept, shown, at = [], [head.group()], head.end()
    for found in TOKEN.finditer(text, at):
        kept.append(text[at : found.start()])
        shown.append(kept[-1])
        shown.append(_mask(found))
        at = found.end()
    kept.append(text[at:])
    shown.append(kept[-1])
    left = "".join(kept).replace('"Authorized"', '""').replace('"StopAuthorized"', '""')
    return None if has_any(_shape(left), SHAPED_WORDS) else "".join(shown)


def _mask(found: re.Match[str]) -> str:
    if found.lastindex is None:
        return found[0]
    begin, end = (place - found.start() for place in found.span(found.lastindex))
    return f"{found[0][:begin]}{_last_of(found[found.lastindex])}{found[0][end:]}"


def _withheld(text: str) -> str:
    head = HEAD.match(text)
    return f"{'' if head is None else head.group()} … ({len(text)} characters, withheld)"


def _is_well_formed(frame: Any) -> bool:
    if not isinstance(frame, list) or len(frame) < RESULT_LENGTH or not isinstance(frame[1], str):
        return False
    kind = frame[0] if type(frame[0]) is int else None
    if kind == CALL:
        return len(frame) == CALL_LENGTH and isinstance(frame[2], str) and isinstance(frame[3], dict)
    if kind == CALL_RESULT:
        return len(frame) == RESULT_LENGTH and isinstance(frame[2], dict)
    return kind == CALL_ERROR and all(isinstance(part, str) for part in frame[2:4])


class _Walk:
    """One frame's copy without secrets; bounded in size, so that a long one costs no more than what is shown of it."""

    def __init__(self) -> None:
        self._left_count = MOST_NODES_COUNT
        self._looked_at_count = 0  # characters

    def rest_of(self, frame: list[Any]) -> list[Any]:
        """Return what follows the message id."""
        if frame[0] == CALL_ERROR:
            return [self._text(part) if isinstance(part, str) else self.copy(part) for part in frame[2:]]
        return [*frame[2:-1], self.copy(frame[-1])]

    def copy(self, value: Any, depth: int = 0) -> Any:
        """Return a copy of a value that nothing above it makes secret."""
        self._left_count -= 1
        if self._left_count < 0 or depth > DEEPEST_NESTING:
            return "…"
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list):
            return [self.copy(item, depth + 1) for item in value[: self._left_count + 1]]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        """Return what may be shown of a text: nothing of one that is not shown to its end, or behind what is shown."""
        if self._looked_at_count > LONGEST_LOGGED_COUNT:
            return "…"
        if len(text) > LONGEST_LOGGED_COUNT:
            return _abbreviated(text)
        self._looked_at_count += len(text)
        return _free_text(text)

    def _object(self, holder: dict[str, Any], depth: int) -> dict[str, Any]:
        is_named_secret = _names_a_secret(holder)
        is_report = any(name.lower() == "generatedat" for name in holder)
        copy: dict[str, Any] = {}
        for name, value in holder.items():
            self._looked_at_count += len(name)
            if self._looked_at_count > 2 * LONGEST_LOGGED_COUNT:
                copy["…"] = "…"
                break
            low = name.lower()
            is_value = is_named_secret and low not in NAMES_OF_VALUES
            if low in TOKENS:
                copy[name] = self._token(value, depth + 1)
            elif is_value or low in SECRETS or (low == "data" and is_report) or _is_secret(low):
                copy[name] = self._secret(value, depth + 1)
            elif isinstance(value, str) and any(part in low for part in CERTIFICATES):
                copy[name] = _abbreviated(value)
            else:
                copy[name] = self.copy(value, depth + 1)
        return copy

    def _token(self, value: Any, depth: int) -> Any:
        """Return a token by its last four characters, wherever it is in the value; its type stays."""
        self._left_count -= 1
        if self._left_count < 0 or depth > DEEPEST_NESTING:
            return "…"
        if isinstance(value, dict):
            return {
                name: item if name == "type" and item in TOKEN_TYPES else self._token(item, depth + 1)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self._token(item, depth + 1) for item in value[: self._left_count + 1]]
        return _last_of(str(value))

    def _secret(self, value: Any, depth: int) -> Any:
        """Return the shape of a value without any of its texts and numbers."""
        self._left_count -= 1
        if self._left_count < 0 or depth > DEEPEST_NESTING:
            return "…"
        if isinstance(value, dict):
            return {name: self._secret(item, depth + 1) for name, item in value.items()}
        if isinstance(value, list):
            return [self._secret(item, depth + 1) for item in value[: self._left_count + 1]]
        return value if value is None or isinstance(value, bool) else "***"


def _last_of(token: str) -> str:
    return f"…{token[-SHOWN_TOKEN_COUNT:]}" if len(token) > SHOWN_TOKEN_COUNT else "…"


def _names_a_secret(holder: dict[str, Any]) -> bool:
    """Whether an object carries the value of a setting whose name says that it is secret."""
    for name, value in holder.items():
        if name.lower() not in {"key", "variable", "component", "name"}:
            continue
        said = value.get("name") if isinstance(value, dict) else value
        if isinstance(said, str) and _is_secret(said):
            return True
    return False


def _is_secret(name: str) -> bool:
    return len(name) > LONGEST_NAME_COUNT or SECRET_NAME.search(name) is not None


def _free_text(text: str) -> str:
    """Return a text without logins in URLs, keys and what follows or precedes a word that announces a secret."""
    if "-----BEGIN" in text:
        return _abbreviated(text)
    if "://" in text:
        text = URL_QUERY.sub(r"\1\2=***", _without_logins(text))
    if SECRET_TEXT.search(text) and not PLAIN_NAME.fullmatch(text):
        return f"*** ({len(text)} characters)"
    return text


def _without_logins(text: str) -> str:
    """Return a text without what lies between its first `://` and its last `@`: passwords hold any character."""
    before, mark, rest = text.partition("://")
    _, at, after = rest.rpartition("@")
    return f"{before}{mark}***@{after}" if at else text


def _abbreviated(text: str) -> str:
    """Return the beginning of a certificate or the like; nothing of what may be a private key."""
    if len(text) <= SHORTEST_ABBREVIATED_COUNT and "-----BEGIN" not in text:
        return text
    begin = "" if "PRIVATE" in text or not text.startswith("-----BEGIN") else text[:ABBREVIATED_COUNT]
    return f"{begin}… ({len(text)} characters)"
