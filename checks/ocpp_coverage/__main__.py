"""Compare `docs/ocpp-coverage.md` with the code, or write it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from checks.ocpp_coverage.document import render
from checks.ocpp_coverage.marks import marks_below
from checks.ocpp_coverage.survey import VERSIONS, problems, rows_of
from checks.sources import ROOT

DOCUMENT = "docs/ocpp-coverage.md"
STALE = f"{DOCUMENT} is not what the code gives: uv run python -m checks.ocpp_coverage --write"


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Print what is wrong and return 1, or 0; with --write the document is written first."""
    parser = argparse.ArgumentParser(prog="python -m checks.ocpp_coverage", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT}")
    is_writing = parser.parse_args(arguments).write
    marks = marks_below(root)
    rows = [row for version in VERSIONS for row in rows_of(version, marks)]
    document = root / DOCUMENT
    if is_writing:
        document.write_text(render(VERSIONS, rows), encoding="utf-8")
    found = problems(VERSIONS, rows, marks)
    if not document.exists() or document.read_text(encoding="utf-8") != render(VERSIONS, rows):
        found.append(STALE)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
