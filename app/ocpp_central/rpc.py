"""OCPP-J frames: bounded decoding into values, and the spelling of our own. Pure; nothing here raises for bad input.

Message ids may have 36 characters; longer ones are echoed up to `LONGEST_ID_COUNT`, because an answer that matches is
worth more than a complaint. Texts lose NUL characters, which PostgreSQL cannot keep.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from app.ocpp_central import odd_json

Payload = dict[str, Any]

CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4
CALL_LENGTH, RESULT_LENGTH, LEAST_ERROR_LENGTH = 4, 3, 3
LONGEST_ID_COUNT = 255
LONGEST_TEXT_COUNT = 255
DEEPEST_NESTING = 24
NO_ID = "-1"


class Problem(StrEnum):
    """Why a call is answered with CALLERROR, before a dialect spells it (OCPP 1.6J §4.2.3, OCPP 2.0.1 part 4)."""

    NOT_IMPLEMENTED = "not_implemented"
    NOT_SUPPORTED = "not_supported"
    FRAME = "frame"
    MESSAGE_TYPE = "message_type"
    FORMAT = "format"
    PROPERTY = "property"
    OCCURRENCE = "occurrence"
    TYPE = "type"
    SECURITY = "security"
    INTERNAL = "internal"


class Refusal(Exception):
    """A call that is answered with CALLERROR; `detail` names the field and the reason, never a value."""

    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Call:
    """[2, id, action, payload]. `is_mended`: its JSON was none, and was read all the same (`odd_json`)."""

    message_id: str
    action: str
    payload: Payload
    is_mended: bool = False


@dataclass(frozen=True, slots=True)
class CallResult:
    """[3, id, payload]."""

    message_id: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class CallError:
    """[4, id, code, description, details]; the details are not kept."""

    message_id: str
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A frame that is none of the three; `message_id` "-1" where none could be read."""

    message_id: str
    problem: Problem
    detail: str


Frame = Call | CallResult | CallError | Malformed


def parse(text: str | bytes) -> Frame:
    """Return the frame in a WebSocket message."""
    if isinstance(text, bytes):
        return Malformed(NO_ID, Problem.FRAME, "a binary message")
    frame, is_mended = _read(text)
    if frame is None:
        return Malformed(NO_ID, Problem.FRAME, "not JSON")
    if may_be_deep(text) and _is_deep(frame):
        return Malformed(NO_ID, Problem.FRAME, "nested too deeply")
    if "\\u0000" in text:
        frame = _without_nul(frame)
    if not isinstance(frame, list) or not frame:
        return Malformed(NO_ID, Problem.FRAME, "not an array")
    message_id = frame[1] if len(frame) > 1 else None
    if not isinstance(message_id, str) or not 0 < len(message_id) <= LONGEST_ID_COUNT:
        return Malformed(NO_ID, Problem.FRAME, "the message id cannot be read")
    kind = frame[0] if type(frame[0]) is int else None
    if kind == CALL:
        return _call(message_id, frame, is_mended=is_mended)
    if kind == CALL_RESULT:
        return _result(message_id, frame)
    if kind == CALL_ERROR:
        return _error(message_id, frame)
    return Malformed(message_id, Problem.MESSAGE_TYPE, "unknown message type")


def _read(text: str) -> tuple[Any, bool]:
    """Return the value, None where none can be made of the text, and whether that took more than JSON's rules."""
    try:
        return orjson.loads(text), False
    except orjson.JSONDecodeError:
        if may_be_deep(text):
            return None, True
    try:
        return odd_json.read(text), True
    except (ValueError, RecursionError):
        return None, True


def _call(message_id: str, frame: list[Any], *, is_mended: bool) -> Call | Malformed:
    if len(frame) != CALL_LENGTH:
        return Malformed(message_id, Problem.FORMAT, "a call has four elements")
    _, _, action, payload = frame
    if not isinstance(action, str) or not isinstance(payload, dict):
        return Malformed(message_id, Problem.FORMAT, "a call names an action and carries an object")
    return Call(message_id, action, payload, is_mended)


def _result(message_id: str, frame: list[Any]) -> CallResult | CallError:
    if len(frame) != RESULT_LENGTH or not isinstance(frame[2], dict):
        return CallError(message_id, "Malformed", "the station's result is not an object")
    return CallResult(message_id, frame[2])


def _error(message_id: str, frame: list[Any]) -> CallError:
    texts = [str(part)[:LONGEST_TEXT_COUNT] for part in frame[2:4] if isinstance(part, str)]
    return CallError(message_id, texts[0] if texts else "Malformed", texts[1] if len(texts) > 1 else "")


def may_be_deep(text: str) -> bool:
    """Whether counting alone leaves it possible that a JSON text nests too deeply; False is certain.

    Every `{` right behind a `},` opens after something was closed, so it leads no deeper. Texts that contain such
    characters only raise the bound, or leave it as it is.
    """
    opened_count = text.count("{") + text.count("[")
    if opened_count <= DEEPEST_NESTING:
        return False
    return opened_count - text.count("},{") - text.count("}, {") > DEEPEST_NESTING


def _is_deep(frame: Any) -> bool:
    """Whether anything but a text lies more than `DEEPEST_NESTING` levels below the frame."""
    level = [frame]
    for _ in range(DEEPEST_NESTING + 1):
        holders = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [item for holder in holders for item in holder if not isinstance(item, str)]
    return bool(level)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value


def call_text(message_id: str, action: str, payload: Payload) -> str:
    """Spell a call."""
    return orjson.dumps([CALL, message_id, action, payload]).decode()


def result_text(message_id: str, payload: Payload) -> str:
    """Spell an answer."""
    return orjson.dumps([CALL_RESULT, message_id, payload]).decode()


def error_text(message_id: str, code: str, detail: str) -> str:
    """Spell an error answer; the description has at most 255 characters (OCPP 2.0.1 part 4)."""
    return orjson.dumps([CALL_ERROR, message_id, code, detail[:LONGEST_TEXT_COUNT], {}]).decode()
