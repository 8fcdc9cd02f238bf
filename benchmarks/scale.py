"""Planning many cars measured: 100 to 100,000 plugged-in sessions on 96 slots, each size in a process of its own.

    ./run bench scale [--sizes N …] [--most-seconds S] [--json FILE]

Production configuration: risk prices, scarce feeders, tariff, demand target, arrivals, rounding to 6 A. CPU is the best
of three whole plans on one core. HiGHS solves the same flow as a linear programme, where that can be waited for. The
gap is what classes cost the single cars more than planning them one by one would. Figures of one run are comparable
with each other, not with those of another machine or hour.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.ocpp_parts.tables import Table

SIZES = (100, 1_000, 10_000, 100_000)
MOST_S = 60.0
WAIT_S = 900.0


def main() -> None:
    """Measure every size, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--most-seconds", type=float, default=MOST_S, metavar="S", help="HiGHS gives up after so long")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = [_measured(size, arguments.most_seconds) for size in arguments.sizes]
    for table in (_plans(figures), _peers(figures), _classes(figures)):
        table.show(Console())
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2))


def _measured(size: int, most_s: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale_parts.child", str(size), str(most_s)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=WAIT_S)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # HiGHS speaks before
    return figures


def _told(value: float | None, form: str = "{:.3f}") -> str:
    return "–" if value is None else form.format(value)


def _plans(figures: list[dict[str, Any]]) -> Table:
    heads = ("sessions", "slots", "scarce feeders", "planned as", "CPU s", "of it solving", "peak MB", "of it input MB")
    rows = [
        (
            each["sessions"],
            each["slots"],
            each["feeders"],
            f"{each['classes']} classes" if "classes" in each else "single cars",
            _told(each["cpu_s"]),
            _told(each.get("class_solve_s", each.get("single_solve_s"))),
            _told(each["peak_mb"], "{:.0f}"),
            _told(each["input_mb"], "{:.0f}"),
        )
        for each in figures
    ]
    return Table("A whole plan", heads, rows)


def _peers(figures: list[dict[str, Any]]) -> Table:
    """Return the solvers beside each other; a ratio is how many times longer HiGHS takes than our whole plan."""
    heads = (
        "sessions",
        "single cars solved s",
        "HiGHS IPM s",
        "ratio",
        "HiGHS simplex s",
        "ratio",
        "our cost over HiGHS's",
    )
    rows = []
    for each in figures:
        ipm_s, simplex_s = each.get("highs_ipm_s"), each.get("highs_simplex_s")
        rows.append(
            (
                each["sessions"],
                _told(each.get("single_solve_s")),
                _told(ipm_s),
                _told(ipm_s and ipm_s / each["cpu_s"], "{:.1f}"),
                _told(simplex_s),
                _told(simplex_s and simplex_s / each["cpu_s"], "{:.1f}"),
                _told(each.get("highs_simplex_gap"), "{:.1e}"),
            )
        )
    return Table("Beside HiGHS, on the same flow", heads, rows)


def _classes(figures: list[dict[str, Any]]) -> Table:
    heads = ("sessions", "classes", "over power Wh", "over need Wh", "totals off Wh", "cost gap %", "more unmet %")
    rows = [
        (
            each["sessions"],
            each["classes"],
            _told(each["over_power_wh"], "{:.4f}"),
            _told(each["over_need_wh"], "{:.4f}"),
            _told(each["totals_off_wh"], "{:.4f}"),
            _told(each["cost_gap"] * 100 if "cost_gap" in each else None, "{:.1f}"),
            _told(each["more_unmet_share"] * 100 if "more_unmet_share" in each else None, "{:.4f}"),
        )
        for each in figures
        if "classes" in each
    ]
    return Table("Classes, and what spreading them over their cars breaks", heads, rows)


if __name__ == "__main__":
    main()
