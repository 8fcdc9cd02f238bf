"""The controller is killed on real processes, behind a failing network; the wires are measured beside it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proofs.crash.report import HELD_BACK_SHARE

pytestmark = [pytest.mark.system, pytest.mark.database]

ROOT = Path(__file__).parents[2]
SETUP_TIMEOUT_S = 240


def crash(*arguments: str, minutes: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proofs", "crash", "--minutes", str(minutes), *arguments],
        capture_output=True,
        text=True,
        timeout=minutes * 60 + SETUP_TIMEOUT_S,
        check=False,
        cwd=ROOT,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> dict:
    file = tmp_path_factory.mktemp("crash") / "crash.json"
    run = crash("--stations", "12", "--kill-every", "20", "--json", str(file), minutes=1.0)
    assert file.exists(), run.stdout + run.stderr[-3000:]
    told = json.loads(file.read_text())
    assert told["wrong"] == []
    assert run.returncode == 0
    return told


def test_no_conductor_is_above_its_rating_while_the_controller_is_killed(played):
    assert played["violations"] == []
    assert played["kills"] >= 1
    assert all(row["peak"] <= row["rating"] for row in played["rows"])
    assert played["measured_s"] >= 55


def test_the_run_was_hard_enough_to_prove_something(played):
    assert played["ledger_full_share"] >= 0.2
    assert played["orders"]["accepted"] > 0
    assert played["faults"]
    assert played["surprises"]
    assert played["cars"] >= 12


def test_the_controller_comes_back_and_sends_orders(played):
    assert all(way["ready_s"] is not None for way in played["ways_back"])
    is_held_back = played["ledger_over_share"] >= HELD_BACK_SHARE
    assert is_held_back or all(way["first_order_s"] is not None for way in played["ways_back"])


def test_a_wrong_option_is_one_clear_line():
    run = crash("--stations", "many", minutes=1.0)
    assert run.returncode == 2
    assert "--stations" in run.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
def test_an_interrupted_run_leaves_no_process_and_no_folder_behind(tmp_path):
    run = subprocess.Popen(
        [sys.executable, "-m", "proofs", "crash", "--stations", "12", "--minutes", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    assert run.stdout is not None
    assert b"stations connect" in run.stdout.readline()
    folder = next(tmp_path.iterdir())
    assert [each for each in processes_of(str(folder)) if each != run.pid]
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=90) == 130
    run.stdout.close()
    assert list(tmp_path.iterdir()) == []
    assert processes_of(str(folder)) == []


def processes_of(folder: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if folder.encode() in told:
            found.append(int(entry.name))
    return found
