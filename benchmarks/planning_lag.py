"""What planning does to everybody else: the event loop's lag while a plan is made in a thread, or in its own process.

    ./run bench planning_lag [--sizes N …] [--rounds N] [--json FILE]

A tick every 2 ms is what a station's answer would be: its lag is how much later than meant it comes. Figures of one run
are comparable with each other, not with those of another machine or hour.
"""

import argparse
import asyncio
import json
import math
import random
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from app.domain.intervals import ceil_slot, slots_between
from app.domain.plan import ChargingPlan
from app.domain.snapshot import Demand, EvseSpec, IntentSource, SiteSnapshot, SiteSpec, SurplusSlot
from app.domain.stays import StayOutlook
from app.operations.planning import in_thread
from app.runtime.planning_process import PlanningProcess

NOW = datetime(2026, 4, 1, 0, 7, 13, tzinfo=UTC)
TICK_S = 0.002
SIZES = (20, 200, 1000)


def park(count: int) -> SiteSnapshot:
    """Return a car park of so many plugged-in cars whose stays were learnt."""
    dice = random.Random(count)
    evses = tuple(
        EvseSpec(number, f"cp{number:04}", 1, 6400.0, 1200.0, 1200.0, 200.0, 1, True, True) for number in range(count)
    )
    demands = tuple(_demand(number, dice) for number in range(count))
    slots = enumerate(slots_between(NOW, ceil_slot(NOW + timedelta(hours=24))))
    sun = tuple(SurplusSlot(slot, max(0.0, count * 2000 * math.sin(number / 15))) for number, slot in slots)
    return SiteSnapshot(SiteSpec("north", "Asia/Tokyo", count * 4000.0, 0.0, 0.0), evses, demands, surplus=sun)


def _demand(number: int, dice: random.Random) -> Demand:
    hours = dice.uniform(4, 10)
    stays = tuple(round(1 / (1 + math.exp(slot / 4 - hours)), 4) for slot in range(96))
    return Demand(
        session_id=str(uuid.UUID(int=dice.getrandbits(128))),
        evse_id=number,
        arrived_at=NOW,
        departs_at=NOW + timedelta(hours=hours),
        need_wh=dice.uniform(2000, 30_000),
        max_power_w=6400.0,
        min_power_w=1200.0,
        source=IntentSource.DRIVER,
        outlook=StayOutlook(stays),
    )


async def lags_of(work: Callable[[], Awaitable[ChargingPlan]]) -> tuple[float, list[float]]:
    """Return how long the work took, in s, and the lags of the ticks during it."""
    lags_s: list[float] = []

    async def tick() -> None:
        while True:
            due_s = perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            lags_s.append(perf_counter() - due_s)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    began_s = perf_counter()
    await work()
    took_s = perf_counter() - began_s
    await asyncio.sleep(2 * TICK_S)  # the last tick tells of the work's end
    ticking.cancel()
    return took_s, lags_s


async def measure(sizes: tuple[int, ...], rounds: int) -> list[dict[str, float | str]]:
    """Return the figures of every size, thread beside process, in turns."""
    process = PlanningProcess(1)
    figures: list[dict[str, float | str]] = []
    try:
        await process(park(2), NOW)
        for size in sizes:
            snapshot = park(size)
            took: dict[str, list[float]] = {"thread": [], "process": []}
            lags: dict[str, list[float]] = {"thread": [], "process": []}
            for _ in range(rounds):
                for name, planner in (("thread", in_thread), ("process", process)):
                    took_s, lags_s = await lags_of(partial(planner, snapshot, NOW))
                    took[name].append(took_s)
                    lags[name] += lags_s
            figures += [_row(size, name, sorted(took[name]), sorted(lags[name])) for name in took]
    finally:
        await process.end()
    return figures


def _row(size: int, name: str, took_s: list[float], lags_s: list[float]) -> dict[str, float | str]:
    return {
        "sessions": size,
        "planner": name,
        "plan_ms": 1000 * took_s[len(took_s) // 2],
        "lag_p50_ms": 1000 * lags_s[len(lags_s) // 2],
        "lag_p99_ms": 1000 * lags_s[int(0.99 * (len(lags_s) - 1))],
        "lag_most_ms": 1000 * lags_s[-1],
    }


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, choices=range(1, 101), metavar="1..100")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = asyncio.run(measure(tuple(arguments.sizes), arguments.rounds))
    table = Table(*figures[0])
    for row in figures:
        table.add_row(*(value if isinstance(value, str) else f"{value:.1f}" for value in row.values()))
    Console().print(table)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
