"""A crowd of stations: memory per idle connection, and the way back after a restart of the server.

The stations (half of each dialect) are admitted by security profile 1. They booted, were proven and set up before, so
that none of them sends a boot: acceptance is durable. Then the server is killed and started again on the same port,
while PostgreSQL runs on. Stations come back as `Policy` says: without jitter all at once and in step, with jitter
spread over 30 s.
"""

import asyncio
import time
from typing import Any

from benchmarks.ocpp_parts.house import House, Process, house
from benchmarks.ocpp_parts.tables import Result, Table

STATION_COUNT = 5000
CONNECT_SPREAD_S = 20.0
JITTER_S = 30.0
SETTLE_TIMEOUT_S = 180.0
RETURN_TIMEOUT_S = 120.0


async def _memory(running: House, fleet: Process) -> dict[str, Any]:
    before_bytes = running.server.rss_bytes()
    said = await fleet.ask("connect", stations=running.stations, spread_s=CONNECT_SPREAD_S)
    settled_s = await running.settled(SETTLE_TIMEOUT_S)
    connected = (await fleet.ask("state"))["connected"]
    after_bytes = running.server.rss_bytes()
    return {
        "connected": connected,
        "connect_s": round(said["took_s"], 1),
        "settled_s": round(settled_s, 1),
        "rss_before_mib": round(before_bytes / 2**20, 1),
        "rss_after_mib": round(after_bytes / 2**20, 1),
        "kib_a_connection": round((after_bytes - before_bytes) / 1024 / max(1, connected), 1),
        "trouble": said["trouble"],
    }


async def _restart(running: House, fleet: Process, jitter_s: float) -> dict[str, Any]:
    await fleet.ask("watch", jitter_s=jitter_s)
    await running.server.stop(at_once=True)
    began_s = time.monotonic()
    up_s = await running.serve()
    said = await fleet.ask("returned", timeout_s=RETURN_TIMEOUT_S)
    spans_s = [at_s - began_s for at_s in said["at_s"]]
    cpu_s = running.server.cpu_s()
    settled_s = await running.settled(SETTLE_TIMEOUT_S)
    return {
        "jitter_s": jitter_s,
        "listening_s": round(up_s, 1),
        "half_back_s": round(spans_s[len(spans_s) // 2], 1) if spans_s else None,
        "all_back_s": round(spans_s[-1], 1) if spans_s else None,
        "missing": said["missing"],
        "cpu_ms_a_station": round(cpu_s / max(1, len(spans_s)) * 1e3, 2),
        "settled_s": round(settled_s, 1),
        "trouble": said["trouble"],
    }


async def _measure(station_count: int, *, with_memory: bool, with_restart: bool) -> dict[str, Any]:
    figures: dict[str, Any] = {"stations": station_count}
    async with house(station_count) as running, running.fleet() as fleet:
        memory = await _memory(running, fleet)
        if with_memory:
            figures["memory"] = memory
        if with_restart:
            figures["restart"] = [await _restart(running, fleet, jitter_s) for jitter_s in (0.0, JITTER_S)]
    return figures


def run(station_count: int, *, with_memory: bool, with_restart: bool) -> Result:
    """Measure one of the two, or both in one house."""
    figures = asyncio.run(_measure(station_count, with_memory=with_memory, with_restart=with_restart))
    tables = []
    if with_memory:
        heads = (
            "connected",
            "all connected s",
            "settled s",
            "RSS before MiB",
            "RSS after MiB",
            "KiB a connection",
            "trouble",
        )
        tables.append(Table("Idle connections", heads, [tuple(figures["memory"].values())]))
    if with_restart:
        heads = (
            "jitter s",
            "listening s",
            "half back s",
            "all back s",
            "missing",
            "CPU ms a station",
            "settled s",
            "trouble",
        )
        tables.append(Table("Back after a restart", heads, [tuple(row.values()) for row in figures["restart"]]))
    return Result(figures, tables)
