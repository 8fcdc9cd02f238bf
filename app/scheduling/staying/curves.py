"""When they leave: the driver's own departures, the site's, and a mild prior, mixed into one hazard per slot.

Every earlier departure is a weighted point, smeared over a few slots. A driver's points count by the clock, from what
was said and from arrival; those of the site by how long a stay was said to be, and by the time of arrival. The hazard
of a slot is the weight that leaves in it over the weight still there: as time passes what lies behind drops out.
"""

from dataclasses import dataclass

import numpy as np

from app.scheduling.staying.visits import NOBODY, Numbers, Places, Truths, Visits

SPAN_SLOTS = 192
SHIFT_SLOTS = 96
SMEAR_COUNT = 1.5
REACH_COUNT = 6
KEPT_SHARE = 0.96
MOST_POINTS_COUNT = 60
FAR_SLOTS_COUNT = 1e9  # later than any stay

CLOCK_WEIGHT = 2.0
SAID_WEIGHT = 0.5
LENGTH_WEIGHT = 0.25
SITE_SAID_WEIGHT = 2.0
SITE_CLOCK_WEIGHT = 1.0
SITE_ALONE_WEIGHT = 3.0
SITE_GROWTH_COUNT = 10.0

PRIOR_WEIGHT = 0.5
PRIOR_EARLY_SHARE = 0.005
PRIOR_LATE_SHARE = 0.15
PRIOR_UNSAID_SHARE = 0.025
LEAST_SHARE, LARGEST_SHARE = 1e-4, 0.95

LENGTH_KNOTS = np.array([2.0, 5.0, 10.0, 18.0, 28.0, 36.0, 48.0])
ARRIVAL_KNOTS = np.array([0.0, 20.0, 26.0, 30.0, 34.0, 40.0, 48.0, 60.0, 76.0])

_OFFSETS = np.arange(-REACH_COUNT, REACH_COUNT + 1)
_SMEAR = np.exp(-0.5 * (_OFFSETS / SMEAR_COUNT) ** 2)
_SMEAR /= _SMEAR.sum()


@dataclass(frozen=True, slots=True)
class Curves:
    """Weights that leave in each place (`leaving`) and that are still there when it begins (`staying`), a row each."""

    leaving: Numbers
    staying: Numbers

    def at(self, rows: Places, places: Numbers) -> tuple[Numbers, Numbers]:
        """Return both at places (floats; NaN, or behind the end: nothing)."""
        width = self.leaving.shape[1]
        is_known = places < width
        cells = rows * width + np.clip(np.where(is_known, places, 0.0), 0, width - 1).astype(np.int64)
        return self.leaving.ravel()[cells] * is_known, self.staying.ravel()[cells] * is_known


def curves_of(rows: Places, places: Numbers, weights: Numbers, count: int, width: int) -> Curves:
    """Return `count` curves of weighted points, each point in a row at a place of [0, width)."""
    is_known = np.isfinite(places)
    within = np.clip(np.floor(places[is_known]), 0, width - 1).astype(np.int64)
    points = np.bincount(rows[is_known] * width + within, weights[is_known], count * width).reshape(count, width)
    padded = np.pad(points, ((0, 0), (REACH_COUNT, REACH_COUNT)), mode="constant")
    leaving = np.zeros((count, width))
    for number, share in enumerate(_SMEAR):
        leaving += share * padded[:, number : number + width]
    return Curves(leaving, leaving[:, ::-1].cumsum(axis=1)[:, ::-1])


def hats(numbers: Numbers, knots: Numbers) -> tuple[Places, Numbers]:
    """Return the lower of the two knots that each number lies between and the weight of the upper; NaN: weight NaN."""
    clipped = np.clip(np.nan_to_num(numbers), knots[0], knots[-1])
    lower = np.clip(np.searchsorted(knots, clipped, side="right") - 1, 0, len(knots) - 2)
    upper_share = (clipped - knots[lower]) / (knots[lower + 1] - knots[lower])
    return lower, np.where(np.isfinite(numbers), upper_share, np.nan)


@dataclass(frozen=True, slots=True)
class SiteCurves:
    """Everybody's departures, each curve's weight one: from what was said, by its length; by clock, by arrival."""

    said: Curves
    clock: Curves
    said_count: Numbers
    clock_count: Numbers


def site_curves(visits: Visits) -> SiteCurves:
    """Return the site's curves; stays between two knots count for both."""
    said, said_count = _by_knots(
        np.floor(visits.left) - np.floor(visits.declared) + SHIFT_SLOTS,
        visits.declared - visits.arrived,
        LENGTH_KNOTS,
        2 * SHIFT_SLOTS + 1,
    )
    clock, clock_count = _by_knots(visits.left, visits.arrived, ARRIVAL_KNOTS, SPAN_SLOTS)
    return SiteCurves(said, clock, said_count, clock_count)


def _by_knots(places: Numbers, kinds: Numbers, knots: Numbers, width: int) -> tuple[Curves, Numbers]:
    lower, upper_share = hats(kinds, knots)
    is_known = np.isfinite(upper_share) & np.isfinite(places)
    lower, upper_share, places = lower[is_known], upper_share[is_known], places[is_known]
    rows, weights = np.concatenate([lower, lower + 1]), np.concatenate([1 - upper_share, upper_share])
    curves = curves_of(rows, np.tile(places, 2), weights, len(knots), width)
    count = np.asarray(np.bincount(rows, weights, len(knots)), dtype=np.float64)
    each = np.maximum(count, 1e-9)[:, None]
    return Curves(curves.leaving / each, curves.staying / each), count


