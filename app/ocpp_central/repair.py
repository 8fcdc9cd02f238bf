"""Named repairs of schema-invalid but useful messages: strict first, then what can be mended without guessing.

What is left invalid after the last round stays as it is: the decoders take what they can read and say what they cannot.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from app.ocpp_central.rpc import Payload
from app.ocpp_central.schemas import Fault

Quantity = float  # in the unit that the message names beside it, or that its field implies

MOST_ROUNDS_COUNT = 4
LONGEST_NUMBER_COUNT = 40
LARGEST_WHOLE_COUNT = 2**53


def mend(payload: Payload, faults_of: Callable[[Payload], list[Fault]]) -> tuple[Payload, Counter[str]]:
    """Return a mended copy of the payload and how often each repair was needed."""
    mended: Payload = _copy(payload)
    done: Counter[str] = Counter()
    for _ in range(MOST_ROUNDS_COUNT):
        names = [name for fault in faults_of(mended) if (name := _repair(mended, fault))]
        if not names:
            break
        done.update(names)
    return mended, done


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _repair(payload: Payload, fault: Fault) -> str:
    """Mend one fault in place; return the repair's name, an empty text where there is none."""
    if fault.keyword == "additionalProperties":
        return _drop_unknown(payload, fault)
    if not fault.path:
        return ""
    holder = _at(payload, fault.path[:-1])
    key = fault.path[-1]
    try:
        value = holder[key]
    except (KeyError, IndexError, TypeError):
        return ""
    if fault.keyword == "maxLength" and isinstance(value, str):
        holder[key] = value[: fault.expected]
        return "text_shortened"
    if fault.keyword == "type":
        return _retype(holder, key, value, set(fault.expected))
    return ""


def _at(payload: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            payload = payload[step]
        except (KeyError, IndexError, TypeError):
            return None
    return payload


def _drop_unknown(payload: Payload, fault: Fault) -> str:
    holder = _at(payload, fault.path)
    if not isinstance(holder, dict):
        return ""
    for name in fault.expected:
        holder.pop(name, None)
    return "unknown_property_dropped"


def _retype(holder: Any, key: str | int, value: Any, expected: set[str]) -> str:
    if value is None and isinstance(holder, dict):
        del holder[key]
        return "null_dropped"
    if "array" in expected and isinstance(value, dict):
        holder[key] = [value]
        return "object_for_array"
    if isinstance(value, bool | dict | list):
        return ""
    if "string" in expected and isinstance(value, int | float):
        holder[key] = str(value)
        return "number_for_text"
    if "boolean" in expected and str(value).lower() in {"true", "false"}:
        holder[key] = str(value).lower() == "true"
        return "text_for_boolean"
    number = as_number(value)
    if number is None or abs(number) > LARGEST_WHOLE_COUNT or not expected & {"number", "integer"}:
        return ""
    holder[key] = round(number) if "integer" in expected else number
    return "text_for_number" if isinstance(value, str) else "fraction_for_integer"


def as_number(value: Any) -> Quantity | None:
    """Return a finite number from a number or its text (with a point or one comma), None from anything else."""
    if isinstance(value, str):
        if len(value) > LONGEST_NUMBER_COUNT and len(value := value.strip()) > LONGEST_NUMBER_COUNT:
            return None
        if "_" in value:
            return None
        if "," in value and "." not in value:
            value = value.replace(",", ".", 1)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
