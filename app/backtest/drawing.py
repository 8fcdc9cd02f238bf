"""One day drawn: sun, building, surplus and who was there on top, then what each policy charged from sun and grid."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from app.backtest.days import SLOT_HOURS, SLOTS_PER_DAY, Day
from app.backtest.replay import Outcome
from app.domain.units import kw_from_w, kwh_from_wh

SUN, GRID, BUILDING, SURPLUS, CARS = "#f2b134", "#5b6c8f", "#9aa3ad", "#e07a1f", "#2f7d6b"
HOURS = np.arange(SLOTS_PER_DAY + 1) * SLOT_HOURS
PANEL_INCHES, WIDTH_INCHES, DPI = 1.55, 10.0, 130
EVERY_HOURS = 3


def draw(outcomes: Mapping[str, Outcome], path: Path) -> None:
    """Draw a day under several policies into a file; the type of the file follows from its name."""
    from matplotlib.figure import Figure

    day = next(iter(outcomes.values())).day
    rows = len(outcomes) + 1
    heights = [1.5, *[1.0] * len(outcomes)]
    figure = Figure(figsize=(WIDTH_INCHES, PANEL_INCHES * (rows + 0.8)), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    figure.suptitle(f"{day.date:%A, %d %B %Y}: {len(day.cars)} sessions, {_need(day)}", fontsize=12, x=0.01, ha="left")
    _draw_sun(axes[0], day)
    highest_kw = max(1.0, *(kw_from_w(float(each.powers_w.max())) for each in outcomes.values()))
    for axis, (name, outcome) in zip(axes[1:], outcomes.items(), strict=True):
        _draw_policy(axis, name, outcome, highest_kw)
    axes[1].legend(loc="upper right", fontsize=8, frameon=False, ncols=2)
    axes[-1].set_xticks(range(0, 25, EVERY_HOURS), [f"{hour:02d}:00" for hour in range(0, 25, EVERY_HOURS)])
    axes[-1].set_xlim(0, 24)
    figure.savefig(path)


def _need(day: Day) -> str:
    need_wh = sum(car.need_wh for car in day.cars)
    surplus_wh = float(day.surplus_w.sum()) * SLOT_HOURS
    return f"{kwh_from_wh(need_wh):.0f} kWh wanted, {kwh_from_wh(surplus_wh):.0f} kWh of surplus"


def _draw_sun(axis: Any, day: Day) -> None:
    _stairs(axis, day.pv_w, SUN, "sun", fill=True, alpha=0.35)
    _stairs(axis, day.load_w, BUILDING, "building", linewidth=1.4)
    _stairs(axis, day.surplus_w, SURPLUS, "surplus", linewidth=1.6)
    cars = axis.twinx()
    present = [sum(car.first <= slot < car.last for car in day.cars) for slot in range(SLOTS_PER_DAY)]
    cars.stairs(present, HOURS, color=CARS, linewidth=1.2, linestyle=":", label="plugged in", baseline=None)
    cars.set_ylabel("cars", color=CARS, fontsize=9)
    cars.set_ylim(0, max(1, *present) * 1.25)
    cars.tick_params(labelsize=8, colors=CARS)
    cars.spines[["top"]].set_visible(False)
    handles, labels = axis.get_legend_handles_labels()
    more_handles, more_labels = cars.get_legend_handles_labels()
    axis.legend(handles + more_handles, labels + more_labels, loc="upper left", fontsize=8, frameon=False)
    _dress(axis)


def _draw_policy(axis: Any, name: str, outcome: Outcome, highest_kw: float) -> None:
    tally = outcome.tally()
    _stairs(axis, outcome.powers_w, GRID, "from the grid", fill=True)
    _stairs(axis, outcome.solar_w, SUN, "from the sun", fill=True)
    _stairs(axis, outcome.day.surplus_w, SURPLUS, None, linewidth=1.0)
    delivered_share = tally.delivered_wh / tally.need_wh
    text = (
        f"{name}: {100 * delivered_share:.1f} % delivered, {kwh_from_wh(tally.solar_wh):.0f} kWh sun, "
        f"{kwh_from_wh(max(0.0, tally.grid_wh)):.0f} kWh grid"
    )
    axis.set_title(text, fontsize=9, loc="left", pad=3)
    axis.set_ylim(0, highest_kw * 1.12)
    _dress(axis)


def _stairs(axis: Any, powers_w: Any, color: str, label: str | None, **style: Any) -> None:
    axis.stairs(powers_w / 1000, HOURS, color=color, label=label, **style)


def _dress(axis: Any) -> None:
    axis.set_ylabel("kW", fontsize=9)
    axis.set_ylim(bottom=0)
    axis.tick_params(labelsize=8)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top"]].set_visible(False)
