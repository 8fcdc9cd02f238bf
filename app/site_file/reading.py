"""Text to a site file; what is wrong is told by its path in the file, and by its line."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.api.problems import field_of, reason_of
from app.domain.errors import Invalid
from app.site_file.model import SiteFile

LARGEST_BYTES = 1024 * 1024
HEADER = re.compile(r"^\s*\[(\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
ITEM = re.compile(r"^\s*\{")
PLACE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong or doubtful in a file: where (line None: nowhere in particular) and what to change."""

    path: str
    reason: str
    line: int | None = None
    is_warning: bool = False


class Unreadable(Exception):
    """A file that says no site; `findings` are why."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(finding.reason for finding in findings))
        self.findings = findings


def text_of(path: Path) -> str:
    """Return what is in a file; raises Invalid."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise Invalid(f"{path} is larger than {LARGEST_BYTES // 1024} KiB", field="FILE")
        return path.read_text(encoding="utf-8-sig")
    except OSError as broken:
        raise Invalid(f"cannot read {path} ({broken.strerror})", field="FILE") from broken
    except UnicodeDecodeError as broken:
        raise Invalid(f"{path} is not UTF-8 text", field="FILE") from broken


def read(text: str) -> SiteFile:
    """Return the site that a text describes; raises Unreadable with everything that is wrong with its form."""
    lines = Lines(text)
    try:
        return SiteFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as broken:
        found = PLACE.search(str(broken))
        reason = PLACE.sub("", str(broken)).strip()
        raise Unreadable([Finding("", f"is not TOML: {reason}", int(found[1]) if found else None)]) from None
    except RecursionError:
        raise Unreadable([Finding("", "is nested too deeply")]) from None
    except ValidationError as broken:
        raise Unreadable([_finding(error, lines) for error in broken.errors()]) from None


def _finding(error: Any, lines: "Lines") -> Finding:
    path = field_of(("file", *error["loc"]))
    return Finding(path, reason_of(error), lines.line_of(path))


class Lines:
    """Which line of a file says what; good enough for people, whatever TOML allows beside."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        table, last = "", ""
        for number, line in enumerate(text.splitlines(), start=1):
            if ITEM.match(line) and last:
                self._note(self._next(last), number)
            elif header := HEADER.match(line):
                name = _path(header[2])
                table, last = (self._next(name) if header[1] else name), ""
                self._note(table, number)
            elif key := KEY.match(line):
                last = f"{table}.{_path(key[1])}" if table else _path(key[1])
                self._note(last, number)

    def _next(self, name: str) -> str:
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        return f"{name}[{count}]"

    def _note(self, path: str, number: int) -> None:
        self._lines.setdefault(path, number)

    def line_of(self, path: str) -> int | None:
        """Return the line of a path like `feeders.main.rating_a`, or of the nearest node that it belongs to."""
        while path:
            if path in self._lines:
                return self._lines[path]
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return None


def _path(dotted: str) -> str:
    return ".".join(part.strip("\"'") for part in PART.findall(dotted))
