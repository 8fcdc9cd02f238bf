"""The yardstick's naive forecast of the surplus: the bright days before, scaled by how bright it has been lately."""

from collections.abc import Sequence

import numpy as np

from app.backtest.days import SLOT_HOURS, SLOTS_PER_DAY, Day, Powers

RECENT_SLOTS = 4
RELAXATION_HOURS = 3.0
BRIGHT_PERCENTILE = 95
DARK_W = 50.0


def naive_surplus_w(day: Day, before: Sequence[Powers], now: int) -> Powers:
    """Return the expected surplus of the day's slots as seen in slot `now`, whose own surplus is metered.

    Per-slot 95th percentile of the days before × ratio of the last four slots, relaxing with a time constant of 3 h to
    the mean ratio of the days before; the building's load is known. Without any day before nothing is expected.
    """
    if not before:
        surplus_w = np.zeros(SLOTS_PER_DAY)
    else:
        bright_w = np.percentile(np.array(before), BRIGHT_PERCENTILE, axis=0)
        mean_ratio = float(np.mean([powers_w.sum() for powers_w in before])) / max(float(bright_w.sum()), DARK_W)
        recent = slice(max(0, now - RECENT_SLOTS), now)
        recent_w = float(bright_w[recent].sum())
        ratio = float(day.pv_w[recent].sum()) / recent_w if recent_w > RECENT_SLOTS * DARK_W else mean_ratio
        ahead_hours = np.maximum(np.arange(SLOTS_PER_DAY) - now, 0) * SLOT_HOURS
        expected_w = bright_w * (mean_ratio + (ratio - mean_ratio) * np.exp(-ahead_hours / RELAXATION_HOURS))
        surplus_w = np.maximum(expected_w - day.load_w, 0.0)
    surplus_w[now] = day.surplus_w[now]
    return np.asarray(surplus_w)
