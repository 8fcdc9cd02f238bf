"""Every import contract is broken once on purpose, in a copy of the tree, and has to say so."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
PREFIX = "importlinter:contract:"

# (contract, file that the import is written to, import): every rule of every contract that could be switched off alone.
VIOLATIONS = [
    ("layers", "app/operations/stray.py", "import app.api"),
    ("layers", "app/main.py", "import app.demo"),
    ("layers", "app/backtest/stray.py", "import app.api"),
    ("layers", "app/bus/stray.py", "import app.store"),
    ("layers", "app/sources/stray.py", "import app.store"),
    ("layers", "app/utils.py", ""),
    ("pure", "app/domain/stray.py", "import time"),
    ("pure", "app/scheduling/stray.py", "import sqlalchemy.orm"),
    ("pure", "app/scheduling/stray.py", "from asyncio import sleep"),
    ("database", "app/api/stray.py", "from app.store import base"),
    ("database", "app/ocpp_central/stray.py", "import app.store"),
    ("database", "app/ocpp_central/v16/stray.py", "from sqlalchemy import select"),
    ("wire", "app/operations/stray.py", "import ocpp.v16"),
    ("http", "app/runtime/stray.py", "import fastapi"),
    ("http", "app/operations/stray.py", "from starlette.requests import Request"),
    ("dialects", "app/ocpp_central/v16/stray.py", "import app.ocpp_central.v201"),
    ("simulators", "simulators/stray.py", "import app.domain"),
    ("simulators", "app/demo/stray.py", "import simulators"),
    ("proofs", "proofs/stray.py", "import app.operations"),
    ("proven", "app/scheduling/stray.py", "import proofs"),
    ("proven", "simulators/stray.py", "import proofs"),
    ("cycles", "app/store/stray.py", "from app.store import stray_too"),
]


def contracts() -> dict[str, str]:
    """Contract ids and their names, as `.importlinter` spells them."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    sections = [section for section in config.sections() if section.startswith(PREFIX)]
    return {section.removeprefix(PREFIX): config[section]["name"] for section in sections}


def lint(tree: Path, *contract: str) -> subprocess.CompletedProcess[str]:
    chosen = [part for name in contract for part in ("--contract", name)]
    return subprocess.run(
        [LINT_IMPORTS, "--no-logo", "--no-cache", *chosen],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / ".importlinter", copy)
    only_python = shutil.ignore_patterns("__pycache__", "data", "*.csv", "*.gz", "static", "templates")
    for package in ("app", "simulators", "proofs"):
        shutil.copytree(ROOT / package, copy / package, ignore=only_python)
    return copy


def test_the_tree_keeps_every_contract(tree):
    run = lint(tree)
    assert run.returncode == 0, run.stdout
    for name in contracts().values():
        assert f"{name} KEPT" in run.stdout


@pytest.mark.parametrize(("contract", "file", "statement"), VIOLATIONS, ids=lambda value: value or "a new module")
def test_a_violation_breaks_its_contract(tree, contract, file, statement):
    path = tree / file
    before = path.read_text() if path.exists() else None
    added = [path]
    path.write_text(f"{statement}\n{before or ''}")
    if contract == "cycles":
        added.append(path.with_name("stray_too.py"))
        added[-1].write_text("from app.store import stray\n")
    try:
        run = lint(tree, contract)
    finally:
        for each in added:
            each.unlink()
        if before is not None:
            path.write_text(before)
    assert run.returncode == 1
    assert f"{contracts()[contract]} BROKEN" in run.stdout


def test_every_contract_is_broken_once_here():
    assert {contract for contract, _, _ in VIOLATIONS} == contracts().keys()
