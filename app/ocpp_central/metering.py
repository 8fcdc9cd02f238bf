"""From the meterValue lists that both dialects share to `Metered` facts, one bad sample never dropping the rest."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from app.domain.facts import Fact, Metered
from app.ocpp_central import samples
from app.ocpp_central.dialect import Message, list_of
from app.ocpp_central.moments import believe
from app.ocpp_central.samples import RawSample

MOST_INSTANTS_COUNT = 200
MOST_SAMPLES_COUNT = 200
HIGHEST_EVSE_NUMBER = 64
UNKNOWN_EVSE = 0

RawReader = Callable[[dict[str, Any]], RawSample | None]


def believable_evse(number: int | None) -> int | None:
    """Return an EVSE number that can be meant (0: the station), None for an absent or absurd one."""
    return number if number is not None and 0 <= number <= HIGHEST_EVSE_NUMBER else None


def is_believable_wh(register_wh: float | None) -> bool:
    """Whether a register that a transaction message names outside of its meter values can be meant."""
    return register_wh is not None and 0 <= register_wh <= samples.HIGHEST


def metered(
    message: Message, values: list[Any], evse_number: int, station_ref: str | None, read_raw: RawReader
) -> Iterator[Fact]:
    """Yield a `Metered` for every instant that has a believable sample, and a `Suspicious` for every doubt.

    `read_raw` returns a dialect's sample, None for one that is no number on purpose (signed data).
    """
    for value in values[:MOST_INSTANTS_COUNT]:
        if not isinstance(value, dict):
            message.repairs["meter_value_dropped"] += 1
            continue
        spelled = list_of(value, "sampledValue")[:MOST_SAMPLES_COUNT]
        found = samples.read([read_raw(each) for each in spelled if isinstance(each, dict)])
        if found.dropped_count:
            message.repairs["sample_dropped"] += found.dropped_count
        moment = believe(value.get("timestamp"), message.received_at)
        for doubt in (*found.doubts, moment.doubt):
            if doubt:
                yield message.suspicious(doubt)
        if found.samples:
            yield Metered(
                evse_number=evse_number,
                at=moment.at,
                received_at=message.received_at,
                station_ref=station_ref,
                register_wh=found.register_wh,
                power_w=found.power_w,
                samples=found.samples,
            )


def business_key(kind: str, *parts: Any) -> str:
    """Return the idempotency key of a transaction message, at most 50 characters, from the parts as they were sent."""
    text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return f"{kind}:{hashlib.sha256(text).hexdigest()[:40]}"
