"""The OCPP central measured: CPU beside the `ocpp` package, messages a second, memory, and the way back from a restart.

    ./run bench ocpp [--part cpu|sockets|memory|restart …] [--json FILE]

Everything runs on loopback and ends by itself; all parts take about six minutes on two cores. Figures of one run are
comparable with each other, not with those of another machine or hour.
"""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks.ocpp_parts import cpu, crowd, sockets
from benchmarks.ocpp_parts.tables import Result

PARTS = ("cpu", "sockets", "memory", "restart")


def main() -> None:
    """Measure the parts that were asked for, print their tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=15, choices=range(3, 101), metavar="3..100", help="of cpu")
    parser.add_argument("--stations", type=int, metavar="N", help="instead of 500 for sockets, 5,000 for the others")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the processes of the benchmark end with it
    asked = arguments.part or PARTS
    is_crowd = {"memory", "restart"} & set(asked)
    parts: dict[str, Callable[[], Result]] = {
        "cpu": lambda: cpu.run(arguments.rounds),
        "sockets": lambda: sockets.run(arguments.stations or sockets.STATION_COUNT),
        "crowd": lambda: crowd.run(
            arguments.stations or crowd.STATION_COUNT, with_memory="memory" in asked, with_restart="restart" in asked
        ),
    }
    console = Console(width=140)
    figures = {"machine": {"cores": os.cpu_count(), "python": platform.python_version()}}
    for name, measure in parts.items():
        if name not in asked and not (name == "crowd" and is_crowd):
            continue
        result = measure()
        figures[name] = result.figures
        for table in result.tables:
            table.show(console)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
