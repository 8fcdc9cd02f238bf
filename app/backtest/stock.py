"""Records read once and laid out: what several questions of one run have in common is reckoned once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from app.backtest.days import SLOTS_PER_DAY, Day, Foreseen, Powers, days_of, history_of, scaled
from app.backtest.foreseeing import foreseen
from app.backtest.learning import learnt_before
from app.backtest.records import Series, SessionRecord, clock_of_sessions, read_series, read_sessions
from app.backtest.runs import DEPARTURES, Question, runs_of
from app.scheduling.staying.learnt import LearntStays

HISTORY_DAYS_COUNT = 20

Clock = ZoneInfo | timezone | None


@dataclass(frozen=True, slots=True)
class Material:
    """The records laid out: days with scaled sun, the PV powers of the days before each, and what was foreseen.

    `learnt` is what had been learnt of stays when each day began. `foreseen` and `learnt` are empty where no policy
    asks for them. `factor` is what PV is scaled by.
    """

    days: list[Day]
    before: list[list[Powers]]
    foreseen: list[Foreseen]
    learnt: dict[date, LearntStays]
    factor: float


@dataclass(slots=True)
class Stock:
    """What was read and reckoned so far."""

    _records: dict[tuple[Path, Clock], list[SessionRecord]] = field(default_factory=dict)
    _series: dict[tuple[Path, Clock], Series] = field(default_factory=dict)
    _skies: dict[tuple[Path, Clock, int], dict[date, Foreseen]] = field(default_factory=dict)
    _learnt: dict[tuple[Path, Clock], dict[date, LearntStays]] = field(default_factory=dict)

    def lay_out(self, question: Question) -> Material:
        """Read the files and lay them onto days. Raises Invalid naming the file and line, or the option."""
        runs = runs_of(question)
        clock = _clock(question)
        records, solar = self._sessions(question.sessions, clock), self._power(question.solar, clock)
        days = days_of(
            records,
            solar,
            self._power(question.load, clock),
            evse_w=question.evse_w,
            shift_years=question.shift_years,
            weekdays=question.weekdays,
            least_session_count=question.least_session_count,
            first=question.first,
            last=question.last,
        )
        unscaled = days
        days, factor = scaled(days, question.surplus_ratio)
        before = [
            [factor * powers_w for powers_w in history_of(solar, day.date, question.shift_years, HISTORY_DAYS_COUNT)]
            for day in days
        ]
        has_sunslot = any(run.policy in DEPARTURES for run in runs)
        skies = self._skies_of(question, clock, unscaled) if has_sunslot else []
        is_learning = question.is_need_declared or any(DEPARTURES.get(run.policy, "true") != "true" for run in runs)
        return Material(
            days=days,
            before=before,
            foreseen=[_lit(day, sky, factor) for day, sky in zip(days, skies, strict=False)],
            learnt=self._learnt_of(question, clock, days) if has_sunslot and is_learning else {},
            factor=factor,
        )

    def _sessions(self, path: Path, clock: Clock) -> list[SessionRecord]:
        if (path, clock) not in self._records:
            self._records[path, clock] = read_sessions(path, clock)
        return self._records[path, clock]

    def _power(self, path: Path, clock: Clock) -> Series:
        if (path, clock) not in self._series:
            self._series[path, clock] = read_series(path, clock)
        return self._series[path, clock]

    def _skies_of(self, question: Question, clock: Clock, days: Sequence[Day]) -> list[Foreseen]:
        """Return the PV of the days as it was foreseen, unscaled and without the building."""
        skies = self._skies.setdefault((question.solar, clock, question.shift_years), {})
        if any(day.date not in skies for day in days):
            dark = [replace(day, load_w=np.zeros(SLOTS_PER_DAY), surplus_w=day.pv_w) for day in days]
            found = foreseen(dark, self._power(question.solar, clock), 1.0, question.shift_years)
            skies.update({day.date: sky for day, sky in zip(days, found, strict=True)})
        return [skies[day.date] for day in days]

    def _learnt_of(self, question: Question, clock: Clock, days: Sequence[Day]) -> dict[date, LearntStays]:
        learnt = self._learnt.setdefault((question.sessions, clock), {})
        dates = [day.date for day in days]
        if any(each not in learnt for each in dates):
            learnt.update(learnt_before(self._sessions(question.sessions, clock), dates))
        return {each: learnt[each] for each in dates}


def _clock(question: Question) -> Clock:
    """Return the clock that instants are put on; None: clocks as written."""
    if not question.is_zoned:
        return None
    return clock_of_sessions(question.sessions) if question.zone is None else question.zone


def _lit(day: Day, sky: Foreseen, factor: float) -> Foreseen:
    """Return the surplus that a foreseen PV leaves; the slot at hand is metered, the building's load is known."""

    def surplus_w(pv_w: Powers) -> Powers:
        left_w: Powers = np.maximum(factor * pv_w - day.load_w, 0.0)
        np.fill_diagonal(left_w, day.surplus_w)
        return left_w

    low_w, high_w = (None if each is None else surplus_w(each) for each in (sky.low_w, sky.high_w))
    return Foreseen(surplus_w(sky.expected_w), low_w, high_w)
