"""From a solved flow to the lines of a plan: what must be, what is wanted right now, and why something is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from app.domain.intervals import PLAN_SLOT, Interval
from app.domain.snapshot import SiteSnapshot
from app.scheduling.branches import Branch
from app.scheduling.cars import Cars, Curves, Flags, Floats, Outcome
from app.scheduling.rounding import SHORTEST_TURN, Wishes

GUARD_W = 1e-6
LATE_W = 1.0
LIKELY_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Reach:
    """What bounds the cars: slots (s from now), who is `gone` by a slot's end, and the scarce feeders."""

    start_s: Floats
    end_s: Floats
    gone: Curves
    branches: Sequence[Branch]


def due(cars: Cars, snapshot: SiteSnapshot, slot: Interval, now: datetime) -> Flags:
    """Return which demands should get all they can take now: what is left of their stay is short, charging slows down.

    Within the departure buffer; where the stay was learnt, in the last quarter of an hour or when it ends in this slot.
    """
    last_s = max(PLAN_SLOT, slot.end_at - now).total_seconds()
    buffer_s = np.where(cars.has_outlook, last_s, snapshot.site.departure_buffer.total_seconds())
    is_due: Flags = (cars.departs_s <= buffer_s) & (cars.wanted_wh > 0)
    return is_due


def must_w(cars: Cars, first_w: Floats, grid_w: float, is_due: Flags, gone: Curves, slot: Interval) -> Floats:
    """Return what of the demands' power in the first slot does not wait for sun.

    For those that are due that is all they can take; for others, what their stay would be too short for later, and of
    what the plan buys from the grid (because a car will run short of time or sun, or may leave before) so much that it
    adds up: those first that are the likelier gone in the slots to come (`gone`), then those with the least to spare.
    """
    max_w = cars.max_w[: len(cars.demands)]
    must: Floats = np.where(is_due, max_w, np.minimum(first_w, late_w(cars, slot)))
    spare_wh = max_w * np.maximum(0.0, cars.departs_s) / 3600 - cars.wanted_wh
    order = np.lexsort((spare_wh, -gone.mean_later()))
    more_w = np.maximum(0.0, first_w - must)[order]
    before_w = np.cumsum(more_w) - more_w
    must[order] += np.clip(grid_w - must.sum() - before_w, 0.0, more_w)
    return must


def late_w(cars: Cars, slot: Interval) -> Floats:
    """Return the demands' power in the first slot that the rest of their stay would be too short for."""
    later_s = np.maximum(0.0, cars.departs_s - slot.span.total_seconds())
    missing_wh = cars.wanted_wh - cars.max_w[: len(cars.demands)] * later_s / 3600
    late: Floats = np.maximum(0.0, missing_wh) / (slot.span.total_seconds() / 3600)
    return late


def wishes(cars: Cars, first_w: Floats, is_due: Flags, late: Floats, now: datetime) -> Wishes:
    """Return what every session should get now; who is due gets all it can take, who is `late` its minimum at least.

    A turn later would be too late for what is late, however little it is.
    """
    count = len(cars.demands)
    max_w = np.maximum(cars.max_w[:count], cars.min_w)
    powers_w = np.where(is_due, cars.max_w[:count], first_w)
    powers_w = np.where((late > LATE_W) & (first_w > GUARD_W), np.maximum(powers_w, cars.min_w), powers_w)
    switched = [each.switched_at for each in cars.demands]
    return Wishes(
        power_w=powers_w,
        min_w=cars.min_w,
        max_w=max_w,
        is_on=(cars.limit_w[:count] >= cars.min_w) & cars.is_limited,
        is_fresh=np.array([at is not None and now - at < SHORTEST_TURN for at in switched], dtype=bool),
        spare_wh=max_w * cars.departs_s / 3600 - cars.wanted_wh,
        must_w=np.zeros(count),
        floor_w=cars.free_w[:count],
    )


def why_missing(cars: Cars, outcome: Outcome, reach: Reach) -> list[str]:
    """Return per demand in words why it misses energy, or probably will (empty: it does not)."""
    count = len(cars.demands)
    done_s = cars.need_wh[:count] * 3600 / np.maximum(GUARD_W, cars.max_w[:count])
    slot = np.minimum(np.searchsorted(reach.end_s, done_s), len(reach.end_s) - 1)
    is_likely = reach.gone.at(slot) > LIKELY_SHARE
    reasons = ["will probably leave before it is done" if each else "" for each in is_likely.tolist()]
    for place in np.flatnonzero(outcome.unmet_wh[:count] >= outcome.slack_wh[:count]).tolist():
        reasons[place] = _why_unmet(cars, place, outcome, reach)
    return reasons


def _why_unmet(cars: Cars, place: int, outcome: Outcome, reach: Reach) -> str:
    """Return which of its stay, the feeders above it, nearest first, and the site runs out."""
    if cars.max_w[place] * cars.end_s[place] / 3600 < cars.wanted_wh[place]:
        return "the stay is too short"
    is_there = reach.start_s < cars.end_s[place]
    number: int | None = int(cars.branch[place]) if cars.branch[place] >= 0 else None
    while number is not None:
        if (outcome.is_full[number] & is_there).any():
            return f"the limit of feeder {reach.branches[number].feeder_id} is shared with other cars"
        number = reach.branches[number].parent
    return "the site limit is shared with other cars"
