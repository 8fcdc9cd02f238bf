"""The project's own Python files."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def python_files(*folders: str, root: Path = ROOT) -> Iterator[Path]:
    """Yield every Python file below these folders of the project, sorted; folders that do not exist are skipped."""
    for folder in folders:
        yield from sorted((root / folder).rglob("*.py"))
