"""Forecast skill on recorded suns: persistence and learnt quantiles by lead, how often the band holds, and the CPU.

Each month that is reported was learnt from the days before it only. Errors are over the slots by day (clear sky above
3 % of the capacity, the highest power before that month). `./run bench forecast FILE… [--months 2013-02,…] [--json F]`.
"""

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console
from rich.table import Table

from app.backtest.records import read_series
from app.scheduling.forecasting.envelope import envelope_w
from app.scheduling.forecasting.learner import LEAST_DAYS_COUNT, learn
from app.scheduling.forecasting.persistence import LIT_SHARE, persistence_w
from app.scheduling.forecasting.series import SLOTS_PER_DAY, Series, series_of, slot_number, slot_start
from app.scheduling.forecasting.skill import LEADS

REFERENCE = {"persistence": (0.051, 0.088, 0.134, 0.203), "learnt P50": (0.035, 0.065, 0.086, 0.097)}
HEADS = ("what", "15 min", "1 h", "2 h", "4 h")
AHEAD_COUNT = 144


def read(path: Path, zone: ZoneInfo) -> Series:
    """Return the series of a file whose clock is the site's local one."""
    told = read_series(path).power_w
    return series_of((slot_number(at.replace(tzinfo=zone).astimezone(UTC)), power_w) for at, power_w in told.items())


def months_of(pv: Series, count: int) -> list[str]:
    """Return the last months that are told of and have 30 days before them."""
    ends_at, found = slot_start(pv.until - SLOTS_PER_DAY), []
    year, month = ends_at.year, ends_at.month
    while len(found) < count and slot_number(datetime(year, month, 1, tzinfo=UTC)) - pv.first > (
        LEAST_DAYS_COUNT * SLOTS_PER_DAY
    ):
        found.append(f"{year}-{month:02d}")
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return found[::-1]


def measure(pv: Series, clear: Series, month: str) -> dict[str, Any]:
    """Return the month's errors and coverages by lead, and the CPU of learning and of one issue."""
    year, number = (int(part) for part in month.split("-"))
    first = slot_number(datetime(year, number, 1, tzinfo=UTC))
    until = min(slot_number(datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)), pv.until - max(LEADS))
    known = pv.before(first)
    capacity_w = known.highest_w()
    began_s = time.process_time()
    learnt = learn(known, clear, capacity_w)
    learn_s = time.process_time() - began_s
    issues, leads = (side.ravel() for side in np.meshgrid(np.arange(first, until), LEADS, indexing="ij"))
    truth_w, clear_w = pv.powers_w_at(issues + leads - 1), clear.powers_w_at(issues + leads - 1)
    is_pair = (clear_w > LIT_SHARE * capacity_w) & np.isfinite(truth_w)
    issues, leads, truth_w = issues[is_pair], leads[is_pair], truth_w[is_pair]
    lower_w, middle_w, upper_w = learnt.quantiles_w(pv, clear, issues, leads)
    raw_lower_w, _, raw_upper_w = learnt.quantiles_w(pv, clear, issues, leads, is_calibrated=False)
    values = {
        "persistence (held)": np.abs(persistence_w(pv, clear, capacity_w, issues, leads, relaxes=False) - truth_w),
        "persistence (relaxing)": np.abs(persistence_w(pv, clear, capacity_w, issues, leads) - truth_w),
        "learnt P50": np.abs(middle_w - truth_w),
    }
    rows = {name: _by_lead(error_w / capacity_w, leads) for name, error_w in values.items()}
    rows["P10–P90 holds, uncalibrated"] = _by_lead((raw_lower_w <= truth_w) & (truth_w <= raw_upper_w), leads)
    rows["P10–P90 holds, calibrated"] = _by_lead((lower_w <= truth_w) & (truth_w <= upper_w), leads)
    began_s = time.process_time()
    learnt.quantiles_w(known, clear, np.full(AHEAD_COUNT, first), np.arange(1, AHEAD_COUNT + 1))
    issue_s = time.process_time() - began_s
    days_count = len(known.powers_w) // SLOTS_PER_DAY
    return {"month": month, "days_before": days_count, "rows": rows, "learn_s": learn_s, "issue_s": issue_s}


def _by_lead(values: Any, leads: Any) -> list[float]:
    return [round(float(values[leads == lead].mean()), 4) for lead in LEADS]


def table(name: str, measured: Sequence[dict[str, Any]]) -> Table:
    """Return the table of the months' means."""
    months = ", ".join(each["month"] for each in measured)
    made = Table(title=f"{name}: {months} (each learnt from the days before it)", title_justify="left")
    for head in HEADS:
        made.add_column(head, justify="left" if head == "what" else "right")
    for what in measured[0]["rows"]:
        means = np.mean([each["rows"][what] for each in measured], axis=0)
        made.add_row(what, *(f"{value:.3f}" for value in means))
    for what, values in REFERENCE.items():
        made.add_row(f"reference, other series: {what}", *(f"{value:.3f}" for value in values), style="dim")
    learn_s, issue_s = (np.mean([each[key] for each in measured]) for key in ("learn_s", "issue_s"))
    made.caption = f"CPU: {learn_s:.1f} s to learn, {issue_s * 1000:.0f} ms for one issue of 36 h"
    return made


def main() -> None:
    """Measure, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV time,power_w|power_kw (.gz)")
    parser.add_argument(
        "--zone", type=ZoneInfo, default=ZoneInfo("America/Denver"), help="whose clock the files follow"
    )
    parser.add_argument("--months", help="2013-02,2013-05,…; without it the last --last months")
    parser.add_argument("--last", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    answer = {}
    for path in arguments.files:
        pv = read(path, arguments.zone)
        clear = envelope_w(pv, pv.first, pv.until + AHEAD_COUNT)
        months = arguments.months.split(",") if arguments.months else months_of(pv, arguments.last)
        measured = [measure(pv, clear, month) for month in months]
        Console(width=120).print(table(path.name, measured))
        answer[path.name] = measured
    if arguments.json:
        arguments.json.write_text(json.dumps(answer, indent=2) + "\n")


if __name__ == "__main__":
    main()
