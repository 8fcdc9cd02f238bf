"""Session and series records as CSV (plain or .gz), read strictly: a bad row is named by its file and line."""

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from pathlib import Path

from app.domain.errors import Invalid
from app.domain.units import w_from_kw, wh_from_kwh

YEARLESS = re.compile(r"^(\d\d)/(\d\d)\s+(\d\d):(\d\d)(?::\d\d)?$")
LARGEST_KWH = 1_000.0
LARGEST_POWER_W = 1e9
LARGEST_FILE_BYTES = 256 * 2**20
LONGEST_STAY = timedelta(days=60)
LONGEST_STEP = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ANY_LEAP_YEAR = 2000
Amount = float  # in the unit that the column names

NEEDED = ("arrival", "departure", "delivered_kwh")


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One recorded stay. Times are naive local clock times of the site.

    `declared_at` is the departure that was said and `requested_wh` what the driver asked for, None where the records
    do not say.
    """

    arrived_at: datetime
    left_at: datetime
    declared_at: datetime | None
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

    def mean_w(self, at: datetime, span: timedelta = MINUTE) -> float | None:
        """Return the mean power from a naive local time on, for a span; None where the series has a gap.

        A span that does not lie within a step is looked at by the minute, or by the step where that is shorter.
        """
        if self.is_yearless:
            at = at.replace(year=ANY_LEAP_YEAR)
        tick = min(MINUTE, self.step)
        if floored(at, self.step) == floored(at + span - tick, self.step):
            return self.power_w.get(floored(at, self.step))
        powers_w = [self.power_w.get(floored(at + number * tick, self.step)) for number in range(span // tick)]
        known_w = [each_w for each_w in powers_w if each_w is not None]
        return sum(known_w) / len(known_w) if len(known_w) == len(powers_w) else None


def floored(at: datetime, step: timedelta) -> datetime:
    """Return the start of the step of the day that contains a naive time."""
    midnight_at = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight_at + (at - midnight_at) // step * step


def text_of(path: Path) -> str:
    """Return the file's text, unpacked; raises Invalid where it cannot be read, or is larger than 256 MB."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(LARGEST_FILE_BYTES + 1)
        if len(raw) > LARGEST_FILE_BYTES:
            raise Invalid(f"is larger than {LARGEST_FILE_BYTES >> 20} MB", field=str(path))
        return raw.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as broken:
        raise Invalid(f"cannot be read ({broken})", field=str(path)) from None


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) with names and cells trimmed; raises Invalid where it is no CSV."""
    reader = csv.DictReader(io.StringIO(text_of(path), newline=""))
    try:
        for row in reader:
            if None in row:
                raise bad_row(path, reader.line_num, "more cells than the heading names")
            yield reader.line_num, {key.strip(): (value or "").strip() for key, value in row.items()}
    except csv.Error as broken:
        raise bad_row(path, reader.line_num, f"is no CSV ({broken})") from None


def bad_row(path: Path, line_no: int, why: str) -> Invalid:
    """Return the error that names file and line."""
    return Invalid(why, field=f"{path}:{line_no}")


def number_in(path: Path, line_no: int, row: dict[str, str], name: str, largest: Amount, least: Amount = 0.0) -> Amount:
    """Return a cell's number; raises Invalid where it is none or lies outside its bounds."""
    try:
        number = float(row[name])
    except ValueError:
        raise bad_row(path, line_no, f"{name} {row[name]!r} is no number") from None
    if not least <= number <= largest:
        raise bad_row(path, line_no, f"{name} must lie between {least:g} and {largest:g}")
    return number


def _time(path: Path, line_no: int, text: str, zone: tzinfo | None) -> datetime:
    """Return a naive local time: the clock as written, or (with a zone) that zone's clock at the instant."""
    try:
        at = datetime.fromisoformat(text)
        if zone is not None and at.tzinfo is not None:
            at = at.astimezone(zone)
    except (ValueError, OverflowError):
        raise bad_row(path, line_no, f"{text!r} is no ISO 8601 time") from None
    return at.replace(tzinfo=None)


def clock_of_sessions(path: Path) -> timezone:
    """Return the clock that most arrivals are told by, as an offset from UTC; raises Invalid where none says so."""
    offsets: Counter[timedelta] = Counter()
    for line_no, row in rows_of(path):
        try:
            offset = datetime.fromisoformat(row.get("arrival", "")).utcoffset()
        except ValueError:
            raise bad_row(path, line_no, f"arrival {row.get('arrival')!r} is no ISO 8601 time") from None
        if offset is not None:
            offsets[offset] += 1
    if not offsets:
        raise Invalid("tells no offset from UTC: give the site's zone with --zone", field=str(path))
    return timezone(max(offsets, key=lambda each: (offsets[each], each)))


