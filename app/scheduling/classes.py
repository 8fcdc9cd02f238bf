"""Many cars as few: exact classes, solved as one, and spread over their cars again.

In units of what it takes in a whole slot, a car with need e between two levels a <= e <= b takes part with the weight
(b - e) / (b - a) in a car of need a and with the rest in a car of need b. Cars of one level and one window (whatever
their power, which only scales them) add up to one. With equal slots the levels m and m + 1 around e lose nothing: the
energy that a car can take in a set of slots S, min(e, |S|), is linear between whole numbers, and the slot totals that
cars can reach together are those under the sum of these bounds (a polymatroid). A first slot that lasts f of a slot
adds the levels m + f, for the bound is min(e, |S| + f) where it is in S. Levels left out, an end rounded down, a share
of free power rounded down only take something away: whatever a class is planned, its cars can follow.

They follow it in proportion to their weights: of what a class takes in a slot every car gets its part, so that no car
is above its power, none above its need, and the totals are the class's. What is not alike is only what it costs: a
class has the mean of its cars' risk curves.
"""

from dataclasses import dataclass

import numpy as np

from app.scheduling import goals
from app.scheduling.cars import Cars, Curves, Flags, Floats, Outcome
from app.scheduling.flow import Blocks, Ints
from app.scheduling.instance import Slots, Takers, joined, kept_above_w, takers_of

SLOT_S = 900.0
FINE_S, KEPT_SHARE = 300.0, 0.6
MOST_CLASSES_COUNT = 1750
PROBES_H = (1, 2, 3, 4, 6, 8, 12, 16)
COARSE_LEVELS = (0, 1, 2, 4, 8, 16, 32, 64, 144)
IDLE_LEVELS = np.array([0, 1, 4, 16, 1000])
CHUNK_COUNT = 8192
LEVEL_CODES, IDLE_CODE = 1000, 900
ROUNDING_WH = 2.0
"""What whole Wh may take off a class in each slot, once below its default and once above."""
GUARD_RATIO = 1e-9


@dataclass(frozen=True, slots=True)
class Grain:
    """How finely cars are told apart: risk curves, ends in slots doubled so often, all levels, free power in parts."""

    risk_count: int
    end_doublings_count: int
    has_all_levels: bool
    free_parts_count: int


GRAINS = (
    Grain(1, 6, False, 1),
    Grain(2, 5, False, 1),
    Grain(3, 5, False, 1),
    Grain(4, 5, False, 1),
    Grain(8, 4, False, 1),
    Grain(16, 4, False, 1),
    Grain(32, 3, False, 1),
    Grain(64, 2, False, 3),
    Grain(128, 1, True, 6),
    Grain(1 << 20, 0, True, 1 << 12),
)


@dataclass(frozen=True, slots=True)
class Classes:
    """Takers that stand for cars: a car's rows in them (`low`, `high`), its share of these, and what it misses anyway.

    Behind the classes come the takers that stand for themselves (bookings, groups that are expected).
    """

    takers: Takers
    low: Ints
    high: Ints
    low_share: Floats
    high_share: Floats
    beyond_wh: Floats
    count: int


@dataclass(frozen=True, slots=True)
class _Parts:
    """Every car's part in a lower level (first half) and a higher one (second half) of its class.

    `kind` is the place in `kinds`, the pairs of class and level that carry a need; a part of weight 0 has none.
    """

    end_s: Floats
    kinds: Ints
    kind: Ints
    weight: Floats
    level: Floats


def classes_of(cars: Cars, gone: Curves, times: Slots, most_count: int = MOST_CLASSES_COUNT) -> Classes:
    """Return the cars as classes, told apart as finely as `most_count` allows."""
    count = len(cars.demands)
    cap_wh = cars.max_w[:count] * (SLOT_S / 3600)
    reach_wh = cars.max_w[:count] * np.minimum(cars.end_s[:count], times.end_s[-1]) / 3600
    energy_wh = np.minimum(cars.need_wh[:count], reach_wh)
    need_slots = energy_wh / np.maximum(cap_wh, GUARD_RATIO)
    chosen = _told_apart(cars, gone, times, need_slots, GRAINS[0])
    for grain in GRAINS[1:]:
        finer = _told_apart(cars, gone, times, need_slots, grain)
        if len(finer.kinds) > most_count:
            break
        chosen = finer
    return _classes(cars, gone, chosen, cars.need_wh[:count] - energy_wh)


