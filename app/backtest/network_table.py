"""`sunslot backtest-network`: what was asked, all policies on the same sessions, and the table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import highspy
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.backtest.foresight import silent_highs
from app.backtest.network import Network, Stay, read_network, read_stays
from app.backtest.network_policies import Policy, by_arrival, by_departure, by_laxity, planned, round_robin, sorted_by
from app.backtest.network_replay import Outcome, most_possible, needs_kwh, replay
from app.domain.errors import Invalid
from app.domain.units import kwh_from_wh

FORESIGHT, SUNSLOT = "perfect foresight", "sunslot"
NAMES = (FORESIGHT, SUNSLOT, "quick charge", "LLF", "EDF", "RR", "FCFS")

# Delivered % of Caltech's sessions of March 2019 at a transformer of 30 kW, as published (acnportal-experiments 2.1).
PUBLISHED_SESSION_COUNT, PUBLISHED_KWH, PUBLISHED_CAP_KW, KWH_APART = 954, 8900.5, 30.0, 0.1
PUBLISHED_PERCENT = {FORESIGHT: 92.905, "quick charge": 91.964, "LLF": 86.53, "EDF": 86.21, "RR": 83.27, "FCFS": 80.31}


@dataclass(frozen=True, slots=True)
class NetworkQuestion:
    """What to compare; `cap_kw` is None where the network's limits do not depend on it, `car_kw` for any car."""

    sessions: Path
    network: Path
    cap_kw: float | None
    car_kw: float | None
    step_minutes: int
    policies: tuple[str, ...]


def compare(question: NetworkQuestion, console: Console) -> dict[str, Any]:
    """Replay, print the table and return the figures; raises Invalid for a bad file or an unknown policy."""
    if unknown := set(question.policies) - set(NAMES):
        raise Invalid(f"is none of {', '.join(NAMES)}: {', '.join(sorted(unknown))}", field="--policy")
    network = read_network(question.network, question.cap_kw)
    step = timedelta(minutes=question.step_minutes)
    stays = read_stays(question.sessions, network, step, question.car_kw)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        total = max(stay.leaves for stay in stays) - min(stay.arrives for stay in stays)

        def start(name: str) -> Callable[[], None]:
            task = progress.add_task(name, total=total)
            return lambda: progress.advance(task)

        names = [name for name in NAMES if not question.policies or name in question.policies]
        rows = [_row(name, _outcome(name, stays, network, step, start(name)), stays, question) for name in names]
    figures = {"sessions": len(stays), "need_kwh": round(needs_kwh(stays), 3), "steps": total, "policies": rows}
    figures |= {"cap_kw": question.cap_kw, "car_kw": question.car_kw, "step_minutes": question.step_minutes}
    console.print(_table_of(figures))
    return figures


def _outcome(name: str, stays: list[Stay], network: Network, step: timedelta, advance: Callable[[], None]) -> Outcome:
    step_h = step / timedelta(hours=1)
    if name == FORESIGHT:
        return most_possible(stays, network, step_h, solver_for(is_large=True))
    policies: dict[str, Policy] = {
        SUNSLOT: planned(solver_for()),
        "quick charge": planned(solver_for(), is_quick=True),
        "LLF": sorted_by(by_laxity),
        "EDF": sorted_by(by_departure),
        "RR": round_robin,
        "FCFS": sorted_by(by_arrival),
    }
    return replay(stays, network, step_h, policies[name], advance)


def solver_for(*, is_large: bool = False) -> highspy.Highs:
    """Return a solver that prints nothing: for many small programmes presolving costs more than it saves."""
    solver = silent_highs()
    solver.setOptionValue("solver", "ipm" if is_large else "simplex")
    if not is_large:
        solver.setOptionValue("presolve", "off")
    return solver


def _row(name: str, outcome: Outcome, stays: list[Stay], question: NetworkQuestion) -> dict[str, Any]:
    needs_wh = np.array([stay.need_ah * stay.station.voltage_v for stay in stays])
    kwh, need_kwh = kwh_from_wh(float(outcome.delivered_wh.sum())), kwh_from_wh(float(needs_wh.sum()))
    is_published = (
        len(stays) == PUBLISHED_SESSION_COUNT
        and question.cap_kw == PUBLISHED_CAP_KW
        and abs(need_kwh - PUBLISHED_KWH) <= KWH_APART
    )
    return {
        "policy": name,
        "delivered_percent": 100 * kwh / need_kwh if need_kwh else 100.0,
        "delivered_kwh": kwh,
        "full_sessions_percent": 100 * float(np.mean(outcome.delivered_wh >= 0.99 * needs_wh)),
        "ms_per_step": float(outcome.step_ms.mean()),
        "ms_per_step_p95": float(np.percentile(outcome.step_ms, 95)) if len(outcome.step_ms) > 1 else None,
        "published_percent": PUBLISHED_PERCENT.get(name) if is_published else None,
    }


def _table_of(figures: dict[str, Any]) -> Table:
    cap = "" if figures["cap_kw"] is None else f" at {figures['cap_kw']:g} kW"
    table = Table(
        title=f"{figures['sessions']} sessions, {figures['need_kwh']:.1f} kWh{cap}, {figures['steps']} steps of "
        f"{figures['step_minutes']} min",
        title_justify="left",
    )
    table.add_column("policy", no_wrap=True)
    headings = {
        "delivered_percent": ("deliv-\nered %", 3),
        "published_percent": ("pub-\nlished", 3),
        "delivered_kwh": ("\nkWh", 1),
        "full_sessions_percent": ("full\nsessions %", 1),
        "ms_per_step": ("ms per\nstep", 2),
        "ms_per_step_p95": ("\np95", 2),
    }
    for heading, _ in headings.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for row in figures["policies"]:
        cells = ["" if row[name] is None else f"{row[name]:.{digits}f}" for name, (_, digits) in headings.items()]
        table.add_row(row["policy"], *cells)
    return table
