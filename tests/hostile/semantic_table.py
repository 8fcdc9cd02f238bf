"""Semantics: valid by the schema, odd in the world. Everything is answered; what is not believed is quarantined."""

from typing import Any

from cases import TX, V16, V201, Ask, Result, Row, Step, both
from rows import CARD
from spellings import POWER, REGISTER, at, authorize, event, meter, start, status, stop, value

NO_START = "an update of an unknown session: its start was lost"
NO_SESSION = "the end of an unknown session"
UNREADABLE = "the timestamp cannot be read"
FUTURE = "the timestamp lies in the future"
TOO_OLD = "the timestamp lies too far back"
NO_CONNECTOR = "a start at an impossible connector"
NO_SUCH = "the station has no EVSE {}"
STARTED = Result({"idTagInfo": {"status": "Accepted"}})
INVALID_16 = Result({"idTagInfo": {"status": "Invalid"}})
INVALID_201 = Result({"idTokenInfo": {"status": "Invalid"}})
ABSURD = 1_634_030_126  # a NumberOfConnectors that a real charger has told


def said(
    name: str, version: str, step: Ask, *quarantine: str, answer: Result | None = None, **more: Any
) -> tuple[Row, ...]:
    return (Row(name, version, ((step, answer or Result()),), tuple(quarantine), **more),)


def clocks(name: str, stamp: str, doubt: str) -> tuple[Row, ...]:
    """A time in every message that says one, of both versions."""
    doubts = (doubt,) if doubt else ()
    return (
        *said(f"a start {name}", V16, start(timestamp=stamp), *doubts, answer=STARTED),
        *said(f"a stop {name}", V16, stop(timestamp=stamp), *doubts, NO_SESSION),
        *said(f"meter values {name}", V16, meter(V16, value({"value": "1"}, timestamp=stamp)), *doubts),
        *said(f"an event {name}", V201, event("Started", timestamp=stamp), *doubts),
    )


def session_16(
    name: str, *between: Step, stop_wh: Any, quarantine: tuple[str, ...] = (), counts: Any = None, **row: Any
) -> Row:
    """A 1.6 session from register 1,000 Wh with something in the middle, and what its row says in the end."""
    steps = (
        (start(), STARTED),
        *between,
        (stop(transactionId=TX, meterStop=stop_wh, timestamp=at(minutes=1)), Result()),
    )
    return Row(name, V16, steps, quarantine, counts or {}, sessions=(row,))


def session_201(
    name: str, *between: Step, stop_wh: Any, quarantine: tuple[str, ...] = (), counts: Any = None, **row: Any
) -> Row:
    """The same in 2.0.1."""
    steps = (
        (event("Started", register_wh=1000), Result()),
        *between,
        (event("Ended", 9, register_wh=stop_wh, timestamp=at(minutes=1)), Result()),
    )
    return Row(name, V201, steps, quarantine, counts or {}, sessions=(row,))


def metered(*sampled: Any, seconds: int = 30) -> Step:
    return meter(V16, value(*sampled, timestamp=at(seconds=seconds)), transactionId=TX), Result()


def updated(seq_no: int, *sampled: Any, seconds: int = 30, **changes: Any) -> Step:
    stamp = at(seconds=seconds)
    return event("Updated", seq_no, timestamp=stamp, meterValue=[value(*sampled, timestamp=stamp)], **changes), Result()


def metered_201(*sampled: Any, seconds: int = 30) -> Step:
    return meter(V201, value(*sampled, timestamp=at(seconds=seconds))), Result()


