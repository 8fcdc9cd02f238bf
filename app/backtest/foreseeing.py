"""The surplus of recorded days as the house itself would have forecast it in each of their slots.

The production's clear sky, learner and persistence (`app.scheduling.forecasting`) on the solar file's own history
before each slot, whose naive local clock counts as UTC throughout. The current slot is metered, the building's load
known, as in the naive forecast. What is learnt is learnt anew every week (the service: every day), from 30 measured
days on.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from app.backtest.days import SLOT, SLOTS_PER_DAY, Day, Foreseen, Powers
from app.backtest.records import Series
from app.scheduling.forecasting.envelope import BEHIND_DAYS_COUNT, YOUNG_DAYS_COUNT, envelope_w
from app.scheduling.forecasting.learner import LEAST_DAYS_COUNT, MOST_DAYS_COUNT, LearntSun, learn
from app.scheduling.forecasting.persistence import RELAXATION_SLOTS
from app.scheduling.forecasting.series import Series as Slotted
from app.scheduling.forecasting.series import slot_number
from app.scheduling.forecasting.sun import LEAST_DAYS_COUNT as LEAST_SUN_DAYS_COUNT
from app.scheduling.forecasting.sun import sun_pairs

LEARNT_EVERY_SLOTS = 7 * SLOTS_PER_DAY
HISTORY = timedelta(days=MOST_DAYS_COUNT + 30)
AHEAD_SLOTS = 146


def foreseen(
    days: Sequence[Day], solar: Series, factor: float, shift_years: int, progress: Callable[[], None] = lambda: None
) -> list[Foreseen]:
    """Return of each day what was foreseen in its slots; `days` are in order and scaled by `factor`.

    `progress` is called after each day. Raises ImportError or OSError where LightGBM cannot be loaded.
    """
    first_day, last_day = (_other_year(day.date, shift_years) for day in (days[0], days[-1]))
    pv = slotted(solar, first_day - HISTORY, last_day + timedelta(days=1))
    learnt: LearntSun | None = None
    found = []
    for day in days:
        first = _slot_of(_other_year(day.date, shift_years))
        known = pv.window(first - HISTORY // SLOT, first)
        if known.measured_days_count() >= LEAST_DAYS_COUNT and (
            learnt is None or first - learnt.learnt_until >= LEARNT_EVERY_SLOTS
        ):
            clear = envelope_w(known, known.first, first + AHEAD_SLOTS)
            learnt = learn(known, clear, max(known.highest_w(), clear.highest_w())) or learnt
        found.append(_foreseen(day, pv.window(known.first, first + SLOTS_PER_DAY), first, factor, learnt))
        progress()
    return found


def slotted(series: Series, first_day: date, until_day: date) -> Slotted:
    """Return the series on numbered slots, its clock taken for UTC, without the gap before its first power."""
    start_at = datetime.combine(first_day, time())
    count = (until_day - first_day) // SLOT
    powers = [series.mean_w(start_at + number * SLOT, SLOT) for number in range(count)]
    powers_w = np.array([np.nan if each is None else max(0.0, each) for each in powers])
    known = np.flatnonzero(np.isfinite(powers_w))
    return Slotted(_slot_of(first_day), powers_w).window(_slot_of(first_day) + int(known[0]), _slot_of(until_day))


def _slot_of(day: date) -> int:
    return slot_number(datetime.combine(day, time(), tzinfo=UTC))


def _other_year(day: date, shift_years: int) -> date:
    return day.replace(year=day.year - shift_years)


def _foreseen(day: Day, pv: Slotted, first: int, factor: float, learnt: LearntSun | None) -> Foreseen:
    """Return what was foreseen in each slot of the day that begins with slot `first`, the last one that `pv` holds."""
    known = pv.before(first)
    days_count = known.measured_days_count()
    if days_count < LEAST_SUN_DAYS_COUNT:
        return Foreseen(_faded_w(day.surplus_w))
    behind = 1 if days_count < YOUNG_DAYS_COUNT else BEHIND_DAYS_COUNT
    clear = envelope_w(known, known.first, first + AHEAD_SLOTS, behind)
    capacity_w = max(known.highest_w(), clear.highest_w())
    now, ahead = np.triu_indices(SLOTS_PER_DAY, 1)
    issues = first + now + 1
    sun = sun_pairs(pv, clear, capacity_w, issues, ahead - now, learnt)

    def laid_out(pv_w: Powers) -> Powers:
        surplus_w = np.diag(day.surplus_w)
        surplus_w[now, ahead] = np.maximum(factor * pv_w - day.load_w[ahead], 0.0)
        return surplus_w

    low_w, high_w = (None if each is None else laid_out(each) for each in (sun.p10_w, sun.p90_w))
    return Foreseen(laid_out(sun.p50_w), low_w, high_w)


def _faded_w(surplus_w: Powers) -> Powers:
    """Return the metered surplus of each slot fading over the later ones, as where nothing else is known."""
    ahead = np.arange(SLOTS_PER_DAY) - np.arange(SLOTS_PER_DAY)[:, None]
    return np.where(ahead >= 0, surplus_w[:, None] * np.exp(-np.maximum(ahead, 0) / RELAXATION_SLOTS), 0.0)
