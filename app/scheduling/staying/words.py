"""What an outlook is taken from, in words; nobody is named."""

from functools import lru_cache
from math import isnan

import numpy as np

from app.scheduling.staying.curves import Points
from app.scheduling.staying.visits import Numbers, Visits

FEW_COUNT = 3
SLOT_MINUTES = 15
TOLD_MINUTES = 5
QUARTILES_SHARE = (0.25, 0.5, 0.75)
SLOTS_PER_DAY = 96


def clock_of(slots_count: float) -> str:
    """Return a clock slot as HH:MM to 5 minutes, with the days that it lies behind the day of arrival."""
    return _clock(round(slots_count * SLOT_MINUTES / TOLD_MINUTES) * TOLD_MINUTES)


@lru_cache(maxsize=1024)
def _clock(whole_minutes: int) -> str:
    days, within = divmod(whole_minutes, SLOTS_PER_DAY * SLOT_MINUTES)
    return f"{within // 60:02d}:{within % 60:02d}" + (f" +{days} d" if days else "")


def _quartiles(slots: Numbers, points: Points, count: int) -> list[Numbers]:
    """Return the quartiles of the weighted points of each of `count` owners (0 without any)."""
    order = np.lexsort((slots, points.owner))
    if not len(order):
        return [np.zeros(count) for _ in QUARTILES_SHARE]
    ends = np.cumsum(points.weight[order])
    upper = np.cumsum(np.bincount(points.owner, points.weight, count))
    lower = np.concatenate([[0.0], upper[:-1]])
    found = (np.searchsorted(ends, lower + share * (upper - lower)) for share in QUARTILES_SHARE)
    return [slots[order][np.minimum(place, len(order) - 1)] for place in found]


def bases_of(subjects: Visits, past: Visits, points: Points) -> list[str]:
    """Return one line per guest: how many earlier stays, when they usually ended, and what was said this time."""
    counts = np.bincount(points.owner, minlength=len(subjects))
    early, middle, late = _quartiles(past.left[points.stay], points, len(subjects))
    found = []
    rows = zip(subjects.declared.tolist(), counts.tolist(), early.tolist(), middle.tolist(), late.tolist(), strict=True)
    for declared, count, first, half, last in rows:
        words = f"{count} earlier stay{'s' if count != 1 else ''}"
        if count:
            words += f": usually leaves {clock_of(half)}"
            if count >= FEW_COUNT:
                words += f" (half of the days {clock_of(first)} to {clock_of(last)})"
        if count < FEW_COUNT:
            others = f"{len(past)} stays of this site" if len(past) else "nothing learnt here yet"
            words = f"{words}, {others}"
        found.append(words + ("; nothing said" if isnan(declared) else f"; said {clock_of(declared)}"))
    return found