ROWS: tuple[Row, ...] = (
    # clocks (pain 3)
    *clocks("without a zone", "2026-04-01T07:00:00", ""),
    *clocks("without a zone, nine hours off", "2026-04-01T16:00:00", FUTURE),
    *clocks("in 1970", "1970-01-01T00:00:00Z", TOO_OLD),
    *clocks("in the year 222222017", "222222017-01-01T00:00:00Z", UNREADABLE),
    *clocks("of a day that is none", "2026-02-30T07:00:00Z", UNREADABLE),
    *clocks("that says yesterday", "yesterday", UNREADABLE),
    *clocks("in another zone", "2026-04-01T16:00:00+09:00", ""),
    *clocks("with nine decimals", "2026-04-01T07:00:00.123456789Z", ""),
    *clocks("beyond all zones", "0001-01-01T00:00:00+23:59", UNREADABLE),
    # ids that nobody issued (pain 2)
    *said("a stop of transaction 0", V16, stop(transactionId=0), NO_SESSION),
    *said("a stop of transaction -1", V16, stop(transactionId=-1), NO_SESSION),
    *said("a stop of another's transaction", V16, stop(transactionId=2**31 - 1), NO_SESSION),
    *said(
        "a stop of a transaction beyond 64 bits",
        V16,
        stop(transactionId=2**70),
        "a stop without a transaction id",
        counts={"repair_tolerated_type": 1},
    ),
    *said("meter values of transaction -1", V16, meter(V16, value({"value": "1"}), transactionId=-1)),
    *said("an update of a session that nobody started", V201, event("Updated", 3), NO_START),
    *said("the end of a session that nobody started", V201, event("Ended", 4), NO_SESSION),
    *said("a transaction id in SQL", V201, event("Started", tx="'; DROP TABLE charging;--")),
    *said("a transaction id of emoji", V201, event("Started", tx="🔌" * 36)),
    *said("a transaction id with a NUL", V201, event("Started", tx="a\x00b")),
    # numbers (pains 6 and 8)
    *said("a start at connector 0", V16, start(connectorId=0), NO_SUCH.format(0), answer=STARTED),
    *said("a start at connector -1", V16, start(connectorId=-1), NO_CONNECTOR, NO_SUCH.format(0), answer=STARTED),
    *said("a start at connector 3 of 2", V16, start(connectorId=3), NO_SUCH.format(3), answer=STARTED),
    *said(
        "a start at an absurd connector",
        V16,
        start(connectorId=ABSURD),
        NO_CONNECTOR,
        NO_SUCH.format(0),
        answer=STARTED,
    ),
    *said(
        "a start with a negative register",
        V16,
        start(meterStart=-7),
        "a start without a believable register",
        answer=STARTED,
    ),
    *said(
        "a start with a register of 2^63",
        V16,
        start(meterStart=2**63),
        "a start without a believable register",
        answer=STARTED,
    ),
    *said(
        "a stop with a register of 2^63", V16, stop(meterStop=2**63), "a stop without a believable register", NO_SESSION
    ),
    *said(
        "a stop with a negative register", V16, stop(meterStop=-7), "a stop without a believable register", NO_SESSION
    ),
    *said(
        "a status of an absurd connector",
        V16,
        status(V16, connectorId=ABSURD),
        "a status of no known connector or of no known name",
    ),
    *said("a status of connector 3 of 2", V16, status(V16, connectorId=3), NO_SUCH.format(3)),
    *said("a status of the whole station", V16, status(V16, connectorId=0)),
    *said(
        "a status of an absurd EVSE", V201, status(V201, evseId=ABSURD), "a status of no known EVSE or of no known name"
    ),
    *said(
        "an event of EVSE -1",
        V201,
        event("Started", evse={"id": -1}),
        "an event of an impossible EVSE",
        NO_SUCH.format(0),
    ),
    *said("an event of EVSE 3 of 2", V201, event("Started", evse={"id": 3}), NO_SUCH.format(3)),
    *said("meter values of EVSE 3 of 2", V201, meter(V201, value({"value": 1}), evseId=3), NO_SUCH.format(3)),
    *said(
        "meter values of an absurd connector",
        V16,
        meter(V16, value({"value": "1"}), connectorId=ABSURD),
        "meter values of no known connector, or none at all",
    ),
    *said("a negative register", V16, meter(V16, value({"value": "-5"})), f"{REGISTER} is negative"),
    *said("a register of 10^15", V16, meter(V16, value({"value": "1e15"})), f"{REGISTER} is impossibly large"),
    *said(
        "a power of 10 MW", V201, meter(V201, value({"value": 1e7, "measurand": POWER})), f"{POWER} is impossibly large"
    ),
    *said(
        "a number of 1e308 with a multiplier of 9",
        V201,
        meter(V201, value({"value": 1e308, "unitOfMeasure": {"multiplier": 9}}, {"value": 1})),
        f"{REGISTER} is impossibly large",
    ),
    # tokens
    *said("a token in SQL", V16, authorize(V16, idTag="' OR 1=1 --"), answer=INVALID_16),
    *said("an empty token", V16, authorize(V16, idTag=""), "an authorisation without a token", answer=INVALID_16),
    *said("a token of blanks", V16, authorize(V16, idTag="   "), answer=INVALID_16),
    *said("a token of line ends and escapes", V16, authorize(V16, idTag="\r\n\x1b[31mroot"), answer=INVALID_16),
    *said(
        "a token with a wildcard", V201, authorize(V201, idToken={"idToken": "%", "type": "Local"}), answer=INVALID_201
    ),
    *said("a start by nobody known", V16, start(idTag="nobody"), answer=INVALID_16),
    *said(
        "the card in small letters",
        V16,
        authorize(V16, idTag=CARD.lower()),
        answer=Result({"idTagInfo": {"status": "Accepted"}}),
    ),
    # what a session makes of odd metering (pain 6)
    session_16("a session that is metered well", metered({"value": "1200"}), stop_wh=1500, delivered_wh=500),
    session_16("a stop below the start", stop_wh=400, delivered_wh=0, quarantine=("the register ran backwards",)),
    session_16(
        "a register that runs backwards",
        metered({"value": "1300"}),
        metered({"value": "1100"}, seconds=40),
        stop_wh=1500,
        delivered_wh=500,
        quarantine=("the register ran backwards",),
    ),
    session_16(
        "a register that jumps",
        metered({"value": "900000"}),
        stop_wh=1500,
        delivered_wh=500,
        quarantine=("the register grew faster than the EVSE can deliver",),
    ),
    session_16(
        "kWh labelled Wh",
        metered({"value": "1.2", "unit": "Wh"}),
        stop_wh=1500,
        delivered_wh=500,
        quarantine=("the register ran backwards",),
    ),
    session_16("kWh", metered({"value": "1.2", "unit": "kWh"}), stop_wh=1500, delivered_wh=500),
    session_16(
        "duplicate measurands of other contexts",
        metered(
            {"value": "0", "context": "Sample.Clock"},
            {"value": "1200", "context": "Sample.Periodic"},
            {"value": "9", "context": "Transaction.Begin"},
        ),
        stop_wh=1500,
        delivered_wh=500,
    ),
    session_16(
        "phases without a total",
        metered({"value": "400", "phase": "L1"}, {"value": "400", "phase": "L2"}, {"value": "400", "phase": "L3"}),
        stop_wh=1500,
        delivered_wh=500,
    ),
    session_16(
        "only NaN", metered({"value": "NaN"}), stop_wh=1500, delivered_wh=500, counts={"repair_sample_dropped": 1}
    ),
    session_16(
        "nothing but currents",
        metered({"value": "16", "measurand": "Current.Import", "unit": "A"}),
        stop_wh=1500,
        delivered_wh=500,
    ),
    session_201("a session that is metered well", updated(1, {"value": 1200}), stop_wh=1500, delivered_wh=500),
    session_201(
        "MeterValues instead of TransactionEvent", metered_201({"value": 1200}), stop_wh=1500, delivered_wh=500
    ),
    session_201(
        "sequence numbers that are always 0",
        updated(0, {"value": 1100}, seconds=10),
        updated(0, {"value": 1200}, seconds=20),
        stop_wh=1500,
        delivered_wh=500,
    ),
    session_201(
        "kWh by a multiplier",
        updated(1, {"value": 1.2, "unitOfMeasure": {"unit": "Wh", "multiplier": 3}}),
        stop_wh=1500,
        delivered_wh=500,
    ),
    session_201(
        "a register that runs backwards",
        updated(1, {"value": 1300}),
        updated(2, {"value": 1100}, seconds=40),
        stop_wh=1500,
        delivered_wh=500,
        quarantine=("the register ran backwards",),
    ),
    session_201(
        "phases beside a total",
        updated(1, {"value": 1200}, {"value": 400, "phase": "L1"}),
        stop_wh=1500,
        delivered_wh=500,
    ),
    session_201("values of another EVSE", updated(1, {"value": 77}, evse={"id": 2}), stop_wh=1500, delivered_wh=500),
    session_201(
        "an end without an EVSE",
        updated(1, {"value": 1200}, evse={}),
        stop_wh=1500,
        delivered_wh=500,
        counts={"repair_tolerated_required": 1},
    ),
    *both("a heartbeat out of the blue", (Ask("Heartbeat", {}), Result())),
)
