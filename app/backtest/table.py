"""The yardstick's table on a terminal, with progress while it is made."""

from datetime import date
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.backtest.runs import Drawing, Question, runs_of
from app.backtest.stock import Material
from app.backtest.yardstick import courses, figures_of, lay_out
from app.domain.errors import Invalid

COLUMNS = {
    "capture_percent": "cap-\nture %",
    "delivered_percent": "deliv-\nered %",
    "stayers_percent": "\nstayers",
    "leavers_percent": "early\nleavers",
    "solar_share_percent": "solar\nshare",
    "grid_kwh": "grid\nkWh",
    "mean_peak_kw": "peak\nkW",
    "ms_per_decision": "CPU\nms",
}
DIGITS = {"grid_kwh": 0, "mean_peak_kw": 1, "ms_per_decision": 1}


def show(question: Question, console: Console, *, jobs_count: int = 1, plot: Drawing | None = None) -> dict[str, Any]:
    """Measure, print the table, draw the day that is asked for, and return the figures."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        reading = progress.add_task("reading, forecasting, learning", total=None)
        material = lay_out(question)
        progress.remove_task(reading)
        drawn_day = None if plot is None else day_of(material, plot)
        tasks = {run.name: progress.add_task(run.name, total=len(material.days)) for run in runs_of(question)}
        went = courses(
            question,
            material,
            progress=lambda name, count: progress.advance(tasks[name], count),
            jobs_count=jobs_count,
            drawn_day=drawn_day,
        )
    figures = figures_of(question, material, went)
    console.print(table_of(figures))
    if plot is not None:
        from app.backtest.drawing import draw

        draw({name: course.drawn for name, course in went.items() if course.drawn is not None}, plot.path)
        figures["plotted_day"] = str(drawn_day)
        console.print(f"{drawn_day} drawn into {plot.path}", markup=False, highlight=False, soft_wrap=True)
    return figures


def day_of(material: Material, plot: Drawing) -> date:
    """Return the day to be drawn; raises Invalid where it is not among those replayed."""
    if plot.day is not None:
        if plot.day not in [day.date for day in material.days]:
            raise Invalid("is not among the days that are replayed", field="--plot-day")
        return plot.day
    by_sun = sorted(material.days, key=lambda day: (float(day.surplus_w.sum()), day.date))
    return by_sun[len(by_sun) // 2].date


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
