"""What came of a run: figures as JSON values, what was wrong with it, and the tables that show it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from proofs.crash.books import Books
from proofs.crash.controller import Controller, Death
from proofs.crash.park import CarPark, Watch
from proofs.crash.proxy import FaultProxy
from simulators.clock import stamp

LEAST_BOUND_SHARE = 0.2
HELD_BACK_SHARE = 0.5
"""A ledger that a surprise holds over its limit for so much of the time has nothing to raise, maybe nothing to send."""

WayBack = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """All who saw something of the run."""

    controller: Controller
    proxy: FaultProxy
    park: CarPark
    books: Books
    watch: Watch


async def figures(minutes: float, seed: int, seen: Seen) -> dict[str, Any]:
    """Return everything that was seen, as JSON values; `wrong` is empty after a perfect run."""
    measured = seen.park.figures.result()
    accepted_s = await seen.books.accepted_s()
    ways_back = [_way_back(death, seen.park, accepted_s) for death in seen.controller.deaths]
    views = max(1, seen.watch.view_count)
    del measured["type"]
    told = {
        "minutes": minutes,
        "seed": seed,
        **measured,
        "violations": [
            said | ended for said, ended in zip(seen.watch.violations, measured["violations"], strict=False)
        ],
        "kills": len(seen.controller.deaths),
        "ways_back": ways_back,
        "without_controller_s": round(sum(way["ready_s"] or 0.0 for way in ways_back), 1),
        "connects": seen.proxy.connect_count,
        "refused_connects": seen.proxy.refused_count,
        "faults": dict(sorted(seen.proxy.played.items())),
        "orders": dict(sorted((await seen.books.orders()).items())),
        "order_reasons": dict(sorted((await seen.books.reasons()).items())),
        "ledger_full_share": round(seen.watch.full_count / views, 3),
        "ledger_over_share": round(seen.watch.over_count / views, 3),
        "controller_log": dict(seen.controller.logged().most_common(12)),
    }
    return told | {"wrong": wrong_with(told)}


def _way_back(death: Death, park: CarPark, accepted_s: Sequence[float]) -> WayBack:
    """Return how long after a kill things were so again, in s (None: never seen)."""
    first = bisect_right(accepted_s, death.started_s)
    order_s = accepted_s[first] if first < len(accepted_s) else None
    moments = {
        "started_s": death.started_s,
        "listening_s": death.listening_s,
        "ready_s": death.ready_s,
        "stations_back_s": park.back_s(death),
        "first_order_s": order_s,
    }
    return {name: None if at_s is None else round(at_s - death.killed_s, 2) for name, at_s in moments.items()}


def wrong_with(told: dict[str, Any]) -> list[str]:
    """Return what was not as it must be: violations, and runs that prove nothing."""
    found = [
        f"{each['node']} {each['conductor']}: {each['peak']:.1f} of {each['rating']:.1f}" for each in told["violations"]
    ]
    if told["kills"] == 0:
        found.append("the controller was never killed")
    if any(way["ready_s"] is None for way in told["ways_back"]):
        found.append("the controller did not come back")
    is_held_back = told["ledger_over_share"] >= HELD_BACK_SHARE
    if not is_held_back and any(way["first_order_s"] is None for way in told["ways_back"]):
        found.append("the controller came back without sending any order")
    if told["ledger_full_share"] < LEAST_BOUND_SHARE:
        found.append(f"the limit did not bind: the ledger was full in {told['ledger_full_share']:.0%} of the time")
    if not told["surprises"]:
        found.append("no station surprised")
    return found


def show(told: dict[str, Any], console: Console) -> None:
    """Print the figures as tables."""
    rows = Table(
        title="Wires (10-second means, measured at 10 Hz; the usual is without the margin for surprises)",
        title_justify="left",
    )
    for head in ("node", "conductor", "rating", "peak", "share", "minutes ≥ 97 %", "≥ 97 % of the usual"):
        rows.add_column(head, justify="left" if head in {"node", "conductor"} else "right")
    for row in told["rows"]:
        share = f"{row['peak'] / row['rating']:.1%}"
        values = (
            f"{row['rating']:,.0f}",
            f"{row['peak']:,.1f}",
            share,
            f"{row['near_minutes']:.1f}",
            f"{row['usual_minutes']:.1f}",
        )
        rows.add_row(row["node"], row["conductor"], *values)
    console.print(rows)
    facts = Table(title="Run", title_justify="left", show_header=False)
    for name, value in _facts(told):
        facts.add_row(name, value)
    console.print(facts)
    for each in told["violations"]:
        console.print(_violation(each), style="red", highlight=False)
    for line in told["wrong"]:
        console.print(f"wrong: {line}", style="red", highlight=False)


def _violation(each: dict[str, Any]) -> str:
    """Tell one violation: where, when, how far and how long, and what the ledger counted there then."""
    place = f"{each['node']} {each['conductor']}"
    row = "site" if each["node"] == "site" else place
    counted = each.get("ledger", {}).get("rows", {}).get(row, "nothing that could be read")
    size = f"{each['peak']:.1f} of {each['rating']:.1f} for {each['duration_s']:.1f} s"
    return f"violation: {place}: {size} from {stamp(int(each['began_s']))}; the ledger counted {counted}"


def _facts(told: dict[str, Any]) -> list[tuple[str, str]]:
    backs = told["ways_back"]
    return [
        ("minutes, seed", f"{told['minutes']:g}, {told['seed']}"),
        ("violations of INV-2", str(len(told["violations"]))),
        ("kills", str(told["kills"])),
        ("without controller", f"{told['without_controller_s']:.1f} s"),
        *((f"after a kill: {name}", _spread(backs, key)) for name, key in BACK_NAMES.items()),
        ("connects, refused", f"{told['connects']}, {told['refused_connects']}"),
        ("calls of stations, limits received", f"{told['calls_of_stations']}, {told['limits_received']}"),
        ("limit orders", _counted(told["orders"])),
        ("  for", _counted(told["order_reasons"])),
        ("faults", _counted(told["faults"])),
        ("surprises", _counted(told["surprises"])),
        ("calls of the API", _counted(told["calls"])),
        ("cars, energy", f"{told['cars']}, {told['delivered_kwh']:.1f} kWh"),
        ("minutes with a conductor ≥ 97 % of the usual", f"{told['usual_minutes']:.1f}"),
        ("ledger full (a row ≥ 97 %)", f"{told['ledger_full_share']:.0%} of the time"),
        ("ledger over (recovering)", f"{told['ledger_over_share']:.0%} of the time"),
        ("logged by the controller", _counted(told["controller_log"])),
        ("longest pause of the measuring", f"{told['largest_lag_s']:.2f} s"),
    ]


BACK_NAMES = {
    "listening": "listening_s",
    "ready": "ready_s",
    "nine tenths of the stations back": "stations_back_s",
    "first order accepted": "first_order_s",
}


def _spread(backs: Sequence[WayBack], key: str) -> str:
    values = [value for back in backs if (value := back[key]) is not None]
    return f"median {median(values):.1f} s, longest {max(values):.1f} s ({len(values)})" if values else "never"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
