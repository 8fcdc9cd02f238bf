"""What to expect of the cars that are there: how long they stay, given that they are there still, and take."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from app.domain.intervals import PLAN_SLOT, floor_slot
from app.domain.stays import Guest, StayOutlook
from app.scheduling.staying.curves import PRIOR_LATE_SHARE, Habits, habits_of, mixed, points_of, site_curves
from app.scheduling.staying.hazards import Pairs, corrected, features_of
from app.scheduling.staying.learnt import LearntStays, trees_from
from app.scheduling.staying.needs import blocks_of, site_ratios
from app.scheduling.staying.visits import Numbers, Visits, midnight_before, slots_count_of, visits_of
from app.scheduling.staying.words import bases_of

UTC_ZONE = ZoneInfo("UTC")
NEAR_COUNT = 16  # slots past the departure that was said; who is there even then leaves at the prior's pace


def outlooks(learnt: LearntStays | None, guests: Sequence[Guest], now: datetime, count: int) -> list[StayOutlook]:
    """Return what is thought of each guest over `count` slots of the UTC grid, the first being the one with `now`.

    Nothing learnt: a mild prior. Deterministic, and one guest's outlook does not depend on the others.
    """
    if not guests or count < 1:
        return [StayOutlook(()) for _ in guests]
    zone = UTC_ZONE if learnt is None else learnt.zone
    numbers = {} if learnt is None else {name: number for number, name in enumerate(learnt.drivers)}
    subjects = visits_of(guests, numbers, zone)
    past = _no_visits() if learnt is None else learnt.visits
    points = points_of(subjects, past, np.full(len(guests), np.inf))
    habits = habits_of(subjects, past, points)
    shares = _shares(learnt, guests, subjects, habits, now, count)
    blocks = blocks_of(guests, subjects, past, points, site_ratios(past))
    bases = bases_of(subjects, past, points)
    return [
        StayOutlook(tuple(row), needs, basis) for row, needs, basis in zip(shares.tolist(), blocks, bases, strict=True)
    ]


def _no_visits() -> Visits:
    return visits_of([], {}, UTC_ZONE)


def _shares(
    learnt: LearntStays | None, guests: Sequence[Guest], subjects: Visits, habits: Habits, now: datetime, count: int
) -> Numbers:
    """Return the probabilities of being there at the end of each slot: what is left after the hazards on the way."""
    zone = UTC_ZONE if learnt is None else learnt.zone
    slots = _clock_slots(subjects, zone, now, count)
    rows, columns = np.nonzero(~(slots >= np.floor(subjects.declared)[:, None] + NEAR_COUNT))
    places = slots[rows, columns]
    mixture = mixed(subjects, habits, site_curves(_no_visits()) if learnt is None else learnt.site, rows, places)
    near = mixture.hazard.copy()
    if learnt is not None and learnt.trees is not None:
        matters = places < np.floor(subjects.declared)[rows]
        is_known = np.array([guest.is_need_known for guest in guests])
        pairs = Pairs(rows[matters], places[matters], mixture.chosen(matters))
        features = features_of(subjects, habits, pairs, subjects.asked_wh, is_known, learnt.pace_w)
        near[matters] = corrected(trees_from(learnt.trees), features)
    hazards = np.full((len(guests), count), PRIOR_LATE_SHARE)
    hazards[rows, columns] = near
    logs: Numbers = np.log1p(-hazards)
    logs[:, 0] *= 1 - (now - floor_slot(now)) / PLAN_SLOT
    shares: Numbers = np.exp(np.cumsum(logs, axis=1))
    return shares


def _clock_slots(subjects: Visits, zone: ZoneInfo, now: datetime, count: int) -> Numbers:
    """Return, per guest and slot, the clock slot counted from the midnight before its arrival."""
    first_at = floor_slot(now)
    midnight = midnight_before(now, zone)
    clock = np.array(
        [np.floor(slots_count_of(first_at + number * PLAN_SLOT, midnight, zone)) for number in range(count)]
    )
    days = midnight.toordinal() - subjects.day
    slots: Numbers = clock[None, :] + 96.0 * days[:, None]
    return slots
