"""The live terminal view: clock and progress, power by source, stations, and what is planned next."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BLOCKS = " ▁▂▃▄▅▆▇█"
BAR_WIDTH = 50
COLOURS = {"charging": "green", "full": "cyan", "waiting": "yellow", "free": "dim", "offline": "red"}


def spark(powers_w: list[float], top_w: float) -> str:
    """Return one block character per power, full height at `top_w`."""
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[min(steps, max(0, round(power_w / max(top_w, 1.0) * steps)))] for power_w in powers_w)


def power_bar(state: dict[str, Any], limit_w: float, surplus_top_w: float) -> Text:
    """Return the cars' power by source on a scale that holds the limit and the surplus."""
    scale_w = max(limit_w, surplus_top_w, 1.0)

    def width(power_w: float) -> int:
        return round(power_w / scale_w * BAR_WIDTH)

    solar, grid = width(state["solar_w"]), width(state["grid_w"])
    unused = max(0, width(state["surplus_w"]) - solar)
    bar = Text()
    bar.append("█" * solar, "bright_yellow")
    bar.append("█" * grid, "magenta")
    bar.append("░" * max(0, unused - grid), "yellow")
    unused_w = max(0.0, state["surplus_w"] - state["solar_w"])
    parts = {"cars": state["ev_w"], "sun": state["solar_w"], "grid": state["grid_w"], "unused sun": unused_w}
    bar.append("".join(f"  {name} {power_w / 1000:5.1f}" for name, power_w in parts.items()))
    bar.append(f"   limit {limit_w / 1000:.0f} kW")
    return bar


def stations_grid(stations: list[dict[str, Any]], columns: int = 5) -> Table:
    """Return every station with its state, power and limit, in columns."""
    grid = Table.grid(padding=(0, 2), expand=True)
    for _ in range(columns):
        grid.add_column()
    cells = []
    for station in stations:
        limit_w = station["limit_w"]
        limit = "  –" if limit_w is None else f"{limit_w / 1000:3.1f}"
        colour = COLOURS.get(station["state"], "white")
        cells.append(
            Text(
                f"{station['station_id']:<8.8} {station['state']:<8.8} {station['power_w'] / 1000:3.1f}/{limit}", colour
            )
        )
    for first in range(0, len(cells), columns):
        grid.add_row(*cells[first : first + columns])
    return grid


def plan_lines(plan: dict[str, Any] | None, zone: ZoneInfo) -> RenderableType:
    """Return the plan's power and the expected surplus of the coming slots as two rows of blocks."""
    if not plan or not plan.get("slots"):
        return Text("no plan yet", "dim")
    slots = plan["slots"][:48]
    planned_w = [slot["planned_kw"] * 1000 for slot in slots]
    surplus_w = [slot["surplus_kw"] * 1000 for slot in slots]
    top_w = max([*planned_w, *surplus_w, 1.0])
    until_at = datetime.fromisoformat(slots[-1]["end_at"]).astimezone(zone)
    return Group(
        Text(f"planned  {spark(planned_w, top_w)}  until {until_at:%H:%M}", "green"),
        Text(f"surplus  {spark(surplus_w, top_w)}  peak {max(surplus_w) / 1000:.0f} kW", "bright_yellow"),
    )


def screen(
    now: datetime,
    state: dict[str, Any],
    *,
    span: tuple[datetime, datetime],
    limit_w: float,
    surplus_top_w: float,
    plan: dict[str, Any] | None,
    speed: float,
    zone: ZoneInfo,
) -> RenderableType:
    """Return the whole view of one moment."""
    starts_at, ends_at = span
    total_s, done_s = (ends_at - starts_at).total_seconds(), (now - starts_at).total_seconds()
    delivered_kwh, solar_kwh = state["delivered_wh"] / 1000, state["solar_wh"] / 1000
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(f"{now.astimezone(zone):%Y-%m-%d %H:%M}", "bold"),
        ProgressBar(total=total_s, completed=done_s, width=40),
        f"{speed:.0f}×   {state['plugged']} plugged in, {state['charging']} charging   {delivered_kwh:.1f} kWh, "
        f"{solar_kwh / max(delivered_kwh, 1e-9):.0%} sun   limit broken {state['violations']} times",
    )
    return Group(
        Panel(head, title="Sunslot"),
        Panel(power_bar(state, limit_w, surplus_top_w), title="power now"),
        Panel(stations_grid(state["stations"]), title="stations: state, power / limit in kW"),
        Panel(plan_lines(plan, zone), title="plan"),
    )
