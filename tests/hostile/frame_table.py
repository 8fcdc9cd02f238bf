"""Frames: what WebSocket and OCPP-J themselves forbid or leave open (OCPP 1.6J §4, OCPP 2.0.1 part 4 §4)."""

import json

from cases import (
    V16,
    V201,
    Binary,
    Closed,
    Parts,
    Refused,
    Result,
    Row,
    Silence,
    Step,
    Text,
    Wire,
    both,
    masked,
)
from websockets.frames import Opcode

BEAT = '[2,"a","Heartbeat",{}]'
MALFORMED = {"malformed_frame": 1}
BEYOND_THE_BOUND = "x" * 300_000
LONG_ID = "i" * 255


def call(action: object = "Heartbeat", payload: object = None, message_id: object = "a") -> Text:
    return Text(json.dumps([2, message_id, action, {} if payload is None else payload]))


def unreadable(name: str, step: Text | Binary) -> tuple[Row, Row]:
    """A frame without a readable id: 1.6 keeps silent, 2.0.1 answers with the id "-1"."""
    return (
        Row(name, V16, ((step, Silence()),), counts=MALFORMED),
        Row(name, V201, ((step, Refused("RpcFrameworkError", "-1")),), counts=MALFORMED),
    )


def untyped(name: str, text: str) -> tuple[Row, Row]:
    """A frame of an unknown type: 1.6J §4.1.3 ignores it, 2.0.1 part 4 §4.1.3 says so."""
    return (
        Row(name, V16, ((Text(text), Silence()),), counts=MALFORMED),
        Row(name, V201, ((Text(text), Refused("MessageTypeNotSupported")),), counts=MALFORMED),
    )


def misshapen(name: str, step: Text) -> tuple[Row, Row]:
    """A call whose id can be read but not its parts."""
    return (
        Row(name, V16, ((step, Refused("FormationViolation")),), counts=MALFORMED),
        Row(name, V201, ((step, Refused("FormatViolation")),), counts=MALFORMED),
    )


def ends(name: str, step: Step) -> tuple[Row, Row]:
    return both(name, step)


