"""The clear sky that a site's own history shows: what its brightest days of late gave at every time of the day."""

import numpy as np

from app.scheduling.forecasting.series import SLOTS_PER_DAY, Powers, Series

DAYS_COUNT = 20
BRIGHT_SHARE = 0.95
BEHIND_DAYS_COUNT = 3  # what is told of the day after tomorrow is known today
YOUNG_DAYS_COUNT = 7  # with less history, yesterday counts too
NEIGHBOUR_WEIGHTS_SHARE = (0.25, 0.5, 0.25)


def envelope_w(pv: Series, first: int, until: int, behind_days_count: int = BEHIND_DAYS_COUNT) -> Series:
    """Return the clear sky of the slots in [first, until): of each, the 95th percentile of 20 days before at that time.

    The youngest of these days lies `behind_days_count` days before, so that a slot's clear sky was known when it was
    forecast. Neighbouring slots are averaged a little. NaN where there is no such day.
    """
    first_day, until_day = first // SLOTS_PER_DAY, -(-until // SLOTS_PER_DAY)
    oldest_day = first_day - behind_days_count - DAYS_COUNT + 1
    history_w = pv.window_w(oldest_day * SLOTS_PER_DAY, (until_day - behind_days_count) * SLOTS_PER_DAY)
    by_day_w = history_w.reshape(-1, SLOTS_PER_DAY)
    windows_w = np.lib.stride_tricks.sliding_window_view(by_day_w, DAYS_COUNT, axis=0)  # days × 96 × 20
    clear_w = _smooth(_percentile_w(windows_w).reshape(-1))
    start = first_day * SLOTS_PER_DAY
    return Series(first, clear_w[first - start : until - start])


def _percentile_w(windows_w: Powers) -> Powers:
    """Return the percentile of what is known along the last axis."""
    sorted_w = np.sort(windows_w, axis=-1)  # NaN last
    known_count = np.isfinite(windows_w).sum(axis=-1)
    places = np.maximum(0, np.ceil(BRIGHT_SHARE * known_count).astype(int) - 1)
    return np.take_along_axis(sorted_w, places[..., None], axis=-1)[..., 0]


def _smooth(clear_w: Powers) -> Powers:
    padded_w = np.concatenate([clear_w[:1], clear_w, clear_w[-1:]])
    smooth_w = sum(
        share * padded_w[place : place + len(clear_w)] for place, share in enumerate(NEIGHBOUR_WEIGHTS_SHARE)
    )
    return np.where(np.isfinite(smooth_w), smooth_w, clear_w)
