"""The yardstick: policies side by side on recorded sessions, sun and load, in one run (`sunslot backtest`)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from typing import Any

from app.backtest.days import Day
from app.backtest.flows import Best, best_of
from app.backtest.learning import PastDays
from app.backtest.policies import Policy
from app.backtest.production import Setting, Sunslot
from app.backtest.replay import Outcome, Rules, Tally, outcomes, total
from app.backtest.runs import FORESIGHT, POLICIES, Question, Run, runs_of
from app.backtest.stock import Material, Stock
from app.backtest.wires import Wires
from app.domain.errors import Invalid
from app.domain.units import kwh_from_wh

Amount = float  # of energy or of sessions, both in the same unit
Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Course:
    """How a run went: each day's sums, and the day that is to be drawn in full."""

    tallies: list[Tally]
    drawn: Outcome | None = None


def lay_out(question: Question) -> Material:
    """Read the files and lay them onto days. Raises Invalid naming the file and line, or the option."""
    return Stock().lay_out(question)


def play(
    question: Question,
    material: Material,
    run: Run,
    progress: Callable[[], None] = lambda: None,
    drawn_day: date | None = None,
) -> Course:
    """Return the days as they go under one policy."""
    entry = POLICIES[run.policy]
    rules = Rules(question.evse_w, question.least_w, entry.departures, question.is_need_declared, question.site_w)
    setting = Setting(
        departures=entry.departures,
        site_w=question.site_w,
        is_need_declared=question.is_need_declared,
        miss_cost_ratio=run.miss_cost_ratio,
        surprised_count=question.surprised_count if run.has_ledger else 0,
    )
    sunslot = Sunslot(setting, PastDays(material.learnt) if material.learnt else None)
    policy: Policy = sunslot if entry.policy is None else entry.policy
    tallies, drawn = [], None
    for outcome in outcomes(
        material.days,
        material.before,
        policy,
        rules,
        delivery=Wires(sunslot) if run.has_ledger else None,
        foreseen=material.foreseen if entry.policy is None and material.foreseen else None,
        progress=progress,
    ):
        tallies.append(outcome.tally())
        drawn = outcome if outcome.day.date == drawn_day else drawn
    return Course(tallies, drawn)


def courses(
    question: Question,
    material: Material,
    *,
    progress: Progress | None = None,
    jobs_count: int = 1,
    drawn_day: date | None = None,
) -> dict[str, Course]:
    """Return how every run went, perfect foresight first. `progress(name, days)` is told how much more is done.

    With several jobs the runs are spread over processes; what comes out is the same but for the CPU time.
    """
    runs = runs_of(question)
    found = {FORESIGHT: _best_course(question, material, drawn_day)}
    if jobs_count <= 1 or len(runs) <= 1:
        for run in runs:
            found[run.name] = play(question, material, run, _ticking(progress, run.name), drawn_day)
        return found
    with ProcessPoolExecutor(
        min(jobs_count, len(runs)), get_context("spawn"), _keep, (question, material, drawn_day)
    ) as pool:
        pending: dict[Future[Course], Run] = {pool.submit(_play_kept, run): run for run in runs}
        ended: dict[str, Course] = {}
        while pending:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                run = pending.pop(future)
                ended[run.name] = future.result()
                if progress is not None:
                    progress(run.name, len(material.days))
    return found | {run.name: ended[run.name] for run in runs}


_kept: list[tuple[Question, Material, date | None]] = []


def _keep(question: Question, material: Material, drawn_day: date | None) -> None:
    """Keep in a worker process what all its runs need."""
    _kept[:] = [(question, material, drawn_day)]


def _play_kept(run: Run) -> Course:
    question, material, drawn_day = _kept[0]
    return play(question, material, run, drawn_day=drawn_day)


def _ticking(progress: Progress | None, name: str) -> Callable[[], None]:
    return (lambda: None) if progress is None else (lambda: progress(name, 1))


def _best_course(question: Question, material: Material, drawn_day: date | None) -> Course:
    tallies, drawn = [], None
    for day in material.days:
        best = best_of(day.cars, day.surplus_w, question.evse_w, question.site_w)
        outcome = _best_outcome(day, best)
        tally = outcome.tally()
        tally.solar_wh = best.solar_wh
        tallies.append(tally)
        drawn = outcome if day.date == drawn_day else drawn
    if sum(tally.solar_wh for tally in tallies) <= 0:
        raise Invalid("no car could have used any surplus: nothing to compare", field="--surplus-ratio")
    return Course(tallies, drawn)


def _best_outcome(day: Day, best: Best) -> Outcome:
    return Outcome(day, best.by_car_wh, best.powers_w, day.surplus_w.clip(max=best.powers_w), 0, 0.0)


def measure(
    question: Question, material: Material, progress: Progress | None = None, jobs_count: int = 1
) -> dict[str, Any]:
    """Return the figures: the records', and one row per policy, in all and by month."""
    return figures_of(question, material, courses(question, material, progress=progress, jobs_count=jobs_count))


def figures_of(question: Question, material: Material, went: Mapping[str, Course]) -> dict[str, Any]:
    """Return the figures of runs that were played."""
    days = material.days
    tallies = {name: course.tallies for name, course in went.items()}
    months = sorted({f"{day.date:%Y-%m}" for day in days})
    learnt = material.learnt.get(days[0].date)
    return {
        "days": len(days),
        "first_day": days[0].date.isoformat(),
        "last_day": days[-1].date.isoformat(),
        "sessions": sum(len(day.cars) for day in days),
        "need_kwh": kwh_from_wh(sum(car.need_wh for day in days for car in day.cars)),
        "need": "declared" if question.is_need_declared else "known",
        "surplus_ratio": question.surplus_ratio,
        "solar_factor": round(material.factor, 6),
        "learnt_from": {"stays_before_first_day": 0 if learnt is None else learnt.stays_count},
        "policies": rows_of(tallies, range(len(days))),
        "months": {month: rows_of(tallies, places_of(days, (month,))) for month in months},
    }


def places_of(days: Sequence[Day], months: Sequence[str]) -> list[int]:
    """Return the places of the days of some months, told as 2019-05."""
    return [number for number, day in enumerate(days) if f"{day.date:%Y-%m}" in months]


def rows_of(tallies: Mapping[str, Sequence[Tally]], places: Iterable[int]) -> list[dict[str, Any]]:
    """Return one row per policy over the days at these places."""
    chosen = list(places)
    sums = {name: total(of_day[place] for place in chosen) for name, of_day in tallies.items()}
    return [_row(name, tally, sums[FORESIGHT].solar_wh) for name, tally in sums.items()]


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
