"""The yardstick: policies side by side on recorded sessions, sun and load, in one run (`sunslot backtest`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from app.backtest.days import Day, Powers, days_of, history_of, scaled
from app.backtest.flows import most_solar_wh
from app.backtest.policies import (
    Policy,
    grid_early,
    grid_late,
    least_and_surplus,
    least_laxity,
    surplus_only,
    uncontrolled,
)
from app.backtest.production import Sunslot
from app.backtest.records import Series, read_series, read_sessions
from app.backtest.replay import Rules, Tally, replay
from app.domain.errors import Invalid
from app.domain.units import kwh_from_wh

HISTORY_DAYS_COUNT = 20
Amount = float  # of energy or of sessions, both in the same unit

FORESIGHT = "perfect-foresight"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the yardstick. Powers in W; `series_zone` None takes the series' clocks as written."""

    sessions: Path
    solar: Path
    load: Path
    surplus_ratio: float = 1.5
    evse_w: float = 6656.0
    least_w: float = 1248.0
    site_w: float = 1e9
    shift_years: int = 0
    series_zone: ZoneInfo | None = None
    weekdays: bool = False
    least_session_count: int = 1
    is_need_declared: bool = False
    first: date | None = None
    last: date | None = None
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A policy by name: how it is made, and which departures it is told (true, declared, none)."""

    make: Callable[[Question], Policy]
    departures: str


def _fixed(policy: Policy) -> Callable[[Question], Policy]:
    return lambda _question: policy


POLICIES: Mapping[str, Entry] = {
    "uncontrolled": Entry(_fixed(uncontrolled), "none"),
    "surplus-only": Entry(_fixed(surplus_only), "none"),
    "min+pv": Entry(_fixed(least_and_surplus), "none"),
    "least-laxity-true": Entry(_fixed(least_laxity), "true"),
    "least-laxity-declared": Entry(_fixed(least_laxity), "declared"),
    "mpc-late-true": Entry(_fixed(grid_late), "true"),
    "mpc-late-declared": Entry(_fixed(grid_late), "declared"),
    "mpc-early-declared": Entry(_fixed(grid_early), "declared"),
    "sunslot-true": Entry(lambda question: Sunslot(question.site_w), "true"),
    "sunslot-declared": Entry(lambda question: Sunslot(question.site_w), "declared"),
    "sunslot-none": Entry(lambda question: Sunslot(question.site_w), "none"),
}


@dataclass(frozen=True, slots=True)
class Material:
    """The records laid out: days with scaled sun, and the PV powers of the days before each."""

    days: list[Day]
    before: list[list[Powers]]
    factor: float


def lay_out(question: Question) -> Material:
    """Read the files and lay them onto days. Raises Invalid naming the file and line, or the option."""
    unknown = sorted(set(question.policies) - set(POLICIES))
    if unknown:
        raise Invalid(f"no such policy: {', '.join(unknown)}; there are: {', '.join(POLICIES)}", field="--policy")
    solar: Series = read_series(question.solar, question.series_zone)
    days = days_of(
        read_sessions(question.sessions),
        solar,
        read_series(question.load, question.series_zone),
        evse_w=question.evse_w,
        shift_years=question.shift_years,
        weekdays=question.weekdays,
        least_session_count=question.least_session_count,
        first=question.first,
        last=question.last,
    )
    days, factor = scaled(days, question.surplus_ratio)
    before = [
        [factor * powers_w for powers_w in history_of(solar, day.date, question.shift_years, HISTORY_DAYS_COUNT)]
        for day in days
    ]
    return Material(days, before, factor)


def measure(
    question: Question, material: Material, progress: Callable[[str], Callable[[], None]] | None = None
) -> dict[str, Any]:
    """Return the figures: the records', and one row per policy. `progress(name)` gives a callback for each day."""
    days = material.days
    need_wh = sum(car.need_wh for day in days for car in day.cars)
    best_wh = sum(most_solar_wh(day.cars, day.surplus_w, question.evse_w) for day in days)
    if best_wh <= 0:
        raise Invalid("no car could have used any surplus: nothing to compare", field="--surplus-ratio")
    rows = [_foresight_row(days, need_wh, best_wh)]
    for name in question.policies or tuple(POLICIES):
        entry = POLICIES[name]
        rules = Rules(question.evse_w, question.least_w, entry.departures, question.is_need_declared)
        tick = (lambda: None) if progress is None else progress(name)
        tally = replay(days, material.before, entry.make(question), rules, tick)
        rows.append(_row(name, tally, best_wh))
    return {
        "days": len(days),
        "first_day": days[0].date.isoformat(),
        "last_day": days[-1].date.isoformat(),
        "sessions": sum(len(day.cars) for day in days),
        "need_kwh": kwh_from_wh(need_wh),
        "surplus_ratio": question.surplus_ratio,
        "solar_factor": round(material.factor, 6),
        "policies": rows,
    }


def _foresight_row(days: Sequence[Day], need_wh: float, best_wh: float) -> dict[str, Any]:
    count = sum(len(day.cars) for day in days)
    tally = Tally(
        need_wh=need_wh, delivered_wh=need_wh, solar_wh=best_wh, session_count=count, nearly_count=count,
        full_count=count, day_count=len(days),
    )  # fmt: skip
    return _row(FORESIGHT, tally, best_wh) | {"stayers_percent": 100.0, "leavers_percent": 100.0, "mean_peak_kw": None}


def _row(name: str, tally: Tally, best_wh: float) -> dict[str, Any]:
    return {
        "policy": name,
        "capture_percent": _percent(tally.solar_wh, best_wh),
        "delivered_percent": _percent(tally.delivered_wh, tally.need_wh),
        "stayers_percent": _percent(tally.stayers_wh, tally.stayers_need_wh),
        "leavers_percent": _percent(tally.leavers_wh, tally.leavers_need_wh),
        "sessions_95_percent": _percent(tally.nearly_count, tally.session_count),
        "sessions_99_percent": _percent(tally.full_count, tally.session_count),
        "solar_share_percent": _percent(tally.solar_wh, tally.delivered_wh),
        "solar_kwh": kwh_from_wh(tally.solar_wh),
        "grid_kwh": kwh_from_wh(tally.grid_wh),
        "mean_peak_kw": round(tally.peak_sum_w / tally.day_count / 1000, 1),
        "ms_per_decision": round(1000 * tally.decision_s / max(1, tally.decision_count), 3),
    }


def _percent(part: Amount, whole: Amount) -> float | None:
    return round(100 * part / whole, 2) if whole > 0 else None
