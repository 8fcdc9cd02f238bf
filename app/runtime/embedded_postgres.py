"""A real PostgreSQL in a folder of ours, started and stopped with us; nothing committed is lost by `kill -9`.

fsync, full_page_writes and synchronous_commit stay on unless a throw-away cluster is asked for. It listens on a free
port of 127.0.0.1 only, with a random password kept in the data folder.
"""

import asyncio
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

import asyncpg
import structlog

from app.domain.errors import DatabaseUnavailable
from app.runtime import postgres_process as process
from app.runtime.postgres_account import Account, account_for
from app.runtime.postgres_binaries import Binaries, copy_wheel, find_binaries, is_in_wheel

log = structlog.get_logger()

DATABASE = ROLE = "sunslot"
PASSWORD_FILE = "sunslot.password"  # noqa: S105 - a file name
SYSTEM_DIR = Path("/var/lib/sunslot")
READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
ATTEMPT_TIMEOUT_S = 5.0
POLL_S = 0.02
WATCH_EVERY_S, STEADY_S = 0.2, 10.0
UNFINISHED = ".unfinished"
LONGEST_LOG_BYTES = 10_000_000
SERVER_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",
    "logging_collector": "off",
}
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
THROW_AWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class EmbeddedPostgres:
    """`async with EmbeddedPostgres(Path("var/postgres")) as url:` runs the server while the context lasts.

    Enter it in a thread that lives as long (the main thread): on Linux the server ends with the thread that started it.
    As root it runs as an existing unprivileged account; where that account cannot reach `data_dir`, the data lie below
    `system_dir` and `data_dir` is a link to them. Raises DatabaseUnavailable, also when another process has the folder.
    """

    def __init__(self, data_dir: Path, *, is_durable: bool = True, system_dir: Path = SYSTEM_DIR) -> None:
        self._data_dir = data_dir.absolute()
        self._options = SERVER_OPTIONS | (DURABLE if is_durable else THROW_AWAY)
        self._is_durable = is_durable
        self._system_dir = system_dir
        self._lock: IO[str] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._installed: tuple[Account, Binaries, int] | None = None
        self._is_death_told = False

    @property
    def pid(self) -> int | None:
        """The postmaster's process id; None while it does not run."""
        return None if self._server is None else self._server.pid

    async def __aenter__(self) -> str:
        """Start the server and return its URL."""
        try:
            self._data_dir.parent.mkdir(parents=True, exist_ok=True)
        except OSError as broken:
            raise DatabaseUnavailable(f"there can be no folder {self._data_dir.parent} ({broken.strerror})") from None
        self._lock = take_lock(self._data_dir)
        try:
            account, binaries = await asyncio.to_thread(self._prepare)
            self._installed = account, binaries, _free_port()
            await self._start()
            password = (self._data_dir / PASSWORD_FILE).read_text()
            return f"postgresql://{ROLE}:{password}@127.0.0.1:{self._installed[2]}/{DATABASE}"
        except BaseException:
            await self.__aexit__(None, None, None)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server: fast shutdown, and SIGKILL if that takes too long."""
        if self._server is not None:
            await _stop(self._server)
            self._server = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def keep_running(self, went_well: Callable[[], None]) -> None:
        """Watch the server, for `supervise`; start it again in place, at the same port, when it was found dead.

        Raises DatabaseUnavailable when it has ended, also before this was called, and when it cannot be started again:
        each call tries once. Nothing that was committed is lost. `went_well` is told once it has run for ten seconds,
        so that one that dies at every start is tried less and less often.
        """
        if self._is_death_told and self._server is not None and self._server.poll() is not None:
            await self.restart()
        began_s = time.monotonic()
        while self._server is not None and self._server.poll() is None:
            if time.monotonic() - began_s > STEADY_S:
                went_well()
            await asyncio.sleep(WATCH_EVERY_S)
        self._is_death_told = True
        raise DatabaseUnavailable("the embedded PostgreSQL ended by itself; it is started again")

    async def restart(self) -> None:
        """Start the server that has ended again, at the same port; raises DatabaseUnavailable."""
        if self._server is not None:
            await _stop(self._server)
            log.warning("postgres_restarting", code=self._server.returncode)
        await asyncio.to_thread(process.end_orphans, self._data_dir.resolve())
        await self._start()
        log.warning("postgres_restarted", pid=self.pid)

    def _prepare(self) -> tuple[Account, Binaries]:
        """Make the data folder if there is none, and end what an earlier owner left running on it."""
        for unfinished in self._data_dir.parent.glob(f"{self._data_dir.name}-*{UNFINISHED}"):
            shutil.rmtree(unfinished, ignore_errors=True)
        account = account_for(self._data_dir)
        major = int(text) if (text := _read(self._data_dir / "PG_VERSION")) else None
        binaries = find_binaries(major)
        if not account.reaches(binaries.folder / "postgres") and is_in_wheel(binaries):
            self._system_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
            binaries = copy_wheel(binaries, self._system_dir)
        if major is None:
            self._create(account, binaries)
        if not account.reaches(self._data_dir):
            raise DatabaseUnavailable(
                f"the account that PostgreSQL runs as cannot enter the folders of {self._data_dir}"
            )
        process.end_orphans(self._data_dir.resolve())
        return account, binaries

    def _create(self, account: Account, binaries: Binaries) -> None:
        """Run initdb beside the data folder and rename: a data folder is complete or absent."""
        home = self._data_dir.parent
        if not account.reaches(self._data_dir):
            home = self._system_dir
            home.mkdir(mode=0o755, parents=True, exist_ok=True)
        if self._data_dir.is_dir() and not any(self._data_dir.iterdir()):
            self._data_dir.rmdir()
        if os.path.lexists(self._data_dir):
            raise DatabaseUnavailable(f"{self._data_dir} exists and is not a data folder of PostgreSQL")
        staging = home / f"{self._data_dir.name}-{secrets.token_hex(4)}{UNFINISHED}"
        staging.mkdir(mode=0o700)
        try:
            account.own(staging)
            _initdb(account, binaries, staging, is_durable=self._is_durable)
            target = self._data_dir if home == self._data_dir.parent else staging.with_suffix("")
            (staging / "data").rename(target)
            if target != self._data_dir:
                self._data_dir.symlink_to(target)
            _sync_folder(home)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    async def _start(self) -> None:
        """Start the server and wait until it answers; raises DatabaseUnavailable."""
        assert self._installed is not None  # noqa: S101 - entered
        account, binaries, port = self._installed
        password = (self._data_dir / PASSWORD_FILE).read_text()
        log_file = self._data_dir.with_name(f"{self._data_dir.name}.log")
        if log_file.exists() and log_file.stat().st_size > LONGEST_LOG_BYTES:
            log_file.replace(log_file.with_suffix(".log.1"))
        command = [str(binaries.folder / "postgres"), "-D", str(self._data_dir.resolve()), "-p", str(port)]
        for name, value in self._options.items():
            command += ["-c", f"{name}={value}"]
        said_before_bytes = log_file.stat().st_size if log_file.exists() else 0
        self._server = process.launch(account, command, log_file)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                while not await _is_ready(port, password):
                    if self._server.poll() is not None:
                        said = _tail(log_file, said_before_bytes)
                        raise DatabaseUnavailable(f"PostgreSQL ended while starting: {said}")
                    await asyncio.sleep(POLL_S)
            self._is_death_told = False
        except TimeoutError:
            raise DatabaseUnavailable(f"PostgreSQL was not ready in {READY_TIMEOUT_S:.0f} s, see {log_file}") from None


def take_lock(data_dir: Path) -> IO[str]:
    """Return the locked lock file beside the data folder; closing it unlocks. Raises DatabaseUnavailable if taken."""
    path = data_dir.with_name(f"{data_dir.name}.lock")
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise DatabaseUnavailable(f"the data folder {data_dir} is in use by another process (pid {owner})") from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _initdb(account: Account, binaries: Binaries, staging: Path, *, is_durable: bool) -> None:
    password_file = staging / PASSWORD_FILE
    password_file.touch(mode=0o600)
    account.own(password_file)
    password_file.write_text(secrets.token_urlsafe(32))
    command = [str(binaries.folder / "initdb"), "-D", str(staging / "data"), "-U", ROLE, "--pwfile", str(password_file)]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    problem = process.run(account, command if is_durable else [*command, "--no-sync"])
    if problem:
        raise DatabaseUnavailable(f"initdb failed: {problem}")
    password_file.rename(staging / "data" / PASSWORD_FILE)


async def _is_ready(port: int, password: str) -> bool:
    """Whether the server answers; makes our database if it is not there yet."""
    try:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=port, user=ROLE, password=password, database="postgres", timeout=ATTEMPT_TIMEOUT_S
        )
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        return False
    try:
        exists = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE)
        if not exists:
            await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close(timeout=ATTEMPT_TIMEOUT_S)
    return True


async def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            while server.poll() is None:  # noqa: ASYNC110 - a process has no event to wait for
                await asyncio.sleep(POLL_S)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _read(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def _tail(log: Path, from_byte: int) -> str:
    with log.open("rb") as file:
        file.seek(from_byte)
        return file.read()[-2000:].decode(errors="replace").strip()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
