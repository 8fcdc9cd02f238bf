"""The document: two tables for each version, and one of the commands."""

from collections.abc import Sequence

from checks.ocpp_coverage.survey import Row, Version, commands

SHOWN_TESTS_COUNT = 2
HEAD = """\
# OCPP coverage

Generated from the code by `uv run python -m checks.ocpp_coverage --write`; `./run check coverage` fails when it is not
up to date, or when a message has no handling or no test. The messages are those whose schemas the `ocpp` package ships:
OCPP 1.6 with the security whitepaper, and OCPP 2.0.1.

- **handling**, from the station: the facts that a message becomes (what cannot be believed is quarantined besides, and
  answered all the same). To the station: the commands that say it; *raw door*: only an expert's raw call does.
- **note**: what is *lossy* (not kept, or cannot be said), what is *synthesised* (made up), and where an answer is not
  what one might expect. Empty: none of these.
- **raw door**: what a raw call may do. *harmless*: nothing to charging limits; *unverifies*: profiles may be lost, so
  their proof is taken away first; *limits*: goes through the site limit's ledger; *forbidden*: only Sunslot itself.
- **tests**: the first two that are marked with the message, and how many more there are.
"""


def render(versions: Sequence[Version], rows: list[Row]) -> str:
    """Return the whole document."""
    parts = [HEAD, _summary(versions, rows)]
    for version in versions:
        own = [row for row in rows if row.version == version.name]
        parts.append(
            f"## OCPP {version.name}: from the station\n\n" + _heard([row for row in own if row.is_from_station])
        )
        parts.append(
            f"## OCPP {version.name}: to the station\n\n" + _said([row for row in own if not row.is_from_station])
        )
    parts.append("## Commands\n\n" + _commands(versions))
    return "\n".join(parts)


def _summary(versions: Sequence[Version], rows: list[Row]) -> str:
    lines = []
    for version in versions:
        own = [row for row in rows if row.version == version.name]
        heard = [row for row in own if row.is_from_station]
        said = [row for row in own if not row.is_from_station]
        facts = sum(row.handling != "answered only" for row in heard)
        spoken = sum(row.handling != "raw door" for row in said)
        lines.append(
            (
                f"OCPP {version.name}",
                str(len({row.action for row in own})),
                f"{facts} as facts, {len(heard) - facts} answered only",
                f"{spoken} by commands, {len(said) - spoken} by the raw door only",
                f"{len(version.spellings)} of {len(commands())}",
            )
        )
    return _table(("version", "messages", "from the station", "to the station", "commands spoken"), lines)


def _heard(rows: list[Row]) -> str:
    lines = [(row.action, row.block, row.handling, row.note, _tests(row)) for row in rows]
    return _table(("message", "part of the standard", "handling", "note", "tests"), lines)


def _said(rows: list[Row]) -> str:
    lines = [(row.action, row.block, row.handling, row.note, row.raw, _tests(row)) for row in rows]
    return _table(("message", "part of the standard", "handling", "note", "raw door", "tests"), lines)


def _commands(versions: Sequence[Version]) -> str:
    lines = [(each.__name__, *(_spoken(version, each) for version in versions)) for each in commands()]
    return _table(("command", *(f"OCPP {version.name}" for version in versions)), lines)


def _spoken(version: Version, command: type) -> str:
    spelling = version.spellings.get(command)
    if spelling is None:
        return f"absent: {version.absent.get(command, '')}"
    said = " or ".join(spelling.actions)
    return f"{said}; {spelling.note}" if spelling.note else f"{said}; exact"


def _tests(row: Row) -> str:
    shown = [f"[{mark.function}](../{mark.path})" for mark in row.tests[:SHOWN_TESTS_COUNT]]
    more_count = len(row.tests) - len(shown)
    return ", ".join(shown) + (f" and {more_count} more" if more_count else "")


def _table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    rows = [head, tuple("---" for _ in head), *lines]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)
