"""Bands that hold: conformal calibration of P10 and P90 on days that the learner has not seen.

Conformalised quantile regression (Romano, Patterson, Candès 2019) with both sides apart: by how much did the truth lie
below P10 (above P90) on held-out days; the 90th percentile of that, which may be negative, moves the bound. Misses are
told as shares of the clear sky and gathered by lead, because what is hours ahead errs otherwise than what is next.
Pairs of one day miss together: the percentile is corrected for the count of days, not of pairs.
"""

from dataclasses import dataclass

import numpy as np

from app.scheduling.forecasting.persistence import Shares
from app.scheduling.forecasting.series import Powers, Slots

LEAD_BOUNDS = (2, 6, 12, 24, 48, 96)  # a group ends with this lead; behind the last one, one more
TAIL_SHARE = 0.1
LEAST_COUNT = 60


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far to move the bounds, in shares of the clear sky, by group of leads (positive: outward)."""

    below_share: tuple[float, ...]
    above_share: tuple[float, ...]

    def lower_w(self, lower_w: Powers, clear_w: Powers, leads: Slots) -> Powers:
        """Return the calibrated lower bound."""
        return np.asarray(lower_w - np.array(self.below_share)[groups_of(leads)] * clear_w)

    def upper_w(self, upper_w: Powers, clear_w: Powers, leads: Slots) -> Powers:
        """Return the calibrated upper bound."""
        return np.asarray(upper_w + np.array(self.above_share)[groups_of(leads)] * clear_w)


def groups_of(leads: Slots) -> Slots:
    """Return the group of each lead."""
    return np.searchsorted(np.array(LEAD_BOUNDS), leads)


def calibrated(
    lower_w: Powers, upper_w: Powers, truth_w: Powers, clear_w: Powers, leads: Slots, days_count: int
) -> Calibration:
    """Return the calibration that these pairs (all lit, none missing) of `days_count` held-out days ask for.

    A group with fewer than 60 pairs takes all pairs together; without any pair, nothing is moved.
    """
    groups = groups_of(leads)
    below_share, above_share = (lower_w - truth_w) / clear_w, (truth_w - upper_w) / clear_w
    below, above = [], []
    for group in range(len(LEAD_BOUNDS) + 1):
        is_chosen = groups == group
        if is_chosen.sum() < LEAST_COUNT:
            is_chosen = np.ones(len(groups), dtype=bool)
        below.append(_reached_share(below_share[is_chosen], days_count))
        above.append(_reached_share(above_share[is_chosen], days_count))
    return Calibration(tuple(below), tuple(above))


def _reached_share(misses_share: Shares, days_count: int) -> float:
    """Return the miss that all but a tenth stay under: the 0.9 · (1 + 1 / days) quantile, at most the largest."""
    if len(misses_share) == 0:
        return 0.0
    level_share = min(1.0, (1 - TAIL_SHARE) * (1 + 1 / max(1, days_count)))
    return float(np.quantile(misses_share, level_share, method="higher"))
