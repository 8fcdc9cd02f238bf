"""What a site's stays teach beyond the mixture: its hazards corrected by boosted trees (LightGBM, log-loss).

The trees start from the mixture's hazard, so that with little to learn from they change little. Each stay teaches
twice: with the energy it took known beforehand, and with what was asked for.

LightGBM is imported when something is learnt or a site has learnt enough, never before: it takes seconds.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from app.domain.intervals import PLAN_SLOT
from app.domain.units import energy_wh
from app.scheduling.staying.curves import (
    LARGEST_SHARE,
    LEAST_SHARE,
    SPAN_SLOTS,
    Habits,
    Mixture,
    habits_of,
    mixed,
    points_of,
    site_curves,
)
from app.scheduling.staying.visits import Numbers, Places, Truths, Visits

LEAST_STAYS_COUNT = 200
MOST_STAYS_COUNT = 5_000
BLOCKS_COUNT = 12
TREES_COUNT = 60
FULL_PACE_PERCENTILE = 98
SHORTEST_COUNT = 2.0
FALLBACK_PACE_W = 6_000.0
MOST_SLOTS_COUNT = 40_000
SLOTS_PER_DAY = 96

BOOSTING: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.12,
    "num_leaves": 10,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class Pairs:
    """Subjects and slots side by side, and the mixture there."""

    rows: Places
    slots: Numbers
    mixture: Mixture


def pace_w(visits: Visits) -> float:
    """Return about the power that cars charge with at full pace here: the highest mean powers of stays."""
    length_slots = visits.left - visits.arrived
    is_told = (length_slots >= SHORTEST_COUNT) & (visits.taken_wh > 0)
    if not is_told.any():
        return FALLBACK_PACE_W
    powers_w = visits.taken_wh[is_told] / (length_slots[is_told] * (PLAN_SLOT.total_seconds() / 3600))
    return float(np.percentile(powers_w, FULL_PACE_PERCENTILE))


def features_of(
    subjects: Visits, habits: Habits, pairs: Pairs, need_wh: Numbers, is_known: Truths, pace_w: float
) -> Numbers:
    """Return what is known about each pair, a row each; NaN where it is not known.

    First the mixture's log-odds and those of what it is mixed from; then the clock, the time since arrival and to what
    was said, the stay that was said, the weekday; what it wants in slots at full pace, and how long it has been full.
    """
    rows, slots = pairs.rows, pairs.slots
    need_slots = (need_wh / energy_wh(max(pace_w, 1.0), PLAN_SLOT))[rows]
    since = slots - np.floor(subjects.arrived)[rows]
    mixture = pairs.mixture
    weight = habits.weight[rows]
    columns = [
        _logit(mixture.hazard),
        *(_log_hazard(*part) for part in (mixture.clock, mixture.said, mixture.length, mixture.site)),
        *(part[1] / np.maximum(weight, 1e-9) for part in (mixture.clock, mixture.said, mixture.length)),
        mixture.site[1],
        weight,
        slots % SLOTS_PER_DAY,
        since,
        np.floor(subjects.declared)[rows] - slots,
        (subjects.declared - subjects.arrived)[rows],
        subjects.arrived[rows],
        ((subjects.day + 6) % 7).astype(float)[rows],
        np.where(is_known[rows], need_slots, np.nan),
        np.where(is_known[rows], since - need_slots, np.nan),
        need_slots,
        since - need_slots,
        *(each[rows] for each in _customs(habits)),
    ]
    return np.column_stack(columns)


def _customs(habits: Habits) -> list[Numbers]:
    """Return quantiles of when the drivers left by the clock and from what was said; NaN without any."""
    found = []
    for curves, shares in ((habits.clock, (0.9, 0.75, 0.5, 0.25)), (habits.said, (0.9, 0.75, 0.5))):
        whole = curves.staying[:, 0] if len(curves.staying) else np.zeros(0)
        for share in shares:
            places = (curves.staying >= share * whole[:, None]).sum(axis=1).astype(float)
            found.append(np.where(whole > 0, places, np.nan))
    return found


def _logit(share: Numbers) -> Numbers:
    return np.asarray(np.log(share / (1 - share)))


def _log_hazard(leaving: Numbers, staying: Numbers) -> Numbers:
    return np.asarray(np.log((leaving + 0.02) / (staying + 1.0)))


def fitted(visits: Visits, trees_count: int = TREES_COUNT) -> str | None:
    """Return trees learnt from the newest 5,000 of these stays (sorted by when they left) as text; None for too few.

    Each stay is described by what was known before it: its driver's stays that were over, and the site's of earlier
    blocks of time. Raises ImportError or OSError where LightGBM cannot be loaded (it needs the system's libgomp).
    """
    if len(visits) < LEAST_STAYS_COUNT:
        return None
    import lightgbm

    lessons = _lessons(visits)
    starts = np.ascontiguousarray(lessons.features[:, 0])
    rows = lightgbm.Dataset(lessons.features, lessons.is_left, weight=lessons.weight, init_score=starts)
    return str(lightgbm.train(BOOSTING, rows, num_boost_round=trees_count).model_to_string())


@dataclass(frozen=True, slots=True)
class _Lessons:
    """Slots of stays: their features (the mixture's log-odds first), whether it left then, and how much that counts."""

    features: Numbers
    is_left: Numbers
    weight: Numbers


def _lessons(visits: Visits) -> _Lessons:
    """Return what the newest stays teach, in blocks of time; slots without a departure are thinned."""
    full_w = pace_w(visits)
    first = max(0, len(visits) - MOST_STAYS_COUNT)
    slots_count = float((np.floor(visits.left[first:]) - np.floor(visits.arrived[first:]) + 1).sum())
    step = max(1, int(np.ceil(slots_count / MOST_SLOTS_COUNT)))
    bounds = np.linspace(first, len(visits), BLOCKS_COUNT + 1).astype(int)
    found = [_block(visits, np.arange(start, stop), step, full_w) for start, stop in pairwise(bounds)]
    return _Lessons(
        np.concatenate([each.features for each in found]),
        np.concatenate([each.is_left for each in found]),
        np.concatenate([each.weight for each in found]),
    )


def _block(visits: Visits, block: Places, step: int, full_w: float) -> _Lessons:
    subjects = visits.chosen(block)
    site = site_curves(visits.chosen(np.arange(block[0])))
    habits = habits_of(subjects, visits, points_of(subjects, visits, subjects.day * SLOTS_PER_DAY + subjects.arrived))
    begins, ends = np.floor(subjects.arrived), np.floor(subjects.left)
    lengths = np.clip(ends - begins + 1, 1, SPAN_SLOTS).astype(np.int64)
    rows = np.repeat(np.arange(len(block)), lengths)
    slots = begins[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    is_left = slots == ends[rows]
    is_kept = is_left | ((rows + slots) % step == 0)
    rows, slots, is_left = rows[is_kept], slots[is_kept], is_left[is_kept]
    pairs = Pairs(rows, slots, mixed(subjects, habits, site, rows, slots))
    features = [
        features_of(subjects, habits, pairs, need_wh, np.full(len(block), is_known), full_w)
        for need_wh, is_known in ((subjects.taken_wh, True), (subjects.asked_wh, False))
    ]
    weight = np.where(is_left, 1.0, float(step))
    return _Lessons(np.concatenate(features), np.tile(is_left.astype(float), 2), np.tile(weight, 2))


def corrected(trees: Any, features: Numbers) -> Numbers:
    """Return the hazards that the trees make of the mixture's."""
    if not len(features):
        return np.empty(0)
    log_odds = features[:, 0] + trees.predict(features, raw_score=True, num_threads=1)
    return np.asarray(np.clip(1.0 / (1.0 + np.exp(-log_odds)), LEAST_SHARE, LARGEST_SHARE))
