"""The house under test: a durable PostgreSQL, `sunslot serve` and the fleet, each in processes of its own."""

import asyncio
import os
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from app.demo.scratch import scratch_database
from app.ocpp_central.server import DIALECTS, CentralOptions
from app.operations.admission import hash_key
from app.operations.onboarding import State, fingerprint_of
from app.runtime.embedded_postgres import EmbeddedPostgres
from app.runtime.migrate import migrate
from app.settings import Settings
from app.store.base import create_engine
from app.store.device import OnboardingRow
from app.store.driver import DriverRow, TokenRow
from app.store.site import SiteRow
from app.store.station import EvseRow, StationRow

CARD = "BENCH"
KEY, SALT = "bench-0123456789abcd", b"bench salt"
STATIONS_A_SITE = 50
ASK_TIMEOUT_S = 300.0
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
IDLE_SHARE = 0.2
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

Stations = list[tuple[str, str]]


def check_files(connection_count: int) -> None:
    """Exit clearly where the machine does not allow that many sockets."""
    import resource

    wanted_count = connection_count + 1000
    soft_count, hard_count = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard_count != resource.RLIM_INFINITY and hard_count < wanted_count:
        raise SystemExit(
            f"{connection_count} connections need `ulimit -n {wanted_count}`; the hard limit is {hard_count}"
        )
    if soft_count != resource.RLIM_INFINITY and soft_count < wanted_count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted_count, hard_count))


def tell(what: str) -> None:
    """Say on stderr how far it is."""
    print(f"… {what}", file=sys.stderr, flush=True)


