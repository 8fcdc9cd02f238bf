"""A forecast as CSV: `time,pv_kw,building_kw` and, where there is a band, `pv_p10_kw,pv_p90_kw`; one row a step."""

import csv
import io
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from app.domain.errors import Invalid
from app.domain.units import w_from_kw

NEEDED = ("time", "pv_kw", "building_kw")
BAND = ("pv_p10_kw", "pv_p90_kw")
MOST_ROWS_COUNT = 4 * 24 * 12
HIGHEST_KW = 100_000.0


@dataclass(frozen=True, slots=True)
class ForecastTable:
    """What the rows say, in W; a time is the start of its step, evenly `step` apart."""

    starts_at: datetime
    step: timedelta
    pv_w: tuple[float, ...]
    building_w: tuple[float, ...]
    p10_w: tuple[float, ...] | None
    p90_w: tuple[float, ...] | None


def read_forecast(text: str) -> ForecastTable:
    """Return the table; raises Invalid naming the line and column of what cannot be meant."""
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    columns: dict[str, list[float]] = {name: [] for name in (*NEEDED[1:], *BAND)}
    times: list[datetime] = []
    try:
        names = reader.fieldnames or []
        if missing := [name for name in NEEDED if name not in names]:
            raise Invalid(f"lacks the column {missing[0]}", field="line 1")
        has_band = all(name in names for name in BAND)
        for row in reader:
            if len(times) == MOST_ROWS_COUNT:
                raise Invalid(f"has more than {MOST_ROWS_COUNT} rows", field=f"line {reader.line_num}")
            times.append(_time(row["time"], reader.line_num))
            for name in (*NEEDED[1:], *(BAND if has_band else ())):
                columns[name].append(w_from_kw(_power_kw(row[name], name, reader.line_num)))
    except csv.Error as broken:
        raise Invalid(f"is no CSV ({broken})", field=f"line {reader.reader.line_num}") from None
    step = _step(times)
    bands = [tuple(columns[name]) if has_band else None for name in BAND]
    return ForecastTable(times[0], step, tuple(columns["pv_kw"]), tuple(columns["building_kw"]), *bands)


def _time(text: str | None, line_no: int) -> datetime:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid("is no ISO 8601 time with a UTC offset", field=f"line {line_no}, time")
    return at


def _power_kw(text: str | None, name: str, line_no: int) -> float:
    try:
        power_kw = float(text or "")
    except ValueError:
        power_kw = math.nan
    if not 0 <= power_kw <= HIGHEST_KW:
        raise Invalid("is no power in kW", field=f"line {line_no}, {name}")
    return power_kw


def _step(times: list[datetime]) -> timedelta:
    """Return the even distance of the times; raises Invalid, naming the line that breaks it."""
    if len(times) < 2:  # noqa: PLR2004 - a step is between two
        raise Invalid("has fewer than two rows", field="line 2")
    step = times[1] - times[0]
    for number, (before_at, at) in enumerate(pairwise(times)):
        if at - before_at != step:
            raise Invalid("is not evenly behind the row before", field=f"line {number + 3}, time")
    return step
