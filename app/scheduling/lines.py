"""From a solved flow to the lines of a plan: what must be, what is wanted right now, and why something is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from app.domain.intervals import PLAN_SLOT, Interval
from app.domain.snapshot import SiteSnapshot
from app.scheduling.branches import Branch
from app.scheduling.cars import Cars, Flags, Floats, Outcome
from app.scheduling.rounding import Wish

GUARD_W = 1e-6
LATE_W = 1.0
LIKELY_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Reach:
    """What bounds the cars: slots (s from now), who is `gone` by a slot's end, and the scarce feeders."""

    start_s: Floats
    end_s: Floats
    gone: Floats
    branches: Sequence[Branch]


def due(cars: Cars, snapshot: SiteSnapshot, slot: Interval, now: datetime) -> Flags:
    """Return which demands should get all they can take now: what is left of their stay is short, charging slows down.

    Within the departure buffer; where the stay was learnt, in the last quarter of an hour or when it ends in this slot.
    """
    count = len(cars.demands)
    last_s = max(PLAN_SLOT, slot.end_at - now).total_seconds()
    buffer_s = np.where(cars.has_outlook[:count], last_s, snapshot.site.departure_buffer.total_seconds())
    departs_s = np.array([(each.departs_at - now).total_seconds() for each in cars.demands], dtype=float)
    needs_more = np.array([each.need_wh > 0 for each in cars.demands], dtype=bool)
    is_due: Flags = (departs_s <= buffer_s) & needs_more
    return is_due


def must_w(cars: Cars, first_w: Floats, grid_w: float, is_due: Flags, gone: Floats, slot: Interval) -> Floats:
    """Return what of the demands' power in the first slot does not wait for sun.

    For those that are due that is all they can take; for others, what their stay would be too short for later, and of
    what the plan buys from the grid (because a car will run short of time or sun, or may leave before) so much that it
    adds up: those first that are the likelier gone in the slots to come (`gone`), then those with the least to spare.
    """
    count = len(cars.demands)
    max_w, need_wh = cars.max_w[:count], np.array([each.need_wh for each in cars.demands], dtype=float)
    left_s = np.array([(each.departs_at - slot.end_at).total_seconds() for each in cars.demands], dtype=float)
    must = np.where(is_due, max_w, np.minimum(first_w, late_w(cars, slot)))
    spare_wh = max_w * np.maximum(0.0, left_s + slot.span.total_seconds()) / 3600 - need_wh
    order = np.lexsort((spare_wh, -(gone.mean(axis=1) - gone[:, 0])))
    more_w = np.maximum(0.0, first_w - must)[order]
    before_w = np.cumsum(more_w) - more_w
    must[order] += np.clip(grid_w - must.sum() - before_w, 0.0, more_w)
    return must


def late_w(cars: Cars, slot: Interval) -> Floats:
    """Return the demands' power in the first slot that the rest of their stay would be too short for."""
    count = len(cars.demands)
    need_wh = np.array([each.need_wh for each in cars.demands], dtype=float)
    left_s = np.array([(each.departs_at - slot.end_at).total_seconds() for each in cars.demands], dtype=float)
    missing_wh = need_wh - cars.max_w[:count] * np.maximum(0.0, left_s) / 3600
    late: Floats = np.maximum(0.0, missing_wh) / (slot.span.total_seconds() / 3600)
    return late


def wishes(cars: Cars, first_w: Floats, is_due: Flags, late: Floats) -> list[Wish]:
    """Return what every session should get now; who is due gets all it can take, who is `late` its minimum at least.

    A turn later would be too late for what is late, however little it is.
    """
    least_w = np.array([each.min_power_w for each in cars.demands], dtype=float)
    powers_w = np.where(is_due, cars.max_w[: len(cars.demands)], first_w)
    powers_w = np.where((late > LATE_W) & (first_w > GUARD_W), np.maximum(powers_w, least_w), powers_w)
    return [
        Wish(
            key=demand.session_id,
            power_w=power_w,
            min_power_w=demand.min_power_w,
            max_power_w=max(demand.max_power_w, demand.min_power_w),
            limit_w=demand.limit_w,
            switched_at=demand.switched_at,
            need_wh=demand.need_wh,
            departs_at=demand.departs_at,
            floor_w=free_w,
        )
        for demand, power_w, free_w in zip(cars.demands, powers_w.tolist(), cars.free_w.tolist(), strict=False)
    ]


def why_missing(cars: Cars, outcome: Outcome, reach: Reach) -> list[str]:
    """Return per demand in words why it misses energy, or probably will (empty: it does not)."""
    return [
        _why_unmet(cars, place, outcome, reach) if outcome.unmet_wh[place] >= 1 else _why_likely(cars, place, reach)
        for place in range(len(cars.demands))
    ]


def _why_unmet(cars: Cars, place: int, outcome: Outcome, reach: Reach) -> str:
    """Return which of its stay, the feeders above it, nearest first, and the site runs out."""
    if cars.max_w[place] * cars.end_s[place] / 3600 < cars.demands[place].need_wh:
        return "the stay is too short"
    is_there = reach.start_s < cars.end_s[place]
    number: int | None = int(cars.branch[place]) if cars.branch[place] >= 0 else None
    while number is not None:
        if (outcome.is_full[number] & is_there).any():
            return f"the limit of feeder {reach.branches[number].feeder_id} is shared with other cars"
        number = reach.branches[number].parent
    return "the site limit is shared with other cars"


def _why_likely(cars: Cars, place: int, reach: Reach) -> str:
    """Return whether it has probably left before it could have everything even at its full power from now on."""
    done_s = cars.need_wh[place] * 3600 / max(GUARD_W, cars.max_w[place])
    slot = min(int(np.searchsorted(reach.end_s, done_s)), len(reach.end_s) - 1)
    return "will probably leave before it is done" if reach.gone[place, slot] > LIKELY_SHARE else ""