@dataclass(frozen=True, slots=True)
class Points:
    """Earlier stays of the drivers of some visits: `owner` is the row of the visit, `stay` that of the earlier one."""

    owner: Places
    stay: Places
    weight: Numbers


def points_of(subjects: Visits, past: Visits, before: Numbers) -> Points:
    """Return, for each subject, its driver's newest 60 stays that were over before `before` (slots, see `leaves_at`).

    `past` is sorted by `leaves_at`; the newest counts most.
    """
    order = np.lexsort((past.leaves_at, past.driver))
    drivers, left = past.driver[order], past.leaves_at[order]
    starts = np.searchsorted(drivers, subjects.driver)
    until = subjects.driver * FAR_SLOTS_COUNT + np.minimum(before, FAR_SLOTS_COUNT - 1)
    stops = np.searchsorted(drivers * FAR_SLOTS_COUNT + left, until, side="right")
    counts = np.where(subjects.driver == NOBODY, 0, stops - starts)
    kept = np.minimum(counts, MOST_POINTS_COUNT)
    owner = np.repeat(np.arange(len(subjects)), kept)
    back = np.arange(len(owner)) - np.repeat(np.cumsum(kept) - kept, kept)  # 0 is the newest
    stay = order[np.repeat(starts + counts - 1, kept) - back]
    return Points(owner, stay, KEPT_SHARE**back)


@dataclass(frozen=True, slots=True)
class Habits:
    """The curves of each subject's driver: by the clock, from what is said, from arrival; and how much is known."""

    clock: Curves
    said: Curves
    length: Curves
    weight: Numbers


def habits_of(subjects: Visits, past: Visits, points: Points) -> Habits:
    """Return the drivers' curves, one row per subject."""
    count, stays = len(subjects), past.chosen(points.stay)
    said = np.floor(stays.left) - np.floor(stays.declared) + SHIFT_SLOTS
    return Habits(
        curves_of(points.owner, stays.left, points.weight, count, SPAN_SLOTS),
        curves_of(points.owner, said, points.weight, count, 2 * SHIFT_SLOTS + 1),
        curves_of(points.owner, stays.left - stays.arrived, points.weight, count, SPAN_SLOTS),
        np.asarray(np.bincount(points.owner, points.weight, count), dtype=np.float64),
    )


@dataclass(frozen=True, slots=True)
class Mixture:
    """Per pair of subject and slot: the mixed hazard, and what it was mixed from (weights leaving and staying)."""

    hazard: Numbers
    clock: tuple[Numbers, Numbers]
    said: tuple[Numbers, Numbers]
    length: tuple[Numbers, Numbers]
    site: tuple[Numbers, Numbers]

    def chosen(self, which: Truths) -> "Mixture":
        """Return some of the pairs."""
        clock, said, length, site = (
            (leaving[which], staying[which]) for leaving, staying in (self.clock, self.said, self.length, self.site)
        )
        return Mixture(self.hazard[which], clock, said, length, site)


def mixed(subjects: Visits, habits: Habits, site: SiteCurves, rows: Places, slots: Numbers) -> Mixture:
    """Return the hazards of subjects `rows` in the slots (clock, counted from their midnight) beside them."""
    declared, arrived = np.floor(subjects.declared)[rows], np.floor(subjects.arrived)[rows]
    clock = habits.clock.at(rows, slots)
    said = habits.said.at(rows, slots - declared + SHIFT_SLOTS)
    length = habits.length.at(rows, slots - arrived)
    length_slots = (subjects.declared - subjects.arrived)[rows]
    by_said = _site_at(site.said, site.said_count, LENGTH_KNOTS, length_slots, slots - declared + SHIFT_SLOTS)
    by_clock = _site_at(site.clock, site.clock_count, ARRIVAL_KNOTS, subjects.arrived[rows], slots)
    is_said: Truths = np.isfinite(declared)
    clock_weight = np.where(is_said, SITE_CLOCK_WEIGHT, SITE_ALONE_WEIGHT)
    everyone = tuple(
        SITE_SAID_WEIGHT * from_said + clock_weight * from_clock
        for from_said, from_clock in zip(by_said, by_clock, strict=True)
    )
    prior = np.where(is_said, np.where(slots < declared, PRIOR_EARLY_SHARE, PRIOR_LATE_SHARE), PRIOR_UNSAID_SHARE)
    leaving, staying = (
        CLOCK_WEIGHT * clock[side] + SAID_WEIGHT * said[side] + LENGTH_WEIGHT * length[side] + everyone[side]
        for side in (0, 1)
    )
    hazard = (leaving + PRIOR_WEIGHT * prior) / (staying + PRIOR_WEIGHT)
    return Mixture(np.clip(hazard, LEAST_SHARE, LARGEST_SHARE), clock, said, length, (everyone[0], everyone[1]))


def _site_at(
    curves: Curves, counts: Numbers, knots: Numbers, kinds: Numbers, places: Numbers
) -> tuple[Numbers, Numbers]:
    lower, upper_share = hats(kinds, knots)
    upper_share = np.nan_to_num(upper_share)
    trust = counts / (counts + SITE_GROWTH_COUNT)
    low, high = curves.at(lower, places), curves.at(lower + 1, places)
    low_share, high_share = (1 - upper_share) * trust[lower], upper_share * trust[lower + 1]
    return low_share * low[0] + high_share * high[0], low_share * low[1] + high_share * high[1]
