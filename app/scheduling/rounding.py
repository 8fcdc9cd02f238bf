"""From mean powers to limits: an AC car takes 0 or at least 6 A, so small powers are given in turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from app.domain.units import energy_wh

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SHORTEST_TURN = timedelta(minutes=5)
TIGHT = timedelta(minutes=30)
HALF = 0.5
GUARD_W = 1.0


@dataclass(frozen=True, slots=True)
class Wish:
    """The planned mean power of a session in the current slot, and what its limit and its urgency are.

    `must_w` is what of its power is not to be taken for another one's turn, `floor_w` what its EVSE is counted with in
    any case.
    """

    key: str
    power_w: float
    min_power_w: float
    max_power_w: float
    limit_w: float | None
    switched_at: datetime | None
    need_wh: float
    departs_at: datetime
    must_w: float = 0.0
    floor_w: float = 0.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """Wishes side by side; see `Wish`. `is_on`: it may charge by the limit in force, `is_fresh`: switched lately."""

    power_w: Floats
    min_w: Floats
    max_w: Floats
    is_on: Flags
    is_fresh: Flags
    spare_wh: Floats
    must_w: Floats
    floor_w: Floats


def round_targets(
    wishes: Sequence[Wish], *, room_w: float, now: datetime, start_share: float = HALF
) -> dict[str, float]:
    """Return a limit per session: 0 or between its minimum and maximum; see `round_powers`."""
    ordered = sorted(wishes, key=lambda each: each.key)
    columns = Wishes(
        power_w=np.array([each.power_w for each in ordered], dtype=float),
        min_w=np.array([each.min_power_w for each in ordered], dtype=float),
        max_w=np.array([each.max_power_w for each in ordered], dtype=float),
        is_on=np.array([_is_on(each) for each in ordered], dtype=bool),
        is_fresh=np.array([_is_fresh(each, now) for each in ordered], dtype=bool),
        spare_wh=np.array([_spare_wh(each, now) for each in ordered], dtype=float),
        must_w=np.array([each.must_w for each in ordered], dtype=float),
        floor_w=np.array([each.floor_w for each in ordered], dtype=float),
    )
    targets_w = round_powers(columns, room_w=room_w, start_share=start_share).tolist()
    return {each.key: target_w for each, target_w in zip(ordered, targets_w, strict=True)}


def round_powers(wishes: Wishes, *, room_w: float, start_share: float = HALF) -> Floats:
    """Return a limit per wish: 0 or between its minimum and maximum; their sum follows the planned sum.

    `room_w` is what all plugged-in EVSEs together may be allowed. Who is on stays on for at least 5 minutes and who is
    off stays off for as long, unless the plan gives it its full power (it is late). Who is off begins where at least
    `start_share` of its minimum is left to give, and where it fits with the others at their minimum: where the planned
    powers fit the room, only those who have to stay on may exceed it. Of equal ones the first one here goes first.
    """
    is_small = wishes.power_w < wishes.min_w
    targets_w: Floats = np.where(is_small, 0.0, np.minimum(wishes.power_w, wishes.max_w))
    owed_w = _turns_w(wishes, is_small, targets_w, room_w, start_share)
    _spread(wishes, targets_w, owed_w)
    _fit(wishes, targets_w, room_w)
    return targets_w


def _is_on(wish: Wish) -> bool:
    return wish.limit_w is not None and wish.limit_w >= wish.min_power_w


def _is_fresh(wish: Wish, now: datetime) -> bool:
    return wish.switched_at is not None and now - wish.switched_at < SHORTEST_TURN


def _spare_wh(wish: Wish, now: datetime) -> float:
    """Return how much more the session could still take by departure than it needs."""
    return energy_wh(wish.max_power_w, wish.departs_at - now) - wish.need_wh


def _turns_w(wishes: Wishes, is_small: Flags, targets_w: Floats, room_w: float, start_share: float) -> float:
    """Give small powers in turns: first those that must stay on, then those that are on, then the least to spare.

    Returns what is still owed then (negative: given too much).
    """
    owed_w = float(wishes.power_w[is_small].sum())
    must_stay = wishes.is_on & wishes.is_fresh
    may_be_on = must_stay | ((wishes.is_on | ~wishes.is_fresh) & (wishes.power_w > GUARD_W))
    small = np.flatnonzero(is_small & may_be_on)
    order = np.lexsort((wishes.spare_wh[small], ~wishes.is_on[small], ~must_stay[small]))
    smallest_w = float(wishes.min_w[small].min(initial=np.inf)) * min(HALF, start_share)
    least_w = float(np.maximum(np.where(is_small, 0.0, wishes.min_w), wishes.floor_w).sum())
    for place in small[order].tolist():
        if not must_stay[place] and owed_w < smallest_w:
            break
        min_w = float(wishes.min_w[place])
        more_w = max(0.0, min_w - float(wishes.floor_w[place]))
        wants = owed_w >= (HALF if wishes.is_on[place] else start_share) * min_w
        if must_stay[place] or (wants and least_w + more_w <= room_w + GUARD_W):
            least_w += more_w
            targets_w[place] = min_w
            owed_w -= min_w
    return owed_w


def _spread(wishes: Wishes, targets_w: Floats, owed_w: float) -> None:
    """Give what is still owed to sessions that are on, or take what was given too much, within their bounds.

    Taken from those with the most to spare; from those with less than half an hour to spare nothing is taken.
    """
    is_open = targets_w > 0
    if owed_w < 0:
        is_open &= wishes.spare_wh >= wishes.max_w * (TIGHT.total_seconds() / 3600)
    order = np.argsort(-wishes.spare_wh, kind="stable")
    for place in order[is_open[order]].tolist():
        if abs(owed_w) <= GUARD_W:
            return
        least_w = max(wishes.min_w[place], min(wishes.must_w[place], targets_w[place]))
        wanted_w = min(wishes.max_w[place], max(least_w, targets_w[place] + owed_w))
        owed_w -= float(wanted_w - targets_w[place])
        targets_w[place] = wanted_w


def _fit(wishes: Wishes, targets_w: Floats, room_w: float) -> None:
    """Lower those with the most to spare until all fit into the site's room; every EVSE counts at least its default."""
    excess_w = float(np.maximum(targets_w, wishes.floor_w).sum()) - room_w
    if excess_w <= GUARD_W:
        return
    for place in np.argsort(-wishes.spare_wh, kind="stable").tolist():
        if excess_w <= GUARD_W:
            return
        least_w = max(wishes.min_w[place], wishes.floor_w[place])
        lowered_w = max(least_w, targets_w[place] - excess_w)
        if targets_w[place] > lowered_w:
            excess_w -= float(targets_w[place] - lowered_w)
            targets_w[place] = lowered_w
