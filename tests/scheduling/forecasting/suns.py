"""Suns that tests make: a half sine by day, with clouds that change slowly, on the planning grid."""

import numpy as np

from app.scheduling.forecasting.series import SLOTS_PER_DAY, Series

FIRST = 20_000 * SLOTS_PER_DAY
PEAK_W = 10_000.0


def clear_day_w(peak_w: float = PEAK_W) -> np.ndarray:
    """A day of the clear sky: from slot 24 to slot 72."""
    return peak_w * np.maximum(0.0, np.sin((np.arange(SLOTS_PER_DAY) + 0.5 - 24) / 48 * np.pi))


def clear_series(days: int) -> Series:
    return Series(FIRST, np.tile(clear_day_w(), days))


def cloudy(days: int, seed: int = 1) -> Series:
    """Days whose index wanders between 0.1 and 1 with a memory of some hours; some days are clear."""
    rng = np.random.default_rng(seed)
    index = np.empty(days * SLOTS_PER_DAY)
    level = 0.7
    for slot in range(len(index)):
        if slot % SLOTS_PER_DAY == 0:
            usual = 1.0 if rng.random() < 0.4 else rng.uniform(0.3, 0.9)
        level += 0.1 * (usual - level) + rng.normal(0, 0.04) * (usual < 1)
        index[slot] = min(1.0, max(0.1, level))
    return Series(FIRST, np.tile(clear_day_w(), days) * index)
