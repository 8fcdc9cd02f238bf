"""The real-time loop measured: CPU and statements of one cycle of the limit loop for 10, 100 and 1,000 EVSEs.

    ./run bench real_time [--part pure|database …] [--sizes N …] [--rounds N] [--json FILE]

`pure` is everything that is decided (rows, ledgers, following the sun, allocation), `database` the whole cycle with a
throw-away PostgreSQL. Steady: nothing is to be changed; dark and bright: the sun has just gone, or come threefold.
Figures of one run are comparable with each other, not with those of another machine or hour.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks.ocpp_parts.tables import Result
from benchmarks.real_time_parts import database, pure

SIZES = (10, 100, 1000)


def main() -> None:
    """Measure the parts that were asked for, print their tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", action="append", choices=("pure", "database"))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, choices=range(1, 101), metavar="1..100")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], Result]] = {
        "pure": lambda: pure.run(arguments.sizes, arguments.rounds),
        "database": lambda: database.run(arguments.sizes, arguments.rounds),
    }
    results = {}
    for name in arguments.part or parts:
        results[name] = parts[name]()
        for table in results[name].tables:
            table.show(Console())
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({name: result.figures for name, result in results.items()}, indent=2))


if __name__ == "__main__":
    main()
