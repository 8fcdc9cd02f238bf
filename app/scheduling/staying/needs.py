"""What cars really take of what is asked for: the driver's and the site's earlier stays, given what was taken so far.

Who left before the departure that was said, without all that was asked for, may have wanted more: such a stay tells
only that it was at least so much (Kaplan and Meier, 1958). Otherwise saving energy for early leavers would teach that
they need less.
"""

from collections.abc import Sequence

import numpy as np

from app.domain.stays import Guest, NeedBlock
from app.scheduling.staying.curves import Points
from app.scheduling.staying.visits import Numbers, Truths, Visits

CELLS_COUNT = 16
LEVELS_SHARE = (0.2, 0.5, 0.8)
SITE_POINTS_COUNT = 20
SITE_WEIGHT = 3.0
SITE_GROWTH_COUNT = 10.0
DRIVER_POINTS_COUNT = 30
FULL_SHARE = 0.98
LEAST_WH = 1.0
LARGEST_RATIO_SHARE = 3.0


def is_cut_short(visits: Visits) -> Truths:
    """Return which stays may have wanted more than they took: gone before the time said, with less than asked for."""
    return (np.floor(visits.left) < np.floor(visits.declared)) & ~(visits.taken_wh >= FULL_SHARE * visits.asked_wh)


def survival(amounts: Numbers, weights: Numbers, is_least: Truths, at: Numbers) -> Numbers:
    """Return, per row, the probability that an amount is `at` or more; columns of weight 0 are ignored.

    Amounts, weights, `is_least` (an amount that may have been more) are (rows, points); `at` is (rows, places). Where
    nothing is known any more (behind the largest amount that was cut short) the last value stays.
    """
    order = np.argsort(np.where(weights > 0, amounts, np.inf), axis=1, kind="stable")
    amounts = np.take_along_axis(amounts, order, axis=1)
    weights = np.take_along_axis(weights, order, axis=1)
    is_least = np.take_along_axis(is_least, order, axis=1)
    at_risk = weights[:, ::-1].cumsum(axis=1)[:, ::-1]
    ended = np.where(is_least, 0.0, weights) / np.maximum(at_risk, 1e-12)
    shares = np.cumprod(1.0 - np.minimum(ended, 1.0), axis=1)
    shares = np.concatenate([np.ones((len(amounts), 1)), shares], axis=1)
    below = (np.where(weights > 0, amounts, np.inf)[:, :, None] < at[:, None, :]).sum(axis=1)
    return np.take_along_axis(shares, below, axis=1)


def site_ratios(visits: Visits) -> tuple[Numbers, float]:
    """Return 20 equally likely shares of what is asked for that are taken here, and how far they are to be trusted."""
    is_told = (visits.asked_wh > LEAST_WH) & np.isfinite(visits.asked_wh)
    told = visits.chosen(is_told)
    if not len(told):
        return np.ones(SITE_POINTS_COUNT), 0.0
    ratios_share = np.minimum(told.taken_wh / told.asked_wh, LARGEST_RATIO_SHARE)
    places = np.linspace(0.0, LARGEST_RATIO_SHARE, 301)[None, :]
    shares = survival(ratios_share[None, :], np.ones((1, len(told))), is_cut_short(told)[None, :], places)[0]
    levels_share = (np.arange(SITE_POINTS_COUNT) + 0.5) / SITE_POINTS_COUNT
    return np.array([places[0, int((shares > level).sum()) - 1] for level in levels_share]), len(told) / (
        len(told) + SITE_GROWTH_COUNT
    )


def blocks_of(
    guests: Sequence[Guest], subjects: Visits, past: Visits, points: Points, ratios: tuple[Numbers, float]
) -> list[tuple[NeedBlock, ...]]:
    """Return what each guest still wants in up to four parts, the surest first; they add up to what was asked for.

    Empty where nothing was asked for or nothing is left; one part of share 1 where the need is known.
    """
    left_wh = np.nan_to_num(subjects.asked_wh - subjects.taken_wh)
    amounts, weights, is_least = _amounts(subjects, past, points, ratios)
    middles_share = (np.arange(CELLS_COUNT) + 0.5) / CELLS_COUNT
    at = subjects.taken_wh[:, None] + np.maximum(left_wh, 0.0)[:, None] * middles_share
    now_share = survival(amounts, weights, is_least, subjects.taken_wh[:, None])
    shares = survival(amounts, weights, is_least, at)
    shares = np.where(now_share > 0, shares / np.maximum(now_share, 1e-9), 1.0)
    parts = _parts(np.clip(shares, 0.0, 1.0))
    return [
        ()
        if wh < LEAST_WH
        else (NeedBlock(wh, 1.0),)
        if guest.is_need_known
        else tuple(NeedBlock(wh * of_wh_share, share) for of_wh_share, share in row)
        for guest, wh, row in zip(guests, left_wh.tolist(), parts, strict=True)
    ]


def _amounts(
    subjects: Visits, past: Visits, points: Points, ratios: tuple[Numbers, float]
) -> tuple[Numbers, Numbers, Truths]:
    """Return what each guest may take in all as weighted points: as the driver did, by share and in kWh, as here."""
    count = len(subjects)
    back = np.arange(len(points.owner)) - np.searchsorted(points.owner, points.owner, side="left")
    is_new = back < DRIVER_POINTS_COUNT
    owner, stay, weight, back = points.owner[is_new], points.stay[is_new], points.weight[is_new], back[is_new]
    width = 2 * DRIVER_POINTS_COUNT + SITE_POINTS_COUNT
    amounts, weights = np.zeros((count, width)), np.zeros((count, width))
    is_least = np.zeros((count, width), dtype=bool)
    stays = past.chosen(stay)
    by_ratio_wh = stays.taken_wh / np.maximum(stays.asked_wh, LEAST_WH) * subjects.asked_wh[owner]
    for first, amount_wh in ((0, stays.taken_wh), (DRIVER_POINTS_COUNT, by_ratio_wh)):
        is_told = np.isfinite(amount_wh)
        amounts[owner, first + back] = np.nan_to_num(amount_wh)
        weights[owner, first + back] = np.where(is_told, weight, 0.0)
        is_least[owner, first + back] = is_cut_short(stays)
    amounts[:, 2 * DRIVER_POINTS_COUNT :] = np.nan_to_num(subjects.asked_wh)[:, None] * ratios[0]
    weights[:, 2 * DRIVER_POINTS_COUNT :] = SITE_WEIGHT * ratios[1] / SITE_POINTS_COUNT
    return amounts, weights, is_least


def _parts(shares: Numbers) -> list[list[tuple[float, float]]]:
    """Return, per row, parts of what is left and how sure each is: cells that are about as sure are joined."""
    levels = np.searchsorted(LEVELS_SHARE, shares, side="right")
    found: list[list[tuple[float, float]]] = [[] for _ in shares]
    for level in range(len(LEVELS_SHARE), -1, -1):
        is_here = levels == level
        counts = is_here.sum(axis=1)
        means = np.where(is_here, shares, 0.0).sum(axis=1) / np.maximum(counts, 1)
        for row in np.flatnonzero(counts).tolist():
            found[row].append((float(counts[row]) / CELLS_COUNT, float(means[row])))
    return found