ROWS: tuple[Row, ...] = (
    *unreadable("an empty message", Text("")),
    *unreadable("a binary message", Binary(BEAT.encode())),
    *unreadable("an object instead of an array", Text("{}")),
    *unreadable("a bare text", Text('"Heartbeat"')),
    *unreadable("a bare number", Text("2")),
    *unreadable("null", Text("null")),
    *unreadable("an empty array", Text("[]")),
    *unreadable("a lone message type", Text("[2]")),
    *unreadable("an id that is a number", call(message_id=7)),
    *unreadable("an id that is an object", call(message_id={"a": 1})),
    *unreadable("an id that is null", call(message_id=None)),
    *unreadable("an empty id", call(message_id="")),
    *unreadable("an id of 256 characters", call(message_id="i" * 256)),
    *unreadable("an id of 100,000 characters", call(message_id="i" * 100_000)),
    *untyped("message type 5", '[5,"a","Heartbeat",{}]'),
    *untyped("OCPP 2.1's SEND", '[6,"a","NotifyPeriodicEventStream",{}]'),
    *untyped("message type -1", '[-1,"a","Heartbeat",{}]'),
    *untyped("message type 2 as text", '["2","a","Heartbeat",{}]'),
    *untyped("message type 2.0", '[2.0,"a","Heartbeat",{}]'),
    *untyped("message type true", '[true,"a","Heartbeat",{}]'),
    *untyped("an enormous message type", '[99999999999999999999,"a","Heartbeat",{}]'),
    *misshapen("a call without a payload", Text('[2,"a","Heartbeat"]')),
    *misshapen("a call with five elements", Text('[2,"a","Heartbeat",{},{}]')),
    *misshapen("a payload of null", Text('[2,"a","Heartbeat",null]')),
    *misshapen("a payload that is an array", call(payload=[1])),
    *misshapen("a payload that is text", call(payload="{}")),
    *misshapen("an action that is a number", call(action=5)),
    *misshapen("an action that is null", Text('[2,"a",null,{}]')),
    *both("an id longer than 36 characters is echoed", (call(message_id=LONG_ID), Result(message_id=LONG_ID))),
    *both(
        "an id with quotes, escapes and a line end is echoed",
        (call(message_id='"\\\n\x1b[31m'), Result(message_id='"\\\n\x1b[31m')),
    ),
    *both("an id used twice is answered twice", (call(), Result()), (call(), Result())),
    *both("a call in seven fragments", (Parts(('[2,"a"', ",", '"Heart', "beat", '"', ",{}", "]")), Result())),
    *both("a call in fragments of one byte", (Parts(tuple(BEAT)), Result())),
    *both(
        "a ping between two fragments",
        (
            Wire(
                masked(Opcode.TEXT, b'[2,"a",', fin=False)
                + masked(Opcode.PING, b"?")
                + masked(Opcode.CONT, b'"Heartbeat",{}]')
            ),
            Result(),
        ),
    ),
    *both("four hundred pings", (Wire(masked(Opcode.PING, b"!") * 400), Silence())),
    *both("four hundred pongs that nobody asked for", (Wire(masked(Opcode.PONG, b"!") * 400), Silence())),
    *both(
        "empty fragments without end",
        (
            Wire(
                masked(Opcode.TEXT, b"", fin=False)
                + masked(Opcode.CONT, b"", fin=False) * 500
                + masked(Opcode.CONT, BEAT.encode())
            ),
            Result(),
        ),
    ),
    *both(
        "a result that nobody asked for",
        (Text('[3,"never",{"status":"Accepted"}]'), Silence()),
        counts={"unsolicited_answer": 1},
    ),
    *both(
        "an error that nobody asked for",
        (Text('[4,"never","GenericError","",{}]'), Silence()),
        counts={"unsolicited_answer": 1},
    ),
    *both("a result without a payload", (Text('[3,"never"]'), Silence()), counts={"unsolicited_answer": 1}),
    *both("an error of odd parts", (Text('[4,"never",{"x":[]},7]'), Silence()), counts={"unsolicited_answer": 1}),
    *both(
        "a flood of results that nobody asked for",
        (Wire(masked(Opcode.TEXT, b'[3,"never",{}]') * 3000), Closed(1008)),
        counts=None,
    ),
    *ends(
        "a frame beyond the bound",
        (Text(json.dumps([2, "a", "DataTransfer", {"vendorId": BEYOND_THE_BOUND}])), Closed(1009)),
    ),
    *ends("fragments that are beyond the bound together", (Parts(("x" * 100_000,) * 3), Closed(1009))),
    *ends(
        "a frame that claims to have 2^62 bytes",
        (Wire(b"\x81\xff" + (2**62).to_bytes(8, "big") + b"mask"), Closed(1009)),
    ),
    Row(
        "a compressed frame that grows beyond the bound",
        V201,
        ((Text(json.dumps([2, "a", "DataTransfer", {"vendorId": BEYOND_THE_BOUND}])), Closed(1009)),),
        options={"compression": "deflate"},
    ),
    *ends("text that is not UTF-8", (Wire(masked(Opcode.TEXT, b'[2,"\xff\xfe"]')), Closed(1007))),
    *ends("text that ends within a character", (Wire(masked(Opcode.TEXT, "充".encode()[:2])), Closed(1007))),
    *ends("a surrogate in UTF-8", (Wire(masked(Opcode.TEXT, b'[2,"\xed\xa0\x80"]')), Closed(1007))),
    *ends("a frame that is not masked", (Wire(b"\x81\x02[]"), Closed(1002))),
    *ends("a reserved opcode", (Wire(b"\x83\x80mask"), Closed(1002))),
    *ends("reserved bits", (Wire(b"\xf1\x80mask"), Closed(1002))),
    *ends("a ping of 126 bytes", (Wire(b"\x89\xfe\x00\x7emask" + bytes(126)), Closed(1002))),
    *ends("a ping in fragments", (Wire(masked(Opcode.PING, b"?", fin=False)), Closed(1002))),
    *ends("a continuation of nothing", (Wire(masked(Opcode.CONT, b"x")), Closed(1002))),
    *ends(
        "a new message within another",
        (Wire(masked(Opcode.TEXT, b"x", fin=False) + masked(Opcode.TEXT, b"x")), Closed(1002)),
    ),
    *ends("a close code that may not be sent", (Wire(masked(Opcode.CLOSE, (1005).to_bytes(2, "big"))), Closed(1002))),
    *ends("a close frame of one byte", (Wire(masked(Opcode.CLOSE, b"\x03")), Closed(1002))),
    *ends("an ordinary end", (Wire(masked(Opcode.CLOSE, (1000).to_bytes(2, "big"))), Closed(1000))),
)
