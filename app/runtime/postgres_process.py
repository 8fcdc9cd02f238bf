"""The server's process: started in its own session, ended with us, and found again when it outlived us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.domain.errors import DatabaseUnavailable
from app.runtime.postgres_account import Account

INITDB_TIMEOUT_S = 120
ORPHAN_TIMEOUT_S = 20.0
POLL_S = 0.02

# Becomes the unprivileged account, asks Linux for a SIGINT (fast shutdown) when the thread that started it dies, and
# turns into the server. A program of its own, because changing the account clears the death signal. Everything is
# imported before: the account may not be able to read the interpreter's files.
LAUNCHER = """
import os, sys
uid, gid, parent_pid = map(int, sys.argv[1:4])
is_linux = sys.platform == "linux"
if is_linux:
    import ctypes
    libc = ctypes.CDLL(None)
if uid != os.geteuid():
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if is_linux:
    libc.prctl(1, 2)
    if os.getppid() != parent_pid:
        sys.exit(1)
os.umask(0o077)
os.execv(sys.argv[4], sys.argv[4:])
"""


def launch(account: Account, command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the server; its output is appended to `log`."""
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, str(account.uid), str(account.gid), str(os.getpid())]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own command line
            [*launcher, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_environment(),
            start_new_session=True,
        )


def run(account: Account, command: list[str]) -> str:
    """Run a program to its end as the account; return what it said when it failed, else nothing."""
    done = subprocess.run(  # noqa: S603 - our own command line
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=INITDB_TIMEOUT_S,
        cwd="/",
        env=_environment(),
        user=account.uid if account.is_other else None,
        group=account.gid if account.is_other else None,
        extra_groups=[] if account.is_other else None,
    )
    return "" if done.returncode == 0 else f"{done.stdout}\n{done.stderr}".strip()


def end_orphans(data_dir: Path) -> None:
    """End every server process that an earlier, killed owner left on the data folder (Linux only).

    The caller holds the folder's lock, so nobody else means them to live. Fast shutdown first, then SIGKILL; both lose
    nothing that was committed. Raises DatabaseUnavailable when a process cannot be ended.
    """
    for number in (signal.SIGINT, signal.SIGKILL):
        for pid in server_pids(data_dir):
            _send(pid, number)
        deadline_s = time.monotonic() + ORPHAN_TIMEOUT_S
        while pids := server_pids(data_dir):
            if time.monotonic() > deadline_s:
                break
            time.sleep(POLL_S)
        if not pids:
            _forget_pid(data_dir)
            return
    raise DatabaseUnavailable(f"old server processes of {data_dir} cannot be ended: {pids}")


def _forget_pid(data_dir: Path) -> None:
    """Remove a pid file that names a process which is not the server: a reused number, or a zombie nobody reaps.

    PostgreSQL handles dead ones itself, but takes these for a running server.
    """
    pid_file = data_dir / "postmaster.pid"
    if not Path("/proc/self").exists() or not pid_file.exists():
        return
    first_line = pid_file.read_text().partition("\n")[0]
    if first_line.isdigit() and Path(f"/proc/{first_line}").exists():
        pid_file.unlink()


def server_pids(data_dir: Path) -> list[int]:
    """Return the processes called `postgres` that work in the data folder (the server's processes all do)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() == "postgres" and (entry / "cwd").readlink() == data_dir:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
