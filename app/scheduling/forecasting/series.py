"""Powers on the planning grid, by number of the slot: quarter hours of UTC since 1970, so that days are rows of 96."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from app.domain.intervals import PLAN_SLOT

Powers = NDArray[np.float64]
Slots = NDArray[np.int64]

SLOTS_PER_DAY = 96
SLOTS_PER_HOUR = 4
EPOCH_AT = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Series:
    """Mean powers in W of the slots from number `first` on; NaN where nothing is known."""

    first: int
    powers_w: Powers

    @property
    def until(self) -> int:
        """The number of the slot behind the last one."""
        return self.first + len(self.powers_w)

    def powers_w_at(self, slots: Slots) -> Powers:
        """Return the powers of these slots, in their shape; NaN outside of the series."""
        if not len(self.powers_w):
            return np.full(slots.shape, np.nan)
        places = slots - self.first
        is_inside = (places >= 0) & (places < len(self.powers_w))
        return np.where(is_inside, self.powers_w[np.where(is_inside, places, 0)], np.nan)

    def window_w(self, first: int, until: int) -> Powers:
        """Return the powers of the slots in [first, until)."""
        return self.powers_w_at(np.arange(first, until))

    def before(self, slot: int) -> "Series":
        """Return what is known when a slot begins."""
        return Series(self.first, self.powers_w[: max(0, slot - self.first)])

    def window(self, first: int, until: int) -> "Series":
        """Return what lies in [first, until), as a series."""
        start, end = max(first, self.first), min(until, self.until)
        return Series(start, self.powers_w[start - self.first : max(start, end) - self.first])

    def then(self, later: "Series") -> "Series":
        """Return this series and a later one behind it, with a gap between them where there is one."""
        if not len(later.powers_w) or not len(self.powers_w):
            return later if len(later.powers_w) else self
        gap_w = np.full(later.first - self.until, np.nan)
        return Series(self.first, np.concatenate([self.powers_w, gap_w, later.powers_w]))

    def highest_w(self) -> float:
        """Return the highest power, 0 W where nothing is known."""
        return float(np.nanmax(self.powers_w)) if np.isfinite(self.powers_w).any() else 0.0

    def measured_days_count(self) -> int:
        """Return how many whole days of slots are known."""
        return int(np.isfinite(self.powers_w).sum()) // SLOTS_PER_DAY


def slot_number(at: datetime) -> int:
    """Return the number of the slot that contains an instant."""
    return (at - EPOCH_AT) // PLAN_SLOT


def slot_start(number: int) -> datetime:
    """Return when a slot begins."""
    return EPOCH_AT + number * PLAN_SLOT


def series_of(pairs: Iterable[tuple[int, float]]) -> Series:
    """Return the series of (slot number, mean power in W); slots that are not named are gaps."""
    known = dict(pairs)
    if not known:
        return Series(0, np.empty(0))
    first = min(known)
    powers_w = np.full(max(known) + 1 - first, np.nan)
    powers_w[np.fromiter(known, dtype=np.int64) - first] = np.fromiter(known.values(), dtype=np.float64)
    return Series(first, powers_w)
