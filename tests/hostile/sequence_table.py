"""Sequences: repetitions, disorder, lost parts and reconnects, declared as what a station says one after the other."""

from typing import Any

from cases import TX, V16, V201, Ask, Refused, Result, Row, Step, at, both
from rows import CARD
from spellings import GONE, authorize, boot, event, meter, start, status, stop, value

STARTED = Result({"idTagInfo": {"status": "Accepted"}})
NO_START = "an update of an unknown session: its start was lost"
NO_SESSION = "the end of an unknown session"
RUNNING = {"ended_at": None}
BACKWARDS = "the register ran backwards"  # a note only: without power values nobody knows that it is an old one
CHARGING = {"transactionId": "tx-1", "chargingState": "Charging"}


def row(version: str, name: str, *steps: Step | Ask, quarantine: tuple[str, ...] = (), sessions: Any = None) -> Row:
    """A row whose bare calls are answered with any result."""
    full = tuple(step if isinstance(step, tuple) else (step, Result()) for step in steps)
    return Row(name, version, full, quarantine, sessions=sessions)


def end(**changes: Any) -> Ask:
    return stop(transactionId=TX, timestamp=at(minutes=1), **changes)


OFFLINE = at(hours=-2)
OFFLINE_LATER = at(hours=-1)

ROWS: tuple[Row, ...] = (
    # 1.6: repetitions with new ids, stops without and before starts (pain 2)
    row(V16, "a start said three times is one session", start(), start(), start(), sessions=(RUNNING,)),
    row(
        V16,
        "a start with another register is another session",
        start(),
        start(meterStart=1001, timestamp=at(seconds=1)),
        sessions=({"end_reason": "superseded"}, RUNNING),
        quarantine=("session * was still running at EVSE 1",),
    ),
    row(V16, "a stop said twice", start(), end(), end(), sessions=({"delivered_wh": 500},)),
    row(
        V16,
        "another stop of the same transaction after a reboot",
        start(),
        end(),
        boot(V16),
        end(meterStop=1600, reason="PowerLoss"),
        sessions=({"delivered_wh": 500},),
    ),
    row(
        V16,
        "a stop without any start, said twice",
        stop(transactionId=77),
        stop(transactionId=77),
        sessions=(),
        quarantine=(NO_SESSION,),
    ),
    row(
        V16,
        "an offline session that stops as transaction 0",
        stop(transactionId=0, timestamp=OFFLINE),
        stop(transactionId=-1, timestamp=OFFLINE_LATER),
        sessions=(),
        quarantine=(NO_SESSION, NO_SESSION),
    ),
    row(
        V16,
        "a start that is told two hours late",
        start(timestamp=OFFLINE),
        end(),
        sessions=({"is_offline_replay": True, "delivered_wh": 500},),
    ),
    row(
        V16,
        "two cars within a minute at one connector",
        start(),
        end(),
        start(meterStart=1500, timestamp=at(minutes=1)),
        sessions=({"delivered_wh": 500}, RUNNING),
    ),
    row(V16, "both connectors at once", start(), start(connectorId=2), sessions=(RUNNING, RUNNING)),
    row(
        V16,
        "meter values after the stop",
        start(),
        end(),
        meter(V16, value({"value": "9000"}, timestamp=at(minutes=2)), transactionId=TX),
        sessions=({"delivered_wh": 500},),
    ),
    row(
        V16,
        "old meter values after newer ones",
        start(),
        meter(V16, value({"value": "1400"}, timestamp=at(seconds=50)), transactionId=TX),
        meter(V16, value({"value": "1200"}, timestamp=at(seconds=20)), transactionId=TX),
        end(),
        quarantine=(BACKWARDS,),
        sessions=({"delivered_wh": 500},),
    ),
    row(
        V16,
        "meter values said twice",
        start(),
        *[meter(V16, value({"value": "1400"}, timestamp=at(seconds=50)), transactionId=TX)] * 2,
        end(),
        sessions=({"delivered_wh": 500},),
    ),
    row(V16, "a start without a boot or a status before it", start(), sessions=(RUNNING,)),
    row(
        V16,
        "an authorization by a stranger in between",
        start(),
        (authorize(V16, idTag="x"), Result({"idTagInfo": {"status": "Invalid"}})),
        end(),
        sessions=({"delivered_wh": 500},),
    ),
    row(
        V16,
        "a stop by another token",
        start(),
        (end(idTag="x"), Result({"idTagInfo": {"status": "Invalid"}})),
        sessions=({"delivered_wh": 500},),
    ),
    row(V16, "a boot within a session", start(), boot(V16), end(), sessions=({"delivered_wh": 500},)),
    row(V16, "ten boots in a row", *[boot(V16)] * 10),
    row(
        V16,
        "every status after each other",
        *[
            status(V16, status=name)
            for name in (
                "Available",
                "Preparing",
                "Charging",
                "SuspendedEV",
                "SuspendedEVSE",
                "Finishing",
                "Reserved",
                "Unavailable",
                "Faulted",
            )
        ],
    ),
    # 2.0.1 (E01 to E08, E04 offline)
    row(
        V201,
        "every event said twice",
        *[event("Started", 0, register_wh=1000)] * 2,
        *[event("Updated", 1, register_wh=1200, timestamp=at(seconds=30))] * 2,
        *[event("Ended", 2, register_wh=1500, timestamp=at(minutes=1))] * 2,
        sessions=({"delivered_wh": 500},),
    ),
    row(
        V201,
        "an end before its start",
        event("Ended", 1, register_wh=1500, timestamp=at(minutes=1)),
        event("Started", 0, register_wh=1000),
        quarantine=(NO_SESSION,),
        sessions=({"end_reason": "its end came before its start"},),
    ),
    row(
        V201,
        "an update before its start",
        event("Updated", 1, register_wh=1200, timestamp=at(seconds=30), transactionInfo=CHARGING),
        event("Started", 0, register_wh=1000),
        event("Ended", 2, register_wh=1500, timestamp=at(minutes=1)),
        sessions=({"delivered_wh": 500},),
        quarantine=(NO_START, BACKWARDS),
    ),
    row(
        V201,
        "a late update never reopens a session",
        event("Started", 0, register_wh=1000),
        event("Ended", 2, register_wh=1500, timestamp=at(minutes=1)),
        event("Updated", 1, register_wh=1200, timestamp=at(seconds=30)),
        quarantine=(BACKWARDS,),
        sessions=({"delivered_wh": 500, "end_reason": "Local"},),
    ),
    row(
        V201,
        "sequence numbers always 0",
        event("Started", 0, register_wh=1000),
        event("Updated", 0, register_wh=1200, timestamp=at(seconds=30)),
        event("Ended", 0, register_wh=1500, timestamp=at(minutes=1)),
        sessions=({"delivered_wh": 500},),
    ),
    row(
        V201,
        "sequence numbers that count down",
        event("Started", 9, register_wh=1000),
        event("Updated", 8, register_wh=1200, timestamp=at(seconds=30)),
        event("Ended", 7, register_wh=1500, timestamp=at(minutes=1)),
        sessions=({"delivered_wh": 500},),
    ),
    row(
        V201,
        "two ends of one session",
        event("Started", 0, register_wh=1000),
        event("Ended", 1, register_wh=1500, timestamp=at(minutes=1)),
        event("Ended", 2, register_wh=1700, timestamp=at(minutes=2)),
        sessions=({"delivered_wh": 500},),
        quarantine=("another end of a session that is over",),
    ),
    row(
        V201,
        "two starts of one session",
        event("Started", 0, register_wh=1000),
        event("Started", 1, register_wh=1100, timestamp=at(seconds=9)),
        sessions=(RUNNING,),
        quarantine=("another start of a session that is known already",),
    ),
    row(
        V201,
        "a new session over a running one",
        event("Started", 0, tx="old"),
        event("Started", 0, tx="new", timestamp=at(seconds=9)),
        sessions=({"end_reason": "superseded"}, {"station_ref": "new", "ended_at": None}),
        quarantine=("session old was still running at EVSE 1",),
    ),
    row(
        V201,
        "an offline session told in one go",
        event("Started", 0, tx="off", register_wh=1000, timestamp=OFFLINE, offline=True),
        event("Ended", 1, tx="off", register_wh=1500, timestamp=OFFLINE_LATER, offline=True),
        sessions=({"is_offline_replay": True, "delivered_wh": 500},),
    ),
    row(
        V201,
        "an offline session told while another runs",
        event("Started", 0, tx="on"),
        event("Started", 0, tx="off", timestamp=OFFLINE, offline=True),
        sessions=({"station_ref": "off", "end_reason": "superseded"}, {"station_ref": "on", "ended_at": None}),
    ),
    row(
        V201,
        "a token that comes late",
        event("Started", 0),
        (
            event("Updated", 1, timestamp=at(seconds=9), idToken={"idToken": CARD, "type": "ISO14443"}),
            Result({"idTokenInfo": {"status": "Accepted"}}),
        ),
        sessions=({"token": CARD},),
    ),
    row(
        V201,
        "an EVSE that is named only once",
        event("Started", 0, register_wh=1000),
        event("Updated", 1, register_wh=1200, timestamp=at(seconds=30), evse=GONE),
        event("Ended", 2, register_wh=1500, timestamp=at(minutes=1)),
        sessions=({"delivered_wh": 500},),
    ),
    row(V201, "ten boots in a row", *[boot(V201)] * 10),
    row(
        V201,
        "a session within a boot's answer",
        event("Started", 0),
        boot(V201),
        event("Ended", 1, timestamp=at(minutes=1)),
        sessions=({"end_reason": "Local"},),
    ),
    *both(
        "a refused call changes nothing for the next",
        (Ask("Nonsense", {}), Refused("NotImplemented")),
        (Ask("Heartbeat", {}), Result()),
        counts={"refused_not_implemented": 1},
    ),
)
