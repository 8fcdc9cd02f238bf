"""No two test files have the same name: pytest, which knows them by their names alone, could not collect the second."""

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from checks.sources import ROOT, python_files


def problems(paths: Iterable[Path]) -> list[str]:
    """Return one line per name that several test files have, sorted."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        if path.name.startswith("test_"):
            by_name[path.name].append(path)
    return [
        f"{name}: several test files have this name: {', '.join(sorted(map(str, those)))}"
        for name, those in sorted(by_name.items())
        if len(those) > 1
    ]


def main() -> int:
    """Print the problems; return 1 if there are any."""
    found = problems(path.relative_to(ROOT) for path in python_files("tests"))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