class Process:
    """A process of the benchmark and what /proc says about it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Return the CPU time it has used."""
        return cpu_s(self.pid)

    def rss_bytes(self) -> int:
        """Return its resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ProcessLookupError(self.pid)

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Ask the fleet for something; raises RuntimeError where it ends instead."""
        assert self._process.stdin is not None  # noqa: S101 - we opened both as pipes
        assert self._process.stdout is not None  # noqa: S101
        began_s = time.monotonic()
        self._process.stdin.write(orjson.dumps({"do": do, **fields}) + b"\n")
        async with asyncio.timeout(ASK_TIMEOUT_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the fleet ended while it was asked to {do}")
        tell(f"{do} took {time.monotonic() - began_s:.1f} s")
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    async def stop(self, *, at_once: bool = False) -> None:
        """Ask it to end and kill it if it does not, or kill it at once."""
        for end in (self._process.terminate, self._process.kill)[at_once:]:
            with suppress(ProcessLookupError, TimeoutError):
                end()
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._process.wait()
                return


def cpu_s(pid: int, *, with_ended: bool = False) -> float:
    """Return the CPU time that a process has used, if asked for with that of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_ended else 13])) / TICKS_A_SECOND


class House:
    """What the parts work with. `port` stays the same over restarts of the server."""

    def __init__(self, url: str, postmaster_pid: int, data_dir: Path, stations: Stations) -> None:
        self.url = url
        self.stations = stations
        self.port = _free_port()
        self.server: Process
        self._postmaster_pid = postmaster_pid
        self._data_dir = data_dir

    async def serve(self) -> float:
        """Start the server; return how long it took until it listened."""
        began_s = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app",
            "serve",
            env=os.environ
            | {
                "SUNSLOT_DATABASE_URL": self.url,
                "SUNSLOT_DATA_DIR": str(self._data_dir),
                "SUNSLOT_HTTP_PORT": "0",
                "SUNSLOT_OCPP_HOST": "127.0.0.1",
                "SUNSLOT_OCPP_PORT": str(self.port),
                "SUNSLOT_LOG_LEVEL": "ERROR",
            },
        )
        self.server = Process(process)
        while not await _listens(self.port):
            if process.returncode is not None or time.monotonic() - began_s > START_TIMEOUT_S:
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.02)
        return time.monotonic() - began_s

    @asynccontextmanager
    async def fleet(self) -> AsyncIterator[Process]:
        """Run the stations' process while the context lasts."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.ocpp_parts.fleet",
            str(self.port),
            KEY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=64 * 1024 * 1024,
        )
        fleet = Process(process)
        try:
            yield fleet
        finally:
            await fleet.stop()

    def database_cpu_s(self) -> float:
        """Return the CPU time of PostgreSQL's processes, also of those that have ended."""
        total_s = cpu_s(self._postmaster_pid, with_ended=True)
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(self._postmaster_pid):
                    total_s += cpu_s(int(folder.name))
        return total_s

    async def value(self, query: str) -> Any:
        """Return the one value of a query."""
        connection = await asyncpg.connect(self.url, timeout=10)
        try:
            return await connection.fetchval(query, timeout=60)
        finally:
            await connection.close(timeout=10)

    async def settled(self, timeout_s: float) -> float:
        """Wait until the server is idle (below a fifth of a core over a second); return how long it took."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < timeout_s:
            before_s = self.server.cpu_s()
            await asyncio.sleep(1.0)
            if self.server.cpu_s() - before_s < IDLE_SHARE:
                break
        tell(f"settled after {time.monotonic() - began_s:.1f} s, CPU of the server {self.server.cpu_s():.1f} s")
        return time.monotonic() - began_s


@asynccontextmanager
async def house(
    station_count: int, a_site_count: int = STATIONS_A_SITE, dialects: Sequence[str] = ("ocpp2.0.1", "ocpp1.6")
) -> AsyncIterator[House]:
    """Yield a running server with provisioned stations, of these dialects in turn, in sites of `a_site_count`."""
    check_files(station_count)
    async with scratch_database(Settings(database_url=None)) as settings:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        postgres = EmbeddedPostgres(settings.data_dir / "postgres")
        async with postgres as url:
            await migrate(url)
            stations = await _provision(url, station_count, a_site_count, dialects)
            assert postgres.pid is not None  # noqa: S101 - it runs
            running = House(url, postgres.pid, settings.data_dir, stations)
            await running.serve()
            try:
                yield running
            finally:
                await running.server.stop()


async def _provision(url: str, count: int, a_site_count: int, dialects: Sequence[str]) -> Stations:
    """Add sites, stations with one EVSE each that booted, were proven and set up before, and the card of all."""
    now = datetime.now(UTC)
    stations = [(f"bench{number:05}", dialects[number % len(dialects)]) for number in range(count)]
    site_ids = [f"site{number:04}" for number in range(-(-count // a_site_count))]
    sites = [
        SiteRow(site_id=id_, name=id_, zone="Asia/Tokyo", limit_w=8_000.0 * a_site_count, created_at=now)
        for id_ in site_ids
    ]
    booted = {"needs_boot": False, "booted_at": now, "vendor": "Bench", "model": "One", "firmware": "1"}
    key = {"security_profile": 1, "key_salt": SALT, "key_hash": hash_key(SALT, KEY.encode())}
    provisioned = [
        StationRow(
            station_id=identity,
            site_id=site_ids[at // a_site_count],
            dialect=dialect,
            created_at=now,
            **key,
            **booted,
        )
        for at, (identity, dialect) in enumerate(stations)
    ]
    evses = [
        EvseRow(station_id=identity, evse_number=1, max_current_a=32.0, default_verified_at=now)
        for identity, _ in stations
    ]
    onboarded = [_onboarded(station, now) for station in provisioned]
    driver = DriverRow(driver_id=uuid.uuid4(), name="Bench", created_at=now)
    engine = create_engine(url)
    try:
        async with AsyncSession(engine) as session, session.begin():
            for rows in (sites, provisioned, evses, onboarded, [driver]):
                session.add_all(rows)
                await session.flush()
            session.add(TokenRow(token=CARD, driver_id=driver.driver_id, is_blocked=False))
    finally:
        await engine.dispose()
    return stations


def _onboarded(station: StationRow, now: datetime) -> OnboardingRow:
    dialect = DIALECTS[str(station.dialect)]
    wanted = {each.name: each.value for each in dialect.setup.wanted(CentralOptions().needs)}
    return OnboardingRow(
        station_id=station.station_id,
        fingerprint=fingerprint_of(station, dialect.subprotocol, wanted),
        state=State.DONE,
        capabilities={},
        wanted=wanted,
        unmet={},
        attempt_count=1,
        started_at=now,
        ended_at=now,
    )


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
