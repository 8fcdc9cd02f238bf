"""The reference: the sky stays as it is. The clear-sky index of the last hour, held or relaxing to the usual one.

The clear-sky index is measured over clear-sky power. Everything is vectorised over issues (the slot that begins when a
forecast is issued; what is measured ends there) and leads (1: that very slot).
"""

import numpy as np
from numpy.typing import NDArray

from app.scheduling.forecasting.series import SLOTS_PER_DAY, SLOTS_PER_HOUR, Powers, Series, Slots

RECENT_SLOTS = SLOTS_PER_HOUR
USUAL_SLOTS = 20 * SLOTS_PER_DAY
RELAXATION_SLOTS = 3 * SLOTS_PER_HOUR
LARGEST_INDEX_SHARE = 1.5
LIT_SHARE = 0.03  # of the capacity: below it, it is night
USUAL_INDEX_SHARE = 0.6  # where nothing has been measured yet

Shares = NDArray[np.float64]


class Skies:
    """Clear-sky indices of any spans of a history, from running sums: each is Σ measured / Σ clear sky."""

    def __init__(self, pv: Series, clear: Series, capacity_w: float) -> None:
        self._first = pv.first
        clear_w = clear.window_w(pv.first, pv.until)
        is_known = np.isfinite(pv.powers_w) & np.isfinite(clear_w)
        self._pv_sums_w = np.concatenate([[0.0], np.cumsum(np.where(is_known, pv.powers_w, 0.0))])
        self._clear_sums_w = np.concatenate([[0.0], np.cumsum(np.where(is_known, clear_w, 0.0))])
        self._lit_w = LIT_SHARE * capacity_w

    def index_share(self, issues: Slots, count: int, behind: int = 0) -> Shares:
        """Return the index of the `count` slots that end `behind` slots before each issue; NaN in the dark."""
        ends = np.clip(issues - self._first - behind, 0, len(self._pv_sums_w) - 1)
        starts = np.clip(issues - self._first - behind - count, 0, len(self._pv_sums_w) - 1)
        clear_w = self._clear_sums_w[ends] - self._clear_sums_w[starts]
        pv_w = self._pv_sums_w[ends] - self._pv_sums_w[starts]
        is_lit = clear_w > self._lit_w * min(count, RECENT_SLOTS)
        return np.where(is_lit, np.minimum(pv_w / np.where(is_lit, clear_w, 1.0), LARGEST_INDEX_SHARE), np.nan)


def expected_share(skies: Skies, issues: Slots, leads: Slots, *, relaxes: bool = True) -> Shares:
    """Return the index that is expected of pairs (issue, lead), broadcast: the last hour's, relaxing to the usual one.

    In the dark, and where nothing was measured, the mean of the last 20 days stands in; without any, 0.6.
    """
    usual_share = skies.index_share(issues, USUAL_SLOTS)
    usual_share = np.where(np.isnan(usual_share), USUAL_INDEX_SHARE, usual_share)
    recent_share = skies.index_share(issues, RECENT_SLOTS)
    recent_share = np.where(np.isnan(recent_share), usual_share, recent_share)
    kept_share = np.exp(-(leads - 1) / RELAXATION_SLOTS) if relaxes else np.ones(leads.shape)
    return np.asarray(usual_share + (recent_share - usual_share) * kept_share)


def persistence_w(
    pv: Series, clear: Series, capacity_w: float, issues: Slots, leads: Slots, *, relaxes: bool = True
) -> Powers:
    """Return the powers of pairs (issue, lead), broadcast: clear sky × expected index. NaN without a clear sky."""
    skies = Skies(pv, clear, capacity_w)
    clear_w = clear.powers_w_at(issues + leads - 1)
    return np.asarray(clear_w * expected_share(skies, issues, leads, relaxes=relaxes))
