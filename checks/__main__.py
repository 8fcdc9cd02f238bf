"""Run the static checks, all of them even when one fails, and say at the end which failed (exit code 1)."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
TOOLS = Path(PYTHON).parent
TIMEOUT_S = 600.0

CHECKS: dict[str, tuple[str, ...]] = {
    "lint": (PYTHON, "-m", "ruff", "check", "."),
    "format": (PYTHON, "-m", "ruff", "format", "--check", "."),
    "types": (PYTHON, "-m", "mypy", "-p", "app", "-p", "simulators", "-p", "proofs", "-p", "checks"),
    "imports": (str(TOOLS / "lint-imports"), "--no-logo"),
    "units": (PYTHON, "-m", "checks.unit_suffixes"),
    "sizes": (PYTHON, "-m", "checks.sizes"),
    "tests": (PYTHON, "-m", "checks.testfile_names"),
    "migrations": (PYTHON, "-m", "checks.migration_heads"),
    "coverage": (PYTHON, "-m", "checks.ocpp_coverage"),
}


def run(names: Sequence[str]) -> list[str]:
    """Run these checks in order, printing what they print, and return the names of those that failed."""
    failed = []
    for name in names:
        print(f"--- {name}", flush=True)
        began_s = monotonic()
        ended = subprocess.run(CHECKS[name], cwd=ROOT, check=False, timeout=TIMEOUT_S)
        verdict = "ok" if ended.returncode == 0 else "FAILED"
        print(f"--- {name}: {verdict} ({monotonic() - began_s:.1f} s)", flush=True)
        if ended.returncode:
            failed.append(name)
    return failed


def main(arguments: Sequence[str]) -> int:
    """Run the named checks, or all; return the process's exit code (2 for a name that is none of ours)."""
    unknown = [name for name in arguments if name not in CHECKS]
    if unknown:
        print(f"checks: no such check: {', '.join(unknown)}; there are: {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    failed = run(arguments or tuple(CHECKS))
    print(f"checks failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
