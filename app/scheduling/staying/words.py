"""What an outlook is taken from, in words; nobody is named."""

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
    days, within = divmod(round(slots_count * SLOT_MINUTES / TOLD_MINUTES) * TOLD_MINUTES, SLOTS_PER_DAY * SLOT_MINUTES)
    later = "" if days == 0 else f" +{days} d"
    return f"{within // 60:02d}:{within % 60:02d}{later}"


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
    for row, declared in enumerate(subjects.declared.tolist()):
        count = int(counts[row])
        words = f"{count} earlier stay{'s' if count != 1 else ''}"
        if count:
            words += f": usually leaves {clock_of(middle[row])}"
            if count >= FEW_COUNT:
                words += f" (half of the days {clock_of(early[row])} to {clock_of(late[row])})"
        if count < FEW_COUNT:
            others = f"{len(past)} stays of this site" if len(past) else "nothing learnt here yet"
            words = f"{words}, {others}"
        found.append(words + ("; nothing said" if np.isnan(declared) else f"; said {clock_of(declared)}"))
    return found
