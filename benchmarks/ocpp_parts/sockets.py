"""Messages a second through real sockets into a durable PostgreSQL, every answer awaited after its commit.

Half of the stations send OCPP 1.6 MeterValues, half 2.0.1 TransactionEvents, ten samples each, in running sessions;
then all of them start and stop sessions, each message a transaction of its own. Answer times are given for as much as
goes (every station calls again at once) and for half of that rate, where they count from when a call was due.
"""

import asyncio
from typing import Any

from benchmarks.ocpp_parts.house import House, Process, house
from benchmarks.ocpp_parts.tables import Result, Table

STATION_COUNT = 500
WARM_UP_S, SPAN_S = 2.0, 10.0
SETTLE_TIMEOUT_S = 60.0
WORDS = {"meter": "meter values", "sessions": "starts and stops"}


async def _load(running: House, fleet: Process, kind: str, rate_per_s: float) -> dict[str, Any]:
    await fleet.ask("load", kind=kind, seconds_s=WARM_UP_S, rate_per_s=rate_per_s)
    commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    before = running.server.cpu_s(), running.database_cpu_s(), await running.value(commits)
    said = await fleet.ask("load", kind=kind, seconds_s=SPAN_S, rate_per_s=rate_per_s)
    server_s, database_s = running.server.cpu_s() - before[0], running.database_cpu_s() - before[1]
    await asyncio.sleep(1.0)  # PostgreSQL tells its statistics with a delay
    commit_count, count = await running.value(commits) - before[2], said["answered"]
    return {
        "messages": WORDS[kind],
        "load": "half of the most" if rate_per_s else "most",
        "per_s": round(count / said["took_s"]),
        "p50_ms": round(said["p50_ms"], 1),
        "p99_ms": round(said["p99_ms"], 1),
        "server_cpu_us": round(server_s / count * 1e6),
        "database_cpu_us": round(database_s / count * 1e6),
        "fleet_cpu_us": round(said["client_cpu_s"] / count * 1e6),
        "commits_a_message": round(commit_count / count, 2),
    }


async def _measure(station_count: int) -> dict[str, Any]:
    async with house(station_count) as running, running.fleet() as fleet:
        await fleet.ask("connect", stations=running.stations, spread_s=0.0)
        await running.settled(SETTLE_TIMEOUT_S)
        await fleet.ask("start_sessions")
        await running.settled(SETTLE_TIMEOUT_S)
        rows = []
        for kind in WORDS:
            rows.append(await _load(running, fleet, kind, 0.0))
            rows.append(await _load(running, fleet, kind, rows[-1]["per_s"] / 2))
        durable = [await running.value(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")]
        doubted_count = await running.value("SELECT count(*) FROM quarantine")
    return {"stations": station_count, "durable": durable, "quarantined": doubted_count, "loads": rows}


def run(station_count: int) -> Result:
    """Measure every load."""
    figures = asyncio.run(_measure(station_count))
    heads = ("messages", "load", "a second", "p50 ms", "p99 ms", "server µs", "PostgreSQL µs", "fleet µs", "commits")
    rows = [tuple(row.values()) for row in figures["loads"]]
    title = f"{station_count} stations, durable; CPU of each process and commits per message"
    return Result(figures, [Table(title, heads, rows)])
