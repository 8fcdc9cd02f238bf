"""The yardstick's table on a terminal, with progress while it is made."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.backtest.runs import Question, runs_of
from app.backtest.yardstick import lay_out, measure

COLUMNS = {
    "capture_percent": "cap-\nture %",
    "delivered_percent": "deliv-\nered %",
    "stayers_percent": "\nstayers",
    "leavers_percent": "early\nleavers",
    "solar_share_percent": "solar\nshare",
    "grid_kwh": "grid\nkWh",
    "mean_peak_kw": "peak\nkW",
    "ms_per_decision": "\nms",
}
DIGITS = {"grid_kwh": 0, "mean_peak_kw": 1, "ms_per_decision": 1}


def show(question: Question, console: Console) -> dict[str, Any]:
    """Measure, print the table and return the figures."""
    material = lay_out(question)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {run.name: progress.add_task(run.name, total=len(material.days)) for run in runs_of(question)}
        figures = measure(question, material, lambda name, count: progress.advance(tasks[name], count))
    console.print(table_of(figures))
    return figures


def table_of(figures: dict[str, Any]) -> Table:
    """Return the figures as a table."""
    title = (
        f"{figures['first_day']} … {figures['last_day']}: {figures['days']} days, {figures['sessions']} sessions, "
        f"{figures['need_kwh']:.0f} kWh, surplus {figures['surplus_ratio']:g} × that"
    )
    table = Table(title=title, title_justify="left", padding=(0, 0), pad_edge=True)
    table.add_column("\npolicy", no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for row in figures["policies"]:
        cells = ["" if row[name] is None else f"{row[name]:.{DIGITS.get(name, 2)}f}" for name in COLUMNS]
        table.add_row(row["policy"], *cells)
    return table
