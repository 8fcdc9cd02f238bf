"""The fault proxy: a TCP relay on loopback, one port for each station, that does to the bytes what networks do.

Bytes are never invented, changed or reordered within a connection; they come late, in drips, or not at all. Every
wait and buffer is bounded.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from proofs.crash.faults import Fault, Kind

CHUNK_BYTES = 16 * 1024
CONNECT_TIMEOUT_S = 5.0
HALF_OPEN_S = 120.0
MEDIAN_DELAY_S, SPREAD = 0.02, 1.2
TAIL_SHARE, LONGEST_TAIL_S = 0.02, 15.0
SLOW_MEDIAN_S = 1.5
DRIP_BYTES, DRIP_PAUSE_S = 7, 0.05


@dataclass(slots=True)
class Weather:
    """Until when (monotonic seconds) what is wrong on one station's way; `up` is from the station to the controller."""

    slow_until_s: float = 0.0
    drips_until_s: float = 0.0
    refuses_until_s: float = 0.0
    up_stalled_until_s: float = 0.0
    down_stalled_until_s: float = 0.0

    def stalled_until_s(self, *, is_up: bool) -> float:
        """Return until when nothing passes in a direction."""
        return self.up_stalled_until_s if is_up else self.down_stalled_until_s


@dataclass(eq=False, slots=True)
class Relay:
    """One connection that is relayed: both sides' writers, and whether the controller's side is left half open."""

    station: asyncio.StreamWriter
    controller: asyncio.StreamWriter
    is_half_open: bool = False


@dataclass(slots=True)
class Way:
    """One station's port, its weather and its connections."""

    weather: Weather = field(default_factory=Weather)
    relays: set[Relay] = field(default_factory=set)
    port: int = 0


class FaultProxy:
    """`async with FaultProxy(stations, port, seed)` listens; `ways[station].port` is where that station connects."""

    def __init__(self, stations: tuple[str, ...], controller_port: int, seed: int) -> None:
        self.ways = {station: Way() for station in stations}
        self.connect_count = 0
        self.refused_count = 0
        self.played: Counter[str] = Counter()
        self._controller_port = controller_port
        self._rng = random.Random(f"proxy:{seed}")
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "FaultProxy":
        """Listen for every station."""
        for way in self.ways.values():
            server = await asyncio.start_server(partial(self._meet, way), "127.0.0.1", 0)
            way.port = server.sockets[0].getsockname()[1]
            self._servers.append(server)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cut everything and listen no more."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Faults

    async def play(self, faults: Iterator[Fault]) -> None:
        """Play faults, one after the other, until cancelled."""
        for fault in faults:
            await asyncio.sleep(fault.after_s)
            self.apply(fault)

    def apply(self, fault: Fault) -> None:
        """Let a fault begin."""
        self.played[fault.kind.value] += 1
        until_s = time.monotonic() + fault.lasts_s
        for station in fault.stations:
            self._befall(self.ways[station], fault.kind, until_s)

    def _befall(self, way: Way, kind: Kind, until_s: float) -> None:
        weather = way.weather
        if kind is Kind.DELAY:
            weather.slow_until_s = until_s
        elif kind is Kind.DRIP:
            weather.drips_until_s = until_s
        elif kind is Kind.CUT:
            self._cut(way)
        elif kind is Kind.HALF_OPEN:
            for relay in way.relays:
                relay.is_half_open = True
                relay.station.transport.abort()
        if kind in {Kind.STALL, Kind.PARTITION, Kind.MUTE_STATION}:
            weather.up_stalled_until_s = until_s
        if kind in {Kind.STALL, Kind.PARTITION, Kind.DEAF_STATION}:
            weather.down_stalled_until_s = until_s
        if kind in {Kind.REFUSE, Kind.PARTITION}:
            weather.refuses_until_s = until_s
        if kind is Kind.REFUSE:
            self._cut(way)

    def _cut(self, way: Way) -> None:
        for relay in way.relays:
            relay.station.transport.abort()
            relay.controller.transport.abort()

    # Bytes

    def _meet(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._relay_or_refuse(way, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay_or_refuse(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._relay(way, reader, writer)
        except (OSError, TimeoutError):
            self.refused_count += 1
        finally:
            writer.transport.abort()

    async def _relay(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if time.monotonic() < way.weather.refuses_until_s:
            raise ConnectionRefusedError
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._controller_port)
        self.connect_count += 1
        relay = Relay(writer, far_writer)
        way.relays.add(relay)
        both = [
            asyncio.create_task(self._pump(way.weather, relay, reader, far_writer, is_up=True)),
            asyncio.create_task(self._pump(way.weather, relay, far_reader, writer, is_up=False)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if relay.is_half_open:
                await asyncio.wait(both, timeout=HALF_OPEN_S)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            far_writer.transport.abort()
            way.relays.discard(relay)

    async def _pump(
        self, weather: Weather, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_up: bool
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await asyncio.sleep(self._delay_s(weather))
                await self._wait_out(weather, is_up=is_up)
                if not relay.is_half_open:  # else the controller is not told, and what it still sends goes nowhere
                    await self._pass_on(weather, chunk, writer)

    async def _wait_out(self, weather: Weather, *, is_up: bool) -> None:
        while (left_s := weather.stalled_until_s(is_up=is_up) - time.monotonic()) > 0:  # noqa: ASYNC110 - it may get longer
            await asyncio.sleep(left_s)

    async def _pass_on(self, weather: Weather, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        sent = 0
        while sent < len(chunk):
            size = DRIP_BYTES if time.monotonic() < weather.drips_until_s else len(chunk) - sent
            writer.write(chunk[sent : sent + size])
            await writer.drain()
            sent += size
            if sent < len(chunk):
                await asyncio.sleep(DRIP_PAUSE_S)

    def _delay_s(self, weather: Weather) -> float:
        """Return a delay: some tens of milliseconds, now and then seconds; seconds as a rule while it is slow."""
        if self._rng.random() < TAIL_SHARE:
            return self._rng.uniform(0.0, LONGEST_TAIL_S)
        is_slow = time.monotonic() < weather.slow_until_s
        return (SLOW_MEDIAN_S if is_slow else MEDIAN_DELAY_S) * self._rng.lognormvariate(0.0, SPREAD)
