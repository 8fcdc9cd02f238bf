"""Event speed: from a car's plug-in to the limit of the new plan that its station accepted, in the whole service.

    ./run bench events [--sizes N …] [--arrivals N] [--json FILE]

A server process, a durable PostgreSQL and a process of OCPP 1.6 stations at one site. Most of them charge already;
then cars arrive one by one at random moments, and at last several at once. Stages: `told` from the station's message
to its answer (the fact is committed), `waits` until the first plan that knows the session began, `planned` from there
to the limit loop's intent (planning, and the loop's pace), `sent` until a socket took it, `accepted` until the
station's answer is kept. Figures of one run are comparable with each other only.
"""

import argparse
import asyncio
import json
import random
import signal
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console

from benchmarks.ocpp_parts.house import House, Process, house
from benchmarks.ocpp_parts.tables import Table

SIZES = (20, 200)
SETTLE_TIMEOUT_S = 120.0
DIALECTS = ("ocpp1.6",)  # the fleet's cars at 2.0.1 stations draw more than they may at first, and lose their proof
LATEST_S = 30.0
QUIET_S = (4.0, 9.0)
STAGES = ("told", "waits", "planned", "sent", "accepted")

FIRST_LIMIT = """
    SELECT extract(epoch FROM (SELECT min(made_at) FROM plan WHERE plan.site_id = charging_session.site_id
            AND made_at >= charging_session.started_at - interval '10 seconds'
            AND body LIKE '%' || charging_session.session_id || '%'))::float8 AS made_s,
        extract(epoch FROM intended_at)::float8 AS intended_s, extract(epoch FROM taken_at)::float8 AS taken_s,
        extract(epoch FROM outcome_at)::float8 AS accepted_s
    FROM charging_session JOIN limit_entry USING (session_id)
    WHERE charging_session.station_id = $1 AND charging_session.ended_at IS NULL AND outcome = 'accepted'
    ORDER BY order_no LIMIT 1
"""


async def _stages(connection: asyncpg.Connection, arrived: Sequence[Any]) -> dict[str, float] | None:
    """Return how long each stage took in s, and all of them; None where no limit was accepted in time."""
    identity, told_s, answered_s = arrived
    for _ in range(int(LATEST_S * 4)):
        row = await connection.fetchrow(FIRST_LIMIT, identity, timeout=30)
        if row is not None:
            times_s = (told_s, answered_s, *row.values())
            stages = {stage: after - before for stage, before, after in zip(STAGES, times_s, times_s[1:], strict=False)}
            return stages | {"all": row["accepted_s"] - told_s}
        await asyncio.sleep(0.25)
    return None


async def _one_by_one(running: House, fleet: Process, first: int, count: int) -> list[dict[str, float] | None]:
    connection = await asyncpg.connect(running.url, timeout=10)
    dice, found = random.Random(count), []
    try:
        for number in range(first, first + count):
            said = await fleet.ask("arrive", first=number, count=1)
            found.append(await _stages(connection, said["arrived"][0]))
            await asyncio.sleep(dice.uniform(*QUIET_S))
    finally:
        await connection.close()
    return found


async def _at_once(running: House, fleet: Process, first: int, count: int) -> list[dict[str, float] | None]:
    connection = await asyncpg.connect(running.url, timeout=10)
    try:
        said = await fleet.ask("arrive", first=first, count=count)
        return [await _stages(connection, each) for each in said["arrived"]]
    finally:
        await connection.close()


async def measure(size: int, arrivals: int) -> list[dict[str, Any]]:
    """Return the figures of a site with so many stations."""
    async with house(size, size, DIALECTS) as running, running.fleet() as fleet:
        await fleet.ask("connect", stations=running.stations, spread_s=0.0)
        await running.settled(SETTLE_TIMEOUT_S)
        there = size - 2 * arrivals
        if there:
            await fleet.ask("arrive", first=0, count=there)
        await running.settled(SETTLE_TIMEOUT_S)
        await asyncio.sleep(QUIET_S[1])
        alone = await _one_by_one(running, fleet, there, arrivals)
        together = await _at_once(running, fleet, there + arrivals, arrivals)
    return [_row(size, "one by one", alone), _row(size, f"{arrivals} at once", together)]


def _row(size: int, how: str, found: Sequence[dict[str, float] | None]) -> dict[str, Any]:
    """Return medians of the stages, and the distribution of the whole, in ms."""
    told = [each for each in found if each is not None]
    whole = sorted(each["all"] for each in told)
    return (
        {"stations": size, "arrivals": how, "late": len(found) - len(told)}
        | {f"{stage}_ms": round(1000 * statistics.median(each[stage] for each in told)) for stage in STAGES}
        | {
            "p50_ms": round(1000 * statistics.median(whole)),
            "p95_ms": round(1000 * whole[int(0.95 * (len(whole) - 1))]),
        }
        | {"most_ms": round(1000 * whole[-1])}
    )


def main() -> None:
    """Measure every size, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--arrivals", type=int, default=8, choices=range(2, 101), metavar="2..100")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if min(arguments.sizes) < 2 * arguments.arrivals:
        parser.error("a site needs twice as many stations as arrivals")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the processes of the benchmark end with it
    rows = [row for size in arguments.sizes for row in asyncio.run(measure(size, arguments.arrivals))]
    title = "ms from the plug-in to the accepted limit; stages are medians"
    Table(title, [name.replace("_ms", "") for name in rows[0]], [tuple(row.values()) for row in rows]).show(
        Console(width=140)
    )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
