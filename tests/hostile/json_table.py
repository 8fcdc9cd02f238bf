"""JSON: texts that are none, or that break readers (RFC 8259 leaves duplicates, depth and sizes open)."""

import json
from typing import Any

from cases import V16, V201, Refused, Result, Row, Silence, Text, both

MALFORMED = {"malformed_frame": 1}
TRANSFERRED = Result({"status": "UnknownVendorId"})


def nested(depth: int, opening: str = '{"a":', closing: str = "}") -> str:
    return opening * depth + "1" + closing * depth


def transfer(data: str) -> Text:
    """A DataTransfer with this JSON as its data, spelled as it stands."""
    return Text(f'[2,"a","DataTransfer",{{"vendorId":"x","data":{data}}}]')


def no_json(name: str, text: str) -> tuple[Row, Row]:
    return (
        Row(name, V16, ((Text(text), Silence()),), counts=MALFORMED),
        Row(name, V201, ((Text(text), Refused("RpcFrameworkError", "-1")),), counts=MALFORMED),
    )


def only_16(name: str, step: Text, answer: Any, **more: Any) -> tuple[Row]:
    return (Row(name, V16, ((step, answer),), **more),)


def only_201(name: str, step: Text, answer: Any, **more: Any) -> tuple[Row]:
    return (Row(name, V201, ((step, answer),), **more),)


def odd(name: str, data: str) -> tuple[Row]:
    """Data that is no JSON, and is read all the same (in 2.0.1, where data may be anything)."""
    return only_201(name, transfer(data), TRANSFERRED, counts={"repair_json_mended": 1})


ROWS: tuple[Row, ...] = (
    *odd("a bare NaN", "NaN"),
    *odd("an infinity", "-Infinity"),
    *odd("an integer of 10,000 digits", "9" * 10_000),
    *odd("half a character", '"\\ud83d"'),
    *both(
        "a byte-order mark",
        (Text('\ufeff[2,"a","DataTransfer",{"vendorId":"x"}]'), TRANSFERRED),
        counts={"repair_json_mended": 1},
    ),
    *only_16(
        "a stop with one bare NaN keeps the rest",
        Text(
            '[2,"a","StopTransaction",{"transactionId":4711,"meterStop":1500,"timestamp":"2026-04-01T07:00:00Z",'
            '"transactionData":[{"timestamp":"2026-04-01T07:00:00Z","sampledValue":[{"value":NaN}]}]}]'
        ),
        Result({}),
        quarantine=("the end of an unknown session",),
        counts=None,
    ),
    *no_json("prose", "GET / HTTP/1.1"),
    *no_json("a text that ends too early", '[2,"a","Heartbeat",{'),
    *no_json("a trailing comma", '[2,"a","Heartbeat",{},]'),
    *no_json("single quotes", "[2,'a','Heartbeat',{}]"),
    *no_json("a comment", '[2,"a","Heartbeat",{}] // beat'),
    *no_json("two documents", '[2,"a","Heartbeat",{}][2,"b","Heartbeat",{}]'),
    *no_json("keys without quotes", '[2,"a","Heartbeat",{x:1}]'),
    *no_json("XML", "<SOAP-ENV:Envelope/>"),
    *no_json("a raw line end in a text", '[2,"a\nb","Heartbeat",{}]'),
    *no_json("a raw NUL", '[2,"a","Heartbeat",{}]\x00'),
    *no_json("5,000 arrays that never end", "[" * 5000),
    *no_json("5,000 nested arrays", nested(5000, "[", "]")),
    *no_json("5,000 nested objects in a payload", f'[2,"a","Heartbeat",{nested(5000)}]'),
    *no_json("objects nested a little too deeply", f'[2,"a","Heartbeat",{nested(26)}]'),
    *both("a frame with spaces and line ends around", (Text(' \r\n\t[2 , "a",\n"Heartbeat" , { } ]\n '), Result())),
    *both("an action in escapes", (Text('[2,"a","\\u0048eartbeat",{}]'), Result())),
    *both(
        "a duplicate key: the last one counts",
        (Text('[2,"a","DataTransfer",{"vendorId":5,"vendorId":"x"}]'), TRANSFERRED),
    ),
    *both("a NUL in escapes", (Text('[2,"a","DataTransfer",{"vendorId":"x\\u0000y"}]'), TRANSFERRED)),
    *both("a NUL in the id is lost", (Text('[2,"a\\u0000","Heartbeat",{}]'), Result())),
    *both(
        "a NUL within a key",
        (Text('[2,"a","DataTransfer",{"vendor\\u0000Id":"x"}]'), TRANSFERRED),
    ),
    *both(
        "emoji, right-to-left marks and combining accents",
        (Text('[2,"a","DataTransfer",{"vendorId":"😀\u202e\u0301"}]'), TRANSFERRED),
    ),
    *both("a data text of 200,000 characters", (transfer(json.dumps("x" * 200_000)), TRANSFERRED)),
    *only_201("an array with 50,000 numbers", transfer(json.dumps([0] * 50_000)), TRANSFERRED),
    *only_201("an object with 10,000 keys", transfer(json.dumps({f"k{n}": n for n in range(10_000)})), TRANSFERRED),
    *only_201("objects nested just not too deeply", transfer(nested(20)), TRANSFERRED),
    *only_201("the smallest double", transfer("5e-324"), TRANSFERRED),
    *only_201("an integer of 300 digits", transfer("9" * 300), TRANSFERRED),
    *only_201("prototype-ish keys", transfer('{"__proto__":{"x":1},"constructor":null,"":0}'), TRANSFERRED),
    *only_16(
        "a data object where 1.6 wants text",
        transfer('{"a":1}'),
        TRANSFERRED,
        counts={"repair_tolerated_type": 1},
    ),
)
