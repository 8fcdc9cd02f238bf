"""The grid's figures as tables: reference rows beside the published ones, every combination, and the bars."""

from typing import Any

from rich.console import Console
from rich.table import Table

from app.backtest.table import table_of
from benchmarks.yardstick_parts.grid import Cell
from benchmarks.yardstick_parts.published import BARS, FORESIGHT_SHARE_PERCENT, REFERENCE

CHOSEN_ON = (
    "The price of a miss and the share of the forecast's band that is hoped for were chosen on JPL's May and June. The "
    "learner of stays was built on May and June with July and August in sight (records 0016, 0018): later days, not "
    "untouched ones. Forecasts and stays are learnt only from what lay before each day."
)


def is_published(cell: Cell) -> bool:
    """Whether the reference rows were published for this combination."""
    return (cell.site, cell.sun, cell.need) == ("jpl", "system50", "known")


def show_references(cell: Cell, figures: dict[str, Any], console: Console) -> list[dict[str, Any]]:
    """Print our reference rows beside the published ones; return them with their differences."""
    days = f"{figures['days']} days, {figures['sessions']} sessions, {figures['need_kwh']:.0f} kWh"
    table = Table(title=f"Reference rows, {cell.name}: {days} (published: 81, 5541, 79999)", title_justify="left")
    for heading in ("policy", "figure", "published", "ours", "difference"):
        table.add_column(heading, justify="left" if heading in ("policy", "figure") else "right")
    rows = {row["policy"]: row for row in figures["policies"]}
    wanted = {
        name: {"capture_percent": capture, "delivered_percent": delivered}
        for name, (capture, delivered) in REFERENCE[cell.ratio].items()
    }
    wanted["perfect-foresight"] = {"solar_share_percent": FORESIGHT_SHARE_PERCENT[cell.ratio]}
    found = []
    for name, published in wanted.items():
        for figure, told in published.items():
            ours = rows[name][figure]
            found.append({"policy": name, "figure": figure, "published": told, "ours": ours})
            table.add_row(name, figure.removesuffix("_percent"), f"{told:g}", f"{ours:.2f}", f"{ours - told:+.2f}")
    console.print(table)
    return found


def show_cell(cell: Cell, figures: dict[str, Any], console: Console) -> None:
    """Print a combination's table, in all and by part of the months."""
    console.rule(cell.name, align="left")
    console.print(table_of(figures))
    for part, rows in figures["parts"].items():
        table = Table(title=f"{part} ({figures['part_days'][part]} days)", title_justify="left")
        for heading in ("Sunslot", "capture %", "delivered %", "stayers", "early leavers", "CPU ms"):
            table.add_column(heading, justify="left" if heading == "Sunslot" else "right")
        for row in rows:
            if row["policy"].startswith("sunslot"):
                cells = [row[f"{name}_percent"] for name in ("capture", "delivered", "stayers", "leavers")]
                texts = ["" if each is None else f"{each:.2f}" for each in cells]
                table.add_row(row["policy"], *texts, f"{row['ms_per_decision']:.1f}")
        console.print(table)


def bars_of(cell: Cell, figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the combination reaches of the bars, in all and by part; they were set for needs known at JPL."""
    spans = {"all": figures["policies"], **figures["parts"]}
    found = []
    for span, rows in spans.items():
        by_name = {row["policy"]: row for row in rows}
        for bar in BARS[cell.ratio]:
            ours = by_name[bar.policy][bar.figure]
            is_met = ours is not None and ours >= bar.least_percent
            figure = bar.figure.removesuffix("_percent")
            found.append(
                {"cell": cell.name, "days": span, "policy": bar.policy, "figure": figure,
                 "bar": bar.least_percent, "ours": ours, "is_met": is_met}
            )  # fmt: skip
    return found


def show_bars(bars: list[dict[str, Any]], console: Console) -> None:
    """Print all bars, met or missed."""
    table = Table(title="What is to be reached (set for JPL, needs known)", title_justify="left")
    for heading in ("combination", "days", "policy", "figure", "bar", "ours", ""):
        table.add_column(heading, justify="right" if heading in ("bar", "ours") else "left")
    for each in bars:
        ours = "" if each["ours"] is None else f"{each['ours']:.2f}"
        told = "met" if each["is_met"] else "[red]missed[/red]"
        table.add_row(each["cell"], each["days"], each["policy"], each["figure"], f"{each['bar']:g}", ours, told)
    console.print(table)
    console.print(CHOSEN_ON, soft_wrap=False)
