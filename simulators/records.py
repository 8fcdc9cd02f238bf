"""The sample records: sessions, PV and office load, as they lie in `data/` (naive local clock)."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "data"
SLOTS_PER_DAY = 96
SLOTS_PER_HOUR = 4
HOURS_PER_DAY = 24
FORECAST_DAYS = 20
PV_YEAR = 2012


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """One recorded stay, in naive local clock; `declared_at` is the announced departure (None: there was none)."""

    station: str
    arrived_at: datetime
    departed_at: datetime
    declared_at: datetime | None
    delivered_wh: float


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        yield from csv.DictReader(file)


@cache
def sessions_by_day() -> dict[date, tuple[RecordedSession, ...]]:
    """Return the recorded sessions by the day of their arrival."""
    days: dict[date, list[RecordedSession]] = defaultdict(list)
    for row in _rows("jpl_sessions_2019-05.csv"):
        arrival = datetime.fromisoformat(row["arrival"])
        declared = row["declared_departure"]
        days[arrival.date()].append(
            RecordedSession(
                row["station"],
                arrival,
                datetime.fromisoformat(row["departure"]),
                datetime.fromisoformat(declared) if declared else None,
                float(row["delivered_kwh"]) * 1000,
            )
        )
    return {day: tuple(sessions) for day, sessions in sorted(days.items())}


@cache
def _pv_by_day() -> dict[date, tuple[float, ...]]:
    days: dict[date, list[float]] = defaultdict(list)
    for row in _rows("nrel_system50_2012-03_2012-05.csv"):
        if row["power_w"]:
            days[date.fromisoformat(row["time"][:10])].append(max(0.0, float(row["power_w"])))
    return {day: tuple(powers_w) for day, powers_w in sorted(days.items()) if len(powers_w) == SLOTS_PER_DAY}


@cache
def _load_by_day() -> dict[tuple[int, int], tuple[float, ...]]:
    days: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
    for row in _rows("doe_office_load_05.csv"):
        month_day, clock = row["time"].split()
        month, day = map(int, month_day.split("/"))
        days[month, day][int(clock[:2]) - 1] = float(row["power_kw"]) * 1000
    return {
        day: tuple(hours[hour] for hour in range(HOURS_PER_DAY) for _ in range(SLOTS_PER_HOUR))
        for day, hours in days.items()
        if len(hours) == HOURS_PER_DAY
    }


def pv_w(day: date) -> tuple[float, ...]:
    """Return the 96 measured quarter-hour powers of a calendar day; raises KeyError for a day with gaps."""
    return _pv_by_day()[day.replace(year=PV_YEAR)]


def load_w(day: date) -> tuple[float, ...]:
    """Return the office's 96 quarter-hour powers of a calendar day; raises KeyError for a day that is not there."""
    return _load_by_day()[day.month, day.day]


def earlier_pv_w(day: date) -> Sequence[tuple[float, ...]]:
    """Return the last 20 whole days before a calendar day, never the day itself."""
    pv = _pv_by_day()
    wanted = day.replace(year=PV_YEAR) - timedelta(days=1)
    earlier = [powers_w for at, powers_w in pv.items() if at <= wanted]
    return earlier[-FORECAST_DAYS:]


@cache
def available_days() -> tuple[date, ...]:
    """Return the days that have sessions, a whole day of sun, 20 such days before it, and a load."""
    pv, load = _pv_by_day(), _load_by_day()
    return tuple(
        day
        for day in sessions_by_day()
        if day.replace(year=PV_YEAR) in pv and (day.month, day.day) in load and len(earlier_pv_w(day)) == FORECAST_DAYS
    )
