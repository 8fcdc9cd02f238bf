"""The migrations form one line: exactly one base and one head. A test shows that they give the rows' schema."""

import sys

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from checks.sources import ROOT


def problems(directory: ScriptDirectory) -> list[str]:
    """Return one line per thing that is wrong with the line of revisions."""
    found = []
    for what, revisions in (("head", directory.get_heads()), ("base", directory.get_bases())):
        if len(revisions) != 1:
            found.append(f"migrations: one {what} is needed, there are {len(revisions)}: {', '.join(revisions)}")
    return found


def main() -> int:
    """Print the problems; return 1 if there are any."""
    try:
        found = problems(ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini"))))
    except CommandError as broken:
        found = [f"migrations: {broken}"]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
