"""CPU per frame of the message log (redaction and queueing) beside decoding the same frame, ratios in one run.

    ./run bench frame_log [--rounds N] [--json FILE]

The writer's share (one INSERT for hundreds of frames) is not included: it runs behind the messages.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.ocpp_central.redaction import redacted
from app.ocpp_central.rpc import Call, parse
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201

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

    decode()
    pairs = [(cpu_us(lambda: redacted(frame)), cpu_us(decode)) for _ in range(rounds)]
    log_us, decode_us = (statistics.median(side) for side in zip(*pairs, strict=True))
    return {
        "case": name,
        "characters": len(frame),
        "log_us": round(log_us, 2),
        "decode_us": round(decode_us, 1),
        "share": round(log_us / decode_us, 3),
    }


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, choices=range(3, 201), metavar="3..200")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [measure(name, arguments.rounds) for name in CASES]
    table = Table(title="CPU per frame: the message log beside decoding", title_justify="left")
    for head in ("case", "characters", "log µs", "decode µs", "log/decode"):
        table.add_column(head, justify="left" if head == "case" else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
