"""From mean powers to limits: an AC car takes 0 or at least 6 A, so small powers are given in turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.units import energy_wh

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


def round_targets(
    wishes: Sequence[Wish], *, room_w: float, now: datetime, start_share: float = HALF
) -> dict[str, float]:
    """Return a limit per session: 0 or between its minimum and maximum; their sum follows the planned sum.

    `room_w` is what all plugged-in EVSEs together may be allowed. Who is on stays on for at least 5 minutes and who is
    off stays off for as long, unless the plan gives it its full power (it is late). Who is off begins where at least
    `start_share` of its minimum is left to give, and where it fits with the others at their minimum: where the planned
    powers fit the room, only those who have to stay on may exceed it.
    """
    targets_w = {wish.key: min(wish.power_w, wish.max_power_w) for wish in wishes if wish.power_w >= wish.min_power_w}
    small = [wish for wish in wishes if wish.key not in targets_w]
    owed_w = sum(wish.power_w for wish in small)
    least_w = sum(max(wish.min_power_w if wish.key in targets_w else 0.0, wish.floor_w) for wish in wishes)
    for wish in sorted(small, key=lambda each: _turn(each, now)):
        must_stay = _is_on(wish) and _is_fresh(wish, now)
        may_start = _is_on(wish) or not _is_fresh(wish, now)
        wants = wish.power_w > GUARD_W and owed_w >= (HALF if _is_on(wish) else start_share) * wish.min_power_w
        more_w = max(0.0, wish.min_power_w - wish.floor_w)
        fits = least_w + more_w <= room_w + GUARD_W
        if must_stay or (may_start and wants and fits):
            least_w += more_w
            targets_w[wish.key] = wish.min_power_w
            owed_w -= wish.min_power_w
        else:
            targets_w[wish.key] = 0.0
    _spread(wishes, targets_w, owed_w, now)
    _fit(wishes, targets_w, room_w, now)
    return targets_w


def _is_on(wish: Wish) -> bool:
    return wish.limit_w is not None and wish.limit_w >= wish.min_power_w


def _is_fresh(wish: Wish, now: datetime) -> bool:
    return wish.switched_at is not None and now - wish.switched_at < SHORTEST_TURN


def _turn(wish: Wish, now: datetime) -> tuple[bool, bool, float, str]:
    """Whose turn it is: those that must stay on, those that are on, then the least to spare."""
    return (not (_is_on(wish) and _is_fresh(wish, now)), not _is_on(wish), _spare_wh(wish, now), wish.key)


def _spare_wh(wish: Wish, now: datetime) -> float:
    """Return how much more the session could still take by departure than it needs."""
    return energy_wh(wish.max_power_w, wish.departs_at - now) - wish.need_wh


def _spread(wishes: Sequence[Wish], targets_w: dict[str, float], owed_w: float, now: datetime) -> None:
    """Give what is still owed to sessions that are on, or take what was given too much, within their bounds.

    Taken from those with the most to spare; from those with less than half an hour to spare nothing is taken.
    """
    spare_wh = {wish.key: _spare_wh(wish, now) for wish in wishes}
    for wish in sorted(wishes, key=lambda each: (-spare_wh[each.key], each.key)):
        if abs(owed_w) <= GUARD_W:
            return
        is_tight = spare_wh[wish.key] < energy_wh(wish.max_power_w, TIGHT)
        if targets_w[wish.key] <= 0 or (owed_w < 0 and is_tight):
            continue
        least_w = max(wish.min_power_w, min(wish.must_w, targets_w[wish.key]))
        wanted_w = min(wish.max_power_w, max(least_w, targets_w[wish.key] + owed_w))
        owed_w -= wanted_w - targets_w[wish.key]
        targets_w[wish.key] = wanted_w


def _fit(wishes: Sequence[Wish], targets_w: dict[str, float], room_w: float, now: datetime) -> None:
    """Lower those with the most to spare until all fit into the site's room; every EVSE counts at least its default."""
    used_w = sum(max(targets_w[wish.key], wish.floor_w) for wish in wishes)
    for wish in sorted(wishes, key=lambda each: (-_spare_wh(each, now), each.key)):
        excess_w = used_w - room_w
        if excess_w <= GUARD_W:
            return
        least_w = max(wish.min_power_w, wish.floor_w)
        lowered_w = max(least_w, targets_w[wish.key] - excess_w)
        if targets_w[wish.key] > lowered_w:
            used_w -= targets_w[wish.key] - lowered_w
            targets_w[wish.key] = lowered_w
