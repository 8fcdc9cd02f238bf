"""CPU per inbound call, decode → validate → values: Sunslot beside the `ocpp` package, ratios in one run.

    ./run bench decode [--rounds N] [--json FILE]

The peer does what its `route_message` does before it calls a handler: unpack, validate with its (cached) validator
(without the executor that it uses by default, which costs more), camelCase to snake_case. Sunslot does what its
session does before it records: parse, validate, decode into facts. Database, sockets and answers are excluded on both
sides. Rounds of both alternate, and the median round counts.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ocpp.charge_point import camel_to_snake_case
from ocpp.messages import _validate_payload, unpack
from rich.console import Console
from rich.table import Table

from app.ocpp_central.rpc import Call, parse
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201

NOW = datetime(2026, 4, 1, tzinfo=UTC)
CALLS_A_ROUND = 200


def samples_16(count: int) -> list[dict[str, str]]:
    """Return sampled values as OCPP 1.6 spells them."""
    common = {"measurand": "Current.Import", "unit": "A", "location": "Outlet"}
    return [{"value": str(100 + n), "phase": f"L{n % 3 + 1}", **common} for n in range(count)]


def samples_201(count: int) -> list[dict[str, object]]:
    """Return sampled values as OCPP 2.0.1 spells them."""
    common = {"measurand": "Current.Import", "unitOfMeasure": {"unit": "A"}}
    return [{"value": 100.5 + n, "phase": f"L{n % 3 + 1}", **common} for n in range(count)]


METER_VALUES = {
    "connectorId": 1,
    "transactionId": 77,
    "meterValue": [{"timestamp": "2026-04-01T00:00:00Z", "sampledValue": samples_16(10)}],
}
TRANSACTION_EVENT = {
    "eventType": "Updated",
    "timestamp": "2026-04-01T00:00:00Z",
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 4,
    "transactionInfo": {"transactionId": "a1b2", "chargingState": "Charging"},
    "evse": {"id": 1, "connectorId": 1},
    "meterValue": [{"timestamp": "2026-04-01T00:00:00Z", "sampledValue": samples_201(10)}],
}
CASES = {
    "1.6 MeterValues, 10 samples": ("1.6", Ocpp16(), "MeterValues", METER_VALUES),
    "2.0.1 TransactionEvent, 10 samples": ("2.0.1", Ocpp201(), "TransactionEvent", TRANSACTION_EVENT),
}


def cpu_us(work: Callable[[], object]) -> float:
    """Return the CPU time of one call in µs."""
    began_s = time.process_time()
    for _ in range(CALLS_A_ROUND):
        work()
    return (time.process_time() - began_s) / CALLS_A_ROUND * 1e6


def measure(name: str, rounds: int) -> dict[str, object]:
    """Return the medians of alternating rounds and their ratio."""
    version, dialect, action, payload = CASES[name]
    frame = json.dumps([2, "id-1", action, payload])

    def ours() -> object:
        call = parse(frame)
        assert isinstance(call, Call)  # noqa: S101 - the frame above is well-formed
        return dialect.decode(call.action, call.payload, NOW).facts

    def peer() -> object:
        message = unpack(frame)
        _validate_payload(message, version)
        return camel_to_snake_case(message.payload)

    ours()
    peer()
    pairs = [(cpu_us(ours), cpu_us(peer)) for _ in range(rounds)]
    sunslot_us, peer_us = (statistics.median(side) for side in zip(*pairs, strict=True))
    return {
        "case": name,
        "sunslot_us": round(sunslot_us, 1),
        "ocpp_package_us": round(peer_us, 1),
        "ratio": round(peer_us / sunslot_us, 1),
    }


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, choices=range(3, 201), metavar="3..200")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [measure(name, arguments.rounds) for name in CASES]
    table = Table(title="CPU per call, database and sockets excluded", title_justify="left")
    for head in ("case", "Sunslot µs", "ocpp package µs", "ratio"):
        table.add_column(head, justify="left" if head == "case" else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
