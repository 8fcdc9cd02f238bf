"""The controller as a process that dies: `sunslot serve` on fixed ports, `kill -9`, and when it was of use again."""

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.runtime.embedded_postgres import DATABASE, PASSWORD_FILE, ROLE
from app.runtime.postgres_process import server_pids
from simulators.day import die_with_parent

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.05
PORT_LINE = 3
EVENT = re.compile(r"\blevel=(\w+) event=(\w+)")
UNWANTED = {"PYTHONDONTWRITEBYTECODE"}  # compiling everything at each start is no installation's way


@dataclass(slots=True)
class Death:
    """One `kill -9` and the way back, as times since 1970 (None: not seen)."""

    killed_s: float
    started_s: float
    listening_s: float | None = None
    ready_s: float | None = None


class Controller:
    """Runs `sunslot serve`; the ports stay the same over restarts. Its log goes to a file in the data folder.

    `database_url` None: with a PostgreSQL of its own, that dies with it.
    """

    def __init__(self, data_dir: Path, database_url: str | None) -> None:
        self.data_dir = data_dir
        self.http_port, self.ocpp_port = free_ports(2)
        self.deaths: list[Death] = []
        self._postgres_dir = data_dir / "postgres"
        self._log = data_dir / "controller.log"
        inherited = {name: value for name, value in os.environ.items() if name not in UNWANTED}
        self._environment = inherited | {
            "SUNSLOT_DATA_DIR": str(data_dir),
            "SUNSLOT_HTTP_PORT": str(self.http_port),
            "SUNSLOT_OCPP_HOST": "127.0.0.1",
            "SUNSLOT_OCPP_PORT": str(self.ocpp_port),
            "SUNSLOT_METER_INTERVAL_S": "10",
            "SUNSLOT_LOG_LEVEL": "WARNING",
        }
        if database_url is not None:
            self._environment["SUNSLOT_DATABASE_URL"] = database_url
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.http_port}"

    async def start(self) -> None:
        """Start it; it is not ready yet."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "app", "serve"),
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )

    async def ready(self, death: Death | None = None) -> None:
        """Return when it says that it is ready; raises RuntimeError when that takes too long or it has ended."""
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        async with httpx.AsyncClient(base_url=self.url, timeout=2.0, trust_env=False) as client:
            while True:
                if self._process is None or self._process.returncode is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"the controller does not come up: {self.last_lines()}")
                with suppress(httpx.HTTPError):
                    answer = await client.get("/health/ready")
                    if death is not None and death.listening_s is None:
                        death.listening_s = time.time()
                    if answer.is_success:
                        if death is not None:
                            death.ready_s = time.time()
                        return
                await asyncio.sleep(POLL_S)

    def database_url(self) -> str:
        """Return where its rows are; raises OSError while its own PostgreSQL does not run."""
        given = self._environment.get("SUNSLOT_DATABASE_URL")
        if given is not None:
            return given
        port = (self._postgres_dir / "postmaster.pid").read_text().splitlines()[PORT_LINE]
        password = (self._postgres_dir / PASSWORD_FILE).read_text()
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{DATABASE}"

    async def kill(self) -> None:
        """Kill it, and what it started, as a power failure does."""
        assert self._process is not None
        for pid in [self._process.pid, *server_pids(self._postgres_dir.resolve())]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end; kill it if it does not."""
        if self._process is None:
            return
        for end in (self._process.terminate, self._process.kill):
            with suppress(ProcessLookupError, TimeoutError):
                end()
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._process.wait()
                return

    def logged(self) -> Counter[str]:
        """Return how often it logged what, at warning or above."""
        return events_of(self._log.read_text(errors="replace"))

    def last_lines(self) -> str:
        """Return the end of its log."""
        return self._log.read_text(errors="replace")[-1500:] if self._log.exists() else ""


def free_ports(count: int) -> list[int]:
    """Return different ports of loopback that are free now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def events_of(log: str) -> Counter[str]:
    """Return how often each event stands in a log (logfmt), with its level."""
    return Counter(f"{level} {event}" for level, event in EVENT.findall(log))