def spread(classes: Classes, outcome: Outcome) -> Outcome:
    """Return what the classes' solution means for every car; energy in single precision, for there may be many."""
    rows, slots = len(classes.low), outcome.energy_wh.shape[1]
    alone = len(classes.takers.end_s) - classes.count
    energy_wh = np.zeros((rows + alone, slots), dtype=np.float32)
    for start in range(0, rows, CHUNK_COUNT):
        part = slice(start, min(rows, start + CHUNK_COUNT))
        of_low = classes.low_share[part, None] * outcome.energy_wh[classes.low[part]]
        energy_wh[part] = of_low + classes.high_share[part, None] * outcome.energy_wh[classes.high[part]]
    energy_wh[rows:] = outcome.energy_wh[classes.count :]
    missed_wh = outcome.unmet_wh
    of_low_wh, of_high_wh = classes.low_share * missed_wh[classes.low], classes.high_share * missed_wh[classes.high]
    unmet_wh = np.concatenate([classes.beyond_wh + of_low_wh + of_high_wh, missed_wh[classes.count :]])
    window_slots = np.append(classes.takers.end_s[: classes.count] / SLOT_S + 2, 0.0)
    slack_wh = 1.0 + ROUNDING_WH * (
        classes.low_share * window_slots[classes.low] + classes.high_share * window_slots[classes.high]
    )
    return Outcome(energy_wh, unmet_wh, outcome.grid_wh, outcome.is_full, np.concatenate([slack_wh, np.ones(alone)]))


def _told_apart(cars: Cars, gone: Curves, times: Slots, need_slots: Floats, grain: Grain) -> _Parts:
    count = len(cars.demands)
    end_s = _ends(cars.end_s[:count], times, need_slots, grain.end_doublings_count)
    free_part = np.floor(_free_share(cars) * grain.free_parts_count + GUARD_RATIO).astype(np.int64)
    key = np.round(end_s).astype(np.int64)
    branch_count = int(cars.branch.max(initial=-1)) + 2
    risk = risk_classes(gone, grain.risk_count)
    for column, count_of in (
        (cars.branch[:count] + 1, branch_count),
        (free_part, grain.free_parts_count + 1),
        (risk[gone.row], len(risk) + 1),
        (cars.has_outlook.astype(np.int64), 2),
    ):
        key = key * count_of + column
    low, high, weight = _levels_around(end_s, times, need_slots, has_all=grain.has_all_levels)
    class_of = np.unique(key, return_inverse=True)[1].reshape(-1)
    codes = np.concatenate([class_of * LEVEL_CODES + low[0], class_of * LEVEL_CODES + high[0]])
    level = np.concatenate([low[1], high[1]])
    weight = np.where(level > GUARD_RATIO, np.concatenate([1.0 - weight, weight]), 0.0)
    weight[weight <= GUARD_RATIO] = 0.0
    kinds = np.unique(codes[weight > 0]) if (weight > 0).any() else codes[:1]
    kind = np.minimum(np.searchsorted(kinds, codes), len(kinds) - 1)
    return _Parts(end_s, kinds, kind, weight, level)


def _levels_around(
    end_s: Floats, times: Slots, need_slots: Floats, *, has_all: bool
) -> tuple[tuple[Ints, Floats], tuple[Ints, Floats], Floats]:
    """Return the levels below and above every need, as codes and in slots, and the weight of the one above.

    Levels are counted from nothing, and backwards from a stay without a slot to spare.
    """
    grid = _levels(float(times.end_s[0]) / SLOT_S, len(times.end_s), has_all=has_all)
    most = end_s / SLOT_S
    need = np.minimum(need_slots, most)
    low = np.clip(np.searchsorted(grid, need, side="right") - 1, 0, len(grid) - 2)
    idle = np.clip(np.searchsorted(IDLE_LEVELS, most - need, side="right") - 1, 0, len(IDLE_LEVELS) - 2)
    below, above = most - IDLE_LEVELS[idle + 1], most - IDLE_LEVELS[idle]
    from_top, to_top = below > grid[low] + GUARD_RATIO, above < grid[low + 1] - GUARD_RATIO
    low_level, high_level = np.where(from_top, below, grid[low]), np.where(to_top, above, grid[low + 1])
    weight = np.clip((need - low_level) / np.maximum(high_level - low_level, GUARD_RATIO), 0.0, 1.0)
    low_code, high_code = np.where(from_top, IDLE_CODE + idle + 1, low), np.where(to_top, IDLE_CODE + idle, low + 1)
    return (low_code, low_level), (high_code, high_level), weight


def _levels(first_share: float, count: int, *, has_all: bool) -> Floats:
    """Return the needs in slots between which cars' needs lie: whole slots, and with a first one cut short."""
    if not has_all:
        return np.append(0.0, np.array(COARSE_LEVELS) + first_share)
    whole = np.arange(count + 2)
    return np.unique(np.round(np.concatenate([whole, whole + first_share]), 9))


