"""CPU per frame of the message log beside decoding the same frame, ratios in one run.

    ./run bench frame_log [--rounds N] [--json FILE]

Noting is what an answer waits for; redaction is done by the writer, behind the messages, as is its one INSERT for
hundreds of frames (not measured here). The walk is what redaction costs where it takes no short cut: every trigger
looked for, the frame parsed, walked through and spelled again.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from app.ocpp_central.frame_log import FrameLog
from app.ocpp_central.redaction import TRIGGERS, redacted, walked
from app.ocpp_central.rpc import Call, parse
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201
from app.operations.transaction import Transactions
from app.runtime.clock import WallClock

NOW = datetime(2026, 4, 1, tzinfo=UTC)
STAMP = "2026-04-01T00:00:00Z"
CALLS_A_ROUND = 300
SAMPLE_16 = {"value": "100", "measurand": "Current.Import", "unit": "A", "location": "Outlet"}
SAMPLE_201 = {"value": 100.5, "measurand": "Current.Import", "unitOfMeasure": {"unit": "A"}}
EVENT = {
    "eventType": "Updated",
    "timestamp": STAMP,
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 4,
    "transactionInfo": {"transactionId": "a1b2", "chargingState": "Charging"},
    "evse": {"id": 1, "connectorId": 1},
    "meterValue": [{"timestamp": STAMP, "sampledValue": [SAMPLE_201 | {"phase": f"L{n % 3 + 1}"} for n in range(10)]}],
}
METER_VALUES = {
    "connectorId": 1,
    "transactionId": 77,
    "meterValue": [{"timestamp": STAMP, "sampledValue": [SAMPLE_16 | {"phase": f"L{n % 3 + 1}"} for n in range(10)]}],
}
START = {"connectorId": 1, "idTag": "04A1B2C3D4E5F6", "meterStart": 0, "timestamp": STAMP}
TOKEN = {"idToken": {"idToken": "04A1B2C3D4E5F6", "type": "ISO14443"}}
CASES = {
    "1.6 MeterValues, 10 samples": (Ocpp16(), "MeterValues", METER_VALUES),
    "1.6 StartTransaction (a token)": (Ocpp16(), "StartTransaction", START),
    "2.0.1 TransactionEvent, 10 samples": (Ocpp201(), "TransactionEvent", EVENT),
    "2.0.1 TransactionEvent with a token": (Ocpp201(), "TransactionEvent", EVENT | TOKEN),
}


HEADS = (
    "case",
    "characters",
    "note µs",
    "redaction µs",
    "walk µs",
    "decode µs",
    "note/decode",
    "redaction/decode",
    "walk/decode",
)


def cpu_us(work: Callable[[], object]) -> float:
    """Return the CPU time of one call in µs."""
    began_s = time.process_time()
    for _ in range(CALLS_A_ROUND):
        work()
    return (time.process_time() - began_s) / CALLS_A_ROUND * 1e6


def measure(name: str, rounds: int) -> dict[str, object]:
    """Return the medians of alternating rounds and their ratio."""
    dialect, action, payload = CASES[name]
    frame = json.dumps([2, "id-1", action, payload])

    def decode() -> object:
        call = parse(frame)
        assert isinstance(call, Call)  # noqa: S101 - the frame above is well-formed
        return dialect.decode(call.action, call.payload, NOW).facts

    call = parse(frame)
    noting = NoDatabase()
    decode()
    steps: dict[str, Callable[[], object]] = {
        "note": lambda: noting.frames.heard(frame, call),
        "redaction": lambda: redacted(frame),
        "walk": lambda: slowly(frame),
        "decode": decode,
    }
    rows = []
    for _ in range(rounds):
        rows.append({step: cpu_us(work) for step, work in steps.items()})
        noting = NoDatabase()
    costs_us = {step: statistics.median(row[step] for row in rows) for step in steps}
    shares = {f"{step}_share": round(costs_us[step] / costs_us["decode"], 3) for step in ("note", "redaction", "walk")}
    return {
        "case": name,
        "characters": len(frame),
        **{f"{step}_us": round(cost, 2) for step, cost in costs_us.items()},
        **shares,
    }


class NoDatabase:
    """A log that only notes."""

    def __init__(self) -> None:
        transactions = Transactions.__new__(Transactions)
        transactions.clock = WallClock()
        self.frames = FrameLog(transactions, 1).of("bench")


def slowly(frame: str) -> str:
    """Redact without a short cut."""
    lowered = frame.lower()
    return walked(frame, orjson.loads(frame)) if any(trigger in lowered for trigger in TRIGGERS) else frame


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, choices=range(3, 201), metavar="3..200")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [measure(name, arguments.rounds) for name in CASES]
    table = Table(title="CPU per frame: the message log beside decoding", title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="left" if head == "case" else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=140).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
