"""JSON as some stations write it: bare NaN and infinities, half characters, a byte-order mark, endless numbers.

One such number must not cost a StopTransaction its other members. Read only after the strict reader has refused.
"""

import json
import math
from typing import Any

LONGEST_WHOLE_COUNT = 300
BYTE_ORDER_MARK = "\ufeff"

Number = float  # of whatever the message means by it


def read(text: str) -> Any:
    """Return the value; what is no finite number is null, half characters become "?". Raises ValueError.

    The text must not be nested deeply (`rpc.may_be_deep`): Python's reader recurses.
    """
    value = json.loads(
        text.removeprefix(BYTE_ORDER_MARK), parse_constant=lambda _: None, parse_float=_finite, parse_int=_whole
    )
    return _whole_characters(value)


def _finite(text: str) -> Number | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= LONGEST_WHOLE_COUNT else None


def _whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {_whole_characters(key): _whole_characters(item) for key, item in value.items()}
    return value
