"""The yardstick: policies side by side on recorded sessions, sun and load, in one run (`sunslot backtest`)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timezone
from typing import Any
from zoneinfo import ZoneInfo

from app.backtest.days import Day, Foreseen, Powers, days_of, history_of, scaled
from app.backtest.flows import Best, best_of
from app.backtest.forecasts import naively_foreseen
from app.backtest.production import Setting, Sunslot
from app.backtest.records import Series, SessionRecord, clock_of_sessions, read_series, read_sessions
from app.backtest.replay import Outcome, Rules, Tally, outcomes, total
from app.backtest.runs import FORESIGHT, POLICIES, Question, Run, runs_of
from app.domain.errors import Invalid
from app.domain.units import kwh_from_wh

HISTORY_DAYS_COUNT = 20
Amount = float  # of energy or of sessions, both in the same unit
Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Material:
    """The records laid out: days with scaled sun, the PV powers of the days before each, and what was foreseen.

    `records` are all sessions, those of days that are not replayed too; `factor` is what PV is scaled by.
    """

    days: list[Day]
    before: list[list[Powers]]
    foreseen: list[Foreseen]
    records: list[SessionRecord]
    factor: float


def lay_out(question: Question) -> Material:
    """Read the files and lay them onto days. Raises Invalid naming the file and line, or the option."""
    runs_of(question)
    zone = _clock(question)
    records = read_sessions(question.sessions, zone)
    solar: Series = read_series(question.solar, zone)
    days = days_of(
        records,
        solar,
        read_series(question.load, zone),
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
    foreseen = [naively_foreseen(day, days_before) for day, days_before in zip(days, before, strict=True)]
    return Material(days, before, foreseen, records, factor)


def _clock(question: Question) -> ZoneInfo | timezone | None:
    """Return the clock that instants are put on; None: clocks as written."""
    if not question.is_zoned:
        return None
    return clock_of_sessions(question.sessions) if question.zone is None else question.zone


def play(question: Question, material: Material, run: Run, progress: Callable[[], None]) -> list[Outcome]:
    """Return the days as they go under one policy."""
    entry = POLICIES[run.policy]
    rules = Rules(question.evse_w, question.least_w, entry.departures, question.is_need_declared, question.site_w)
    setting = Setting(
        departures=entry.departures,
        site_w=question.site_w,
        is_need_declared=question.is_need_declared,
        miss_cost_ratio=run.miss_cost_ratio,
        surprised_count=question.surprised_count,
    )
    policy = Sunslot(setting) if entry.policy is None else entry.policy
    return list(outcomes(material.days, material.before, policy, rules, foreseen=material.foreseen, progress=progress))


def measure(question: Question, material: Material, progress: Progress | None = None) -> dict[str, Any]:
    """Return the figures: the records', and one row per policy, in all and by month.

    `progress(name, count)` is told how many more days a run has done.
    """
    days = material.days
    bests = [best_of(day.cars, day.surplus_w, question.evse_w, question.site_w) for day in days]
    if sum(best.solar_wh for best in bests) <= 0:
        raise Invalid("no car could have used any surplus: nothing to compare", field="--surplus-ratio")
    tallies = {FORESIGHT: [_best_tally(day, best) for day, best in zip(days, bests, strict=True)]}
    for run in runs_of(question):
        tick = (lambda: None) if progress is None else _ticking(progress, run.name)
        tallies[run.name] = [outcome.tally() for outcome in play(question, material, run, tick)]
    return {
        "days": len(days),
        "first_day": days[0].date.isoformat(),
        "last_day": days[-1].date.isoformat(),
        "sessions": sum(len(day.cars) for day in days),
        "need_kwh": kwh_from_wh(sum(car.need_wh for day in days for car in day.cars)),
        "surplus_ratio": question.surplus_ratio,
        "solar_factor": round(material.factor, 6),
        "policies": rows_of(tallies, range(len(days))),
        "months": {
            month: rows_of(tallies, [number for number, day in enumerate(days) if f"{day.date:%Y-%m}" == month])
            for month in sorted({f"{day.date:%Y-%m}" for day in days})
        },
    }


def _ticking(progress: Progress, name: str) -> Callable[[], None]:
    return lambda: progress(name, 1)


def _best_tally(day: Day, best: Best) -> Tally:
    solar_w = day.surplus_w.clip(max=best.powers_w)
    tally = Outcome(day, best.by_car_wh, best.powers_w, solar_w, 0, 0.0).tally()
    tally.solar_wh = best.solar_wh
    return tally


def rows_of(tallies: dict[str, list[Tally]], places: Iterable[int]) -> list[dict[str, Any]]:
    """Return one row per policy over the days at these places."""
    chosen = list(places)
    sums = {name: total(of_day[place] for place in chosen) for name, of_day in tallies.items()}
    best_wh = sums[FORESIGHT].solar_wh
    return [_row(name, tally, best_wh) for name, tally in sums.items()]


def _row(name: str, tally: Tally, best_wh: float) -> dict[str, Any]:
    is_decided = tally.decision_count > 0
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
        "grid_kwh": kwh_from_wh(max(0.0, tally.grid_wh)),
        "mean_peak_kw": round(tally.peak_sum_w / tally.day_count / 1000, 1),
        "highest_kw": round(tally.highest_w / 1000, 1),
        "orders_per_session": round(tally.order_count / tally.session_count, 1) if tally.order_count else None,
        "ms_per_decision": round(1000 * tally.decision_s / tally.decision_count, 3) if is_decided else None,
    }


def _percent(part: Amount, whole: Amount) -> float | None:
    return round(100 * part / whole, 2) if whole > 0 else None
