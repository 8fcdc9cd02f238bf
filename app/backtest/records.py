"""Session and series records as CSV (plain or .gz), read strictly: a bad row is named by its file and line."""

import csv
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from app.domain.errors import Invalid
from app.domain.units import w_from_kw, wh_from_kwh

YEARLESS = re.compile(r"^(\d\d)/(\d\d)\s+(\d\d):(\d\d)(?::\d\d)?$")
LARGEST_KWH = 1_000.0
LARGEST_POWER_W = 1e9
ANY_LEAP_YEAR = 2000
Amount = float  # in the unit that the column names

NEEDED = ("arrival", "departure", "delivered_kwh")


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One recorded stay. Times are naive local clock times of the site; `declared_at` falls back to the departure.

    `requested_wh` is what the driver asked for, None where the records do not say.
    """

    arrived_at: datetime
    left_at: datetime
    declared_at: datetime
    delivered_wh: float
    requested_wh: float | None
    station: str
    user: str


@dataclass(frozen=True, slots=True)
class Series:
    """Power over time by naive local clock; a series without years (`is_yearless`) repeats every year.

    `power_w[time]` is the mean power from `time` on for one `step`.
    """

    power_w: dict[datetime, float]
    step: timedelta
    is_yearless: bool

    def mean_w(self, at: datetime) -> float | None:
        """Return the power at a naive local time; None where the series has a gap."""
        if self.is_yearless:
            at = at.replace(year=ANY_LEAP_YEAR)
        midnight_at = at.replace(hour=0, minute=0, second=0, microsecond=0)
        return self.power_w.get(midnight_at + (at - midnight_at) // self.step * self.step)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row); raises Invalid where the file cannot be read as CSV text."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as broken:
        raise Invalid(f"cannot be read ({broken})", field=str(path)) from None
    reader = csv.DictReader(io.StringIO(text))
    for row in reader:
        yield reader.line_num, {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}


def _bad(path: Path, line_no: int, why: str) -> Invalid:
    return Invalid(why, field=f"{path}:{line_no}")


def _number(path: Path, line_no: int, row: dict[str, str], name: str, largest: Amount) -> Amount:
    try:
        number = float(row[name])
    except ValueError:
        raise _bad(path, line_no, f"{name} {row[name]!r} is no number") from None
    if not 0 <= number <= largest:
        raise _bad(path, line_no, f"{name} must lie between 0 and {largest:g}")
    return number


def _time(path: Path, line_no: int, text: str, zone: ZoneInfo | None) -> datetime:
    """Return a naive local time: the clock as written, or (with a zone) that zone's clock at the instant."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _bad(path, line_no, f"{text!r} is no ISO 8601 time") from None
    if zone is not None and at.tzinfo is not None:
        at = at.astimezone(zone)
    return at.replace(tzinfo=None)


def read_sessions(path: Path, zone: ZoneInfo | None = None) -> list[SessionRecord]:
    """Return the recorded sessions in order of arrival.

    Columns: arrival, departure, delivered_kwh; declared_departure, requested_kwh, station and user where there are
    any. Without `zone` the clock is taken as written; with it, instants are turned into that zone's clock. Raises
    Invalid naming file and line.
    """
    found = []
    for line_no, row in _rows(path):
        if missing := [name for name in NEEDED if not row.get(name)]:
            raise _bad(path, line_no, f"{', '.join(missing)} missing")
        arrived_at = _time(path, line_no, row["arrival"], zone)
        left_at = _time(path, line_no, row["departure"], zone)
        if left_at < arrived_at:
            raise _bad(path, line_no, "the departure is before the arrival")
        declared = row.get("declared_departure")
        requested_kwh = _number(path, line_no, row, "requested_kwh", 1e6) if row.get("requested_kwh") else None
        found.append(
            SessionRecord(
                arrived_at=arrived_at,
                left_at=left_at,
                declared_at=_time(path, line_no, declared, zone) if declared else left_at,
                delivered_wh=wh_from_kwh(_number(path, line_no, row, "delivered_kwh", LARGEST_KWH)),
                requested_wh=None if requested_kwh is None else wh_from_kwh(requested_kwh),
                station=row.get("station", ""),
                user=row.get("user", ""),
            )
        )
    if not found:
        raise Invalid("has no sessions", field=str(path))
    return sorted(found, key=lambda record: (record.arrived_at, record.left_at, record.station, record.user))


def read_series(path: Path, zone: ZoneInfo | None = None) -> Series:
    """Return a power series: columns time and power_w or power_kw, evenly spaced but for gaps.

    A time `MM/DD  HH:MM:SS` has no year and names the hour's end (24:00 closes the day), as building models write it.
    Without `zone` the clock is taken as written. Raises Invalid naming file and line.
    """
    power_w: dict[datetime, float] = {}
    is_yearless = False
    previous_at: datetime | None = None
    steps: dict[timedelta, int] = {}
    for line_no, row in _rows(path):
        name = "power_w" if "power_w" in row else "power_kw"
        if not row.get("time") or name not in row:
            raise _bad(path, line_no, "time and power_w or power_kw are needed")
        if row[name] == "":
            continue
        at, is_yearless = _series_time(path, line_no, row["time"], zone)
        number = _number(path, line_no, row, name, LARGEST_POWER_W)
        power_w.setdefault(at, number if name == "power_w" else w_from_kw(number))
        if previous_at is not None and at > previous_at:
            steps[at - previous_at] = steps.get(at - previous_at, 0) + 1
        previous_at = at
    if not steps:
        raise Invalid("has no two rows", field=str(path))
    step = max(steps, key=lambda each: steps[each])
    if is_yearless:
        power_w = {at - step: value for at, value in power_w.items()}
    return Series(
        {at.replace(year=ANY_LEAP_YEAR) if is_yearless else at: v for at, v in power_w.items()}, step, is_yearless
    )


def _series_time(path: Path, line_no: int, text: str, zone: ZoneInfo | None) -> tuple[datetime, bool]:
    yearless = YEARLESS.match(text)
    if yearless is None:
        return _time(path, line_no, text, zone), False
    month, day, hour, minute = map(int, yearless.groups())
    try:
        return datetime(ANY_LEAP_YEAR, month, day) + timedelta(hours=hour, minutes=minute), True  # noqa: DTZ001 - a clock
    except ValueError:
        raise _bad(path, line_no, f"{text!r} is no time of a year") from None