def read_sessions(path: Path, zone: tzinfo | None = None) -> list[SessionRecord]:
    """Return the recorded sessions in order of arrival.

    Columns: arrival, departure, delivered_kwh; declared_departure, requested_kwh, station and user where there are
    any. Without `zone` the clock is taken as written; with it, instants are turned into that zone's clock. Raises
    Invalid naming file and line.
    """
    found = []
    lines: dict[tuple[str, ...], int] = {}
    for line_no, row in rows_of(path):
        if missing := [name for name in NEEDED if not row.get(name)]:
            raise bad_row(path, line_no, f"{', '.join(missing)} missing")
        arrived_at = _time(path, line_no, row["arrival"], zone)
        left_at = _time(path, line_no, row["departure"], zone)
        if left_at < arrived_at:
            raise bad_row(path, line_no, "the departure is before the arrival")
        if left_at - arrived_at > LONGEST_STAY:
            raise bad_row(path, line_no, f"the stay is longer than {LONGEST_STAY.days} days")
        told = row["arrival"], row["departure"], row.get("station", ""), row["delivered_kwh"], row.get("user", "")
        if row.get("station") and told in lines:
            raise bad_row(path, line_no, f"is the same session as line {lines[told]}")
        lines[told] = line_no
        declared = row.get("declared_departure")
        requested_kwh = number_in(path, line_no, row, "requested_kwh", 1e6) if row.get("requested_kwh") else None
        found.append(
            SessionRecord(
                arrived_at=arrived_at,
                left_at=left_at,
                declared_at=_time(path, line_no, declared, zone) if declared else None,
                delivered_wh=wh_from_kwh(number_in(path, line_no, row, "delivered_kwh", LARGEST_KWH)),
                requested_wh=None if requested_kwh is None else wh_from_kwh(requested_kwh),
                station=row.get("station", ""),
                user=row.get("user", ""),
            )
        )
    if not found:
        raise Invalid("has no sessions", field=str(path))
    return sorted(found, key=lambda record: (record.arrived_at, record.left_at, record.station, record.user))


def read_series(path: Path, zone: tzinfo | None = None) -> Series:
    """Return a power series: columns time and power_w or power_kw, evenly spaced but for gaps, by an hour at most.

    A time `MM/DD  HH:MM:SS` has no year and names the hour's end (24:00 closes the day), as building models write it.
    Without `zone` the clock is taken as written. Of a time that is told twice (a clock put back) the first counts.
    Raises Invalid naming file and line.
    """
    power_w: dict[datetime, float] = {}
    yearless: set[bool] = set()
    for line_no, row in rows_of(path):
        name = "power_w" if "power_w" in row else "power_kw"
        if not row.get("time") or name not in row:
            raise bad_row(path, line_no, "time and power_w or power_kw are needed")
        if row[name] == "":
            continue
        at, is_yearless = _series_time(path, line_no, row["time"], zone)
        yearless.add(is_yearless)
        if len(yearless) > 1:
            raise bad_row(path, line_no, "times with and without a year in one file")
        number = number_in(path, line_no, row, name, LARGEST_POWER_W, -LARGEST_POWER_W)
        power_w.setdefault(at, number if name == "power_w" else w_from_kw(number))
    step = _step(path, sorted(power_w))
    if is_yearless := True in yearless:
        power_w = {(at - step).replace(year=ANY_LEAP_YEAR): each_w for at, each_w in power_w.items()}
    found: dict[datetime, float] = {}
    for at, each_w in power_w.items():
        found.setdefault(floored(at, step), each_w)
    return Series(found, step, is_yearless)


def _step(path: Path, times: list[datetime]) -> timedelta:
    """Return the commonest distance of two neighbours; raises Invalid where there is none, or too long a one."""
    distances = Counter(after_at - before_at for before_at, after_at in pairwise(times))
    if not distances:
        raise Invalid("has no two rows", field=str(path))
    step = max(distances, key=lambda each: (distances[each], -each))
    if step > LONGEST_STEP:
        raise Invalid(f"has a row every {step}: a step of at most an hour is needed", field=str(path))
    return step


def _series_time(path: Path, line_no: int, text: str, zone: tzinfo | None) -> tuple[datetime, bool]:
    yearless = YEARLESS.match(text)
    if yearless is None:
        return _time(path, line_no, text, zone), False
    month, day, hour, minute = map(int, yearless.groups())
    try:
        return datetime(ANY_LEAP_YEAR, month, day) + timedelta(hours=hour, minutes=minute), True  # noqa: DTZ001 - a clock
    except ValueError:
        raise bad_row(path, line_no, f"{text!r} is no time of a year") from None