def _ends(end_s: Floats, times: Slots, need_slots: Floats, doublings: int) -> Floats:
    """Return the ends rounded down to the slots' ends, the more the more time there is to spare."""
    rounded, need_s, origin_s = end_s.copy(), need_slots * SLOT_S, float(times.end_s[0])
    for step_s, kept_share in (
        (FINE_S, 0.0),
        (SLOT_S, 0.0),
        *((SLOT_S * 2**n, KEPT_SHARE) for n in range(1, doublings + 1)),
    ):
        coarse = origin_s + np.floor((end_s - origin_s) / step_s + GUARD_RATIO) * step_s
        is_enough = (coarse - need_s >= kept_share * (end_s - need_s) - GUARD_RATIO) & (coarse > 0)
        rounded = np.where(is_enough, coarse, rounded)
    return np.minimum(rounded, end_s)


def _free_share(cars: Cars) -> Floats:
    count = len(cars.demands)
    share: Floats = np.minimum(cars.free_w[:count], cars.max_w[:count]) / np.maximum(cars.max_w[:count], GUARD_RATIO)
    return share


def risk_classes(gone: Curves, most_count: int) -> Ints:
    """Return a class per curve: the widest class is cut at its middle until there are `most_count`.

    How wide a class is, is the widest span of its curves at some hours ahead.
    """
    probes = np.minimum(np.array(PROBES_H) * 4, gone.shares.shape[1] - 1)
    points = gone.shares[:, probes] - gone.shares[:, :1]
    kinds, of = np.unique(np.round(points, 6), axis=0, return_inverse=True)
    if len(kinds) <= most_count:
        return of.reshape(-1).astype(np.int64)
    groups = [np.arange(len(kinds))]
    while len(groups) < most_count:
        spans = [float(np.ptp(kinds[group], axis=0).max()) for group in groups]
        group = groups.pop(int(np.argmax(spans)))
        axis = int(np.argmax(np.ptp(kinds[group], axis=0)))
        middle = (kinds[group, axis].min() + kinds[group, axis].max()) / 2
        groups += [group[kinds[group, axis] <= middle], group[kinds[group, axis] > middle]]
    labels = np.zeros(len(kinds), dtype=np.int64)
    for number, group in enumerate(groups):
        labels[group] = number
    return labels[of.reshape(-1)]


def _classes(cars: Cars, gone: Curves, parts: _Parts, beyond_wh: Floats) -> Classes:
    count, kinds, kind, weight = len(cars.demands), len(parts.kinds), parts.kind, parts.weight
    both = np.concatenate([np.arange(count)] * 2)
    max_w, free_w = cars.max_w[:count], cars.free_w[:count]
    kept_w = kept_above_w(max_w, free_w, cars.limit_w[:count])
    is_used: Flags = weight > 0
    level, place = np.zeros(kinds), np.zeros(kinds, dtype=np.int64)
    level[kind[is_used]], place[kind[is_used]] = parts.level[is_used], both[is_used]
    free_share = np.ones(kinds)
    np.minimum.at(free_share, kind[is_used], _free_share(cars)[both][is_used])
    of_w = weight * max_w[both]
    total_w = np.bincount(kind, of_w, kinds).astype(np.float64)
    kept_total_w = np.bincount(kind, weight * kept_w[both], kinds)
    takers = Takers(
        start_s=np.zeros(kinds),
        end_s=parts.end_s[place],
        max_w=total_w,
        free_w=total_w * free_share,
        kept_w=np.minimum(kept_total_w, total_w * (1.0 - free_share)),
        branch=cars.branch[place],
        is_here=np.ones(kinds, dtype=bool),
        has_buffer=~cars.has_outlook[place],
        gone=_mean_curves(gone, kind, of_w, kinds),
        blocks=Blocks(
            np.arange(kinds),
            np.floor(level * total_w * (SLOT_S / 3600) + GUARD_RATIO).astype(np.int64),
            np.full(kinds, goals.UNMET_COST),
        ),
        block_share=np.ones(kinds),
    )
    share = of_w / np.maximum(total_w[kind], GUARD_RATIO)
    alone = takers_of(cars, gone, count)
    return Classes(joined(takers, alone), kind[:count], kind[count:], share[:count], share[count:], beyond_wh, kinds)


def _mean_curves(gone: Curves, kind: Ints, weight: Floats, count: int) -> Floats:
    """Return the weighted mean of the curves of each class."""
    rows = len(gone.shares)
    pairs, of = np.unique(kind * rows + np.concatenate([gone.row] * 2), return_inverse=True)
    weights = np.bincount(of.reshape(-1), weight, len(pairs))
    owner = pairs // rows
    share = weights / np.maximum(np.bincount(owner, weights, count)[owner], GUARD_RATIO)
    means = np.zeros((count, gone.shares.shape[1]))
    for start in range(0, len(pairs), CHUNK_COUNT):
        part = slice(start, start + CHUNK_COUNT)
        present, starts = np.unique(owner[part], return_index=True)
        means[present] += np.add.reduceat(share[part, None] * gone.shares[pairs[part] % rows], starts, axis=0)
    return means
