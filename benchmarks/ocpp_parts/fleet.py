"""The stations' process: `python -m benchmarks.ocpp_parts.fleet PORT KEY`; JSON lines in, JSON lines out."""

import asyncio
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
import uvloop

from benchmarks.ocpp_parts import frames
from benchmarks.ocpp_parts.charger import Charger, Policy, stamp


class Fleet:
    """What the parts of the benchmark ask for; every method returns figures."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self._chargers: list[Charger] = []
        self._refs: dict[str, str] = {}
        self._returns: list[asyncio.Task[float]] = []
        self._registers: Counter[str] = Counter()

    async def connect(self, stations: Sequence[tuple[str, str]], spread_s: float) -> dict[str, Any]:
        """Connect these stations (identity, dialect) over `spread_s`."""
        self._chargers = [Charger(identity, dialect, self._key, self._port) for identity, dialect in stations]
        began_s = time.monotonic()
        await asyncio.gather(*(charger.connect(Policy(spread_s)) for charger in self._chargers))
        return self._trouble() | {"connected": self._up_count(), "took_s": time.monotonic() - began_s}

    def _up_count(self) -> int:
        return sum(not charger.lost.is_set() for charger in self._chargers)

    def _trouble(self) -> dict[str, Any]:
        total: Counter[str] = Counter()
        for charger in self._chargers:
            total.update(charger.trouble)
            charger.trouble.clear()
        return {"trouble": dict(total)}

    async def state(self) -> dict[str, Any]:
        """Return how many are connected."""
        return {"connected": self._up_count()}

    async def start_sessions(self) -> dict[str, Any]:
        """Start a session at every station."""
        await asyncio.gather(*(self._start(charger) for charger in self._chargers))
        return {"sessions": len(self._refs)}

    async def arrive(self, first: int, count: int) -> dict[str, Any]:
        """Start sessions at stations that follow each other; return when each was told and when that was answered."""

        async def tell(charger: Charger) -> tuple[str, float, float]:
            told_s = time.time()
            await self._start(charger)
            return charger.identity, told_s, time.time()

        return {"arrived": await asyncio.gather(*map(tell, self._chargers[first : first + count]))}

    async def _start(self, charger: Charger) -> None:
        register = self._registers[charger.identity] = self._registers[charger.identity] + 1
        if charger.is_old:
            payload: dict[str, Any] = {"connectorId": 1, "idTag": "BENCH", "meterStart": register, "timestamp": stamp()}
            answer = await charger.call("StartTransaction", payload)
            self._refs[charger.identity] = str(answer["transactionId"])
            return
        ref = f"{charger.identity}-{register}"
        token = {"idToken": "BENCH", "type": "ISO14443"}
        event = frames.transaction_event("Started", ref, 0, register_wh=register, at=stamp(), idToken=token)
        await charger.call("TransactionEvent", event)
        self._refs[charger.identity] = ref

    async def _stop(self, charger: Charger) -> None:
        register = self._registers[charger.identity] = self._registers[charger.identity] + 1
        ref = self._refs.pop(charger.identity)
        if charger.is_old:
            payload = {"transactionId": int(ref), "meterStop": register, "timestamp": stamp(), "idTag": "BENCH"}
            await charger.call("StopTransaction", payload)
            return
        event = frames.transaction_event("Ended", ref, 9, register_wh=register, at=stamp())
        await charger.call("TransactionEvent", event)

    async def _meter(self, charger: Charger) -> None:
        register = self._registers[charger.identity] = self._registers[charger.identity] + 1
        ref = self._refs[charger.identity]
        if charger.is_old:
            await charger.call("MeterValues", frames.meter_values(int(ref), register, stamp()))
        else:
            event = frames.transaction_event("Updated", ref, register, register_wh=register, at=stamp())
            await charger.call("TransactionEvent", event)

    async def load(self, kind: str, seconds_s: float, rate_per_s: float) -> dict[str, Any]:
        """Let every station call for a while, its next call after the answer to its last.

        `kind` is meter, or sessions (start, stop, start …). With a rate all stations together make that many calls a
        second, and answer times count from when a call was due; without, each calls as soon as it may.
        """
        spans_s: list[float] = []
        until_s = time.monotonic() + seconds_s
        every_s = len(self._chargers) / rate_per_s if rate_per_s else 0.0
        used_s = _used_s()

        async def work(charger: Charger, number: int) -> None:
            due_s = time.monotonic() + every_s * number / len(self._chargers)
            while True:
                if every_s:
                    await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                else:
                    due_s = time.monotonic()
                if time.monotonic() > until_s:
                    return
                if kind == "meter":
                    await self._meter(charger)
                elif charger.identity in self._refs:
                    await self._stop(charger)
                else:
                    await self._start(charger)
                spans_s.append(time.monotonic() - due_s)
                due_s += every_s

        began_s = time.monotonic()
        await asyncio.gather(*(work(charger, number) for number, charger in enumerate(self._chargers)))
        return {
            "answered": len(spans_s),
            "took_s": time.monotonic() - began_s,
            "client_cpu_s": _used_s() - used_s,
            **_percentiles(spans_s),
        }

    async def watch(self, jitter_s: float) -> dict[str, Any]:
        """From now on every station that loses its connection comes back, with this much jitter."""
        self._returns = [asyncio.create_task(_return(charger, Policy(jitter_s))) for charger in self._chargers]
        return {"watched": len(self._returns)}

    async def returned(self, timeout_s: float) -> dict[str, Any]:
        """Wait until all have come back; return when (on the clock of `time.monotonic`) they did."""
        done, late = await asyncio.wait(self._returns, timeout=timeout_s)
        for task in late:
            task.cancel()
        at_s = sorted(task.result() for task in done)
        return self._trouble() | {"returned": len(at_s), "missing": len(late), "at_s": at_s}

    async def hang_up(self) -> dict[str, Any]:
        """Drop all connections."""
        for charger in self._chargers:
            charger.drop()
        await asyncio.sleep(0.5)
        return {}


async def _return(charger: Charger, policy: Policy) -> float:
    await charger.lost.wait()
    await charger.connect(policy)
    return time.monotonic()


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _percentiles(spans_s: Sequence[float]) -> dict[str, float]:
    cuts_s = statistics.quantiles(spans_s, n=1000) if len(spans_s) > 1 else [0.0] * 999
    return {"p50_ms": cuts_s[499] * 1e3, "p99_ms": cuts_s[989] * 1e3}


async def main() -> None:
    """Do what the lines of stdin ask for until it closes."""
    fleet = Fleet(int(sys.argv[1]), sys.argv[2])
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        asked = orjson.loads(line)
        answer = await getattr(fleet, asked.pop("do"))(**asked)
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(main())
