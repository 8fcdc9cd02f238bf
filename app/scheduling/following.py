"""Between two plans: the site's total follows the measured sun, and everybody's limit follows the site's total.

The plan says what every session gets in the current slot, what of it must come from wherever (`must_w`) and which sun
it reckoned with. `follow` keeps what must be, takes back what was meant to come from sun that is not there, and fills
what sun there is beyond the plan into those who still want energy, soonest first. Then small powers take turns, and
limits that are nearly right stay as they are: messages and contactors are not free.

It only says what is wanted. What may be sent is the allocator's to say (`app.scheduling.allocation`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.limits import EvseLedger, LimitEntry
from app.domain.snapshot import EvseSpec
from app.domain.units import mean_power_w
from app.scheduling.feeders import Grid, Sums
from app.scheduling.filling import Water
from app.scheduling.ledger import base_w
from app.scheduling.orders import by_session, in_force
from app.scheduling.rounding import SHORTEST_TURN, Wish, round_targets

CALM_SHARE = 0.2
SAME_SHARE = 0.02
START_SHARE = 0.7
LEAST_STEP_W = 200.0
RAISE_PACE = timedelta(seconds=30)
LOWER_PACE = timedelta(seconds=15)
SOONEST = timedelta(minutes=15)
GUARD_W = 1e-3


@dataclass(frozen=True, slots=True)
class Claim:
    """What a plugged-in session may claim of the site's power until the next plan.

    `planned_w` is the plan's mean power in the current slot, `must_w` the part of it that its departure depends on.
    `max_power_w` is 0 where nothing more is needed. `limit_w` is the limit accepted last (None: only the default
    holds), `switched_at` when that last went from or to zero, `sent_at` when an order was last written for it.
    `is_steerable` says that limits can be sent there now: else it keeps what it has.
    """

    evse_id: int
    session_id: str
    planned_w: float
    must_w: float
    min_power_w: float
    max_power_w: float
    need_wh: float
    departs_at: datetime
    limit_w: float | None = None
    switched_at: datetime | None = None
    sent_at: datetime | None = None
    is_steerable: bool = True

    @property
    def highest_w(self) -> float:
        """The highest limit that makes sense: where the car takes less than the EVSE's minimum, that minimum."""
        return max(self.max_power_w, self.min_power_w) if self.max_power_w > 0 else 0.0

    @property
    def is_on(self) -> bool:
        """Whether it may charge by the limit accepted last."""
        return self.limit_w is not None and self.limit_w > 0


@dataclass(frozen=True, slots=True)
class Line:
    """What the plan says of a session for now, as far as following needs it; see `Claim`."""

    evse_id: int
    session_id: str
    planned_w: float
    must_w: float
    most_w: float
    need_wh: float
    departs_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sun:
    """The surplus that the plan reckoned with for now, and the measured one (None: no fresh reading), in W."""

    expected_w: float
    measured_w: float | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """What there is room for: the rows, what each EVSE counts with in them whatever is wanted there (its floor).

    `most_w` is what all claims together may take at most (the demand guard's cap; none: infinite).
    """

    grid: Grid
    floors_w: Mapping[int, float]
    most_w: float = float("inf")


def claims_of(
    lines: Sequence[Line],
    evses: Sequence[EvseSpec],
    entries: Sequence[LimitEntry],
    newest: Mapping[str, LimitEntry],
    now: datetime,
) -> list[Claim]:
    """Return the claims that lines make, with what the books say of their limits (see `orders.aims`)."""
    specs = {evse.evse_id: evse for evse in evses}
    of_session = by_session(entries)
    claims = []
    for line in lines:
        spec, last = specs[line.evse_id], newest.get(line.session_id)
        accepted = in_force(of_session.get(line.session_id, ()), now)
        claims.append(
            Claim(
                evse_id=line.evse_id,
                session_id=line.session_id,
                planned_w=line.planned_w,
                must_w=line.must_w,
                min_power_w=spec.min_power_w,
                max_power_w=min(line.most_w, spec.usable_w),
                need_wh=line.need_wh,
                departs_at=now if line.departs_at is None else line.departs_at,
                limit_w=None if accepted is None else accepted.power_w,
                switched_at=None if accepted is None else accepted.switched_at,
                sent_at=None if last is None else last.intended_at,
                is_steerable=spec.is_ready,
            )
        )
    return claims


def floors_w(
    ledgers: Mapping[int, EvseLedger], possible_w: Mapping[int, float], claims: Sequence[Claim]
) -> dict[int, float]:
    """Return what each EVSE counts with whatever is wanted there: what limits cannot change counts as it may be."""
    steerable = {each.evse_id: base_w(ledgers[each.evse_id]) for each in claims if each.is_steerable}
    return {**possible_w, **steerable}


def follow(claims: Sequence[Claim], room: Room, sun: Sun, now: datetime) -> dict[int, float]:
    """Return the limit wanted at every claim's EVSE: 0, or between its minimum and maximum.

    No row is loaded beyond its capacity by what is above the floors. Deterministic, independent of the order of claims.
    """
    held_w = sum(_kept_w(each) for each in claims if not each.is_steerable)
    ready = sorted((each for each in claims if each.is_steerable), key=lambda each: each.evse_id)
    room = replace(room, most_w=max(0.0, room.most_w - held_w))
    levels_w = share_out(ready, room, sun, now, held_w)
    wanted_w = _in_turns(ready, levels_w, now)
    calm_w = _calm(ready, wanted_w, now)
    fitting_w = _fitting(ready, calm_w, wanted_w, levels_w, room)
    return {each.evse_id: fitting_w.get(each.evse_id, _kept_w(each)) for each in claims}


def total_w(planned_w: float, sun: Sun) -> float:
    """Return what all sessions together should take now, from the sum of what is planned for them.

    Sun that is missing of what the plan uses is taken off. Sun beyond the plan first replaces what the plan buys from
    the grid, then is used up. The planner, asked again with the measured sun, would do the same.
    """
    if sun.measured_w is None:
        return planned_w
    missing_w = max(0.0, min(planned_w, sun.expected_w) - sun.measured_w)
    return max(planned_w - missing_w, sun.measured_w)


def share_out(claims: Sequence[Claim], room: Room, sun: Sun, now: datetime, held_w: float = 0.0) -> dict[int, float]:
    """Return mean powers: first what must be, then what is planned, then the rest by need, as far as rows and sun go.

    More measured sun lowers nobody's. `held_w` is what claims that cannot be steered take anyway.
    """
    water = Water(room.grid, room.floors_w, [each.evse_id for each in claims])
    most = {each.evse_id: each.max_power_w for each in claims}
    planned = {each.evse_id: min(max(each.planned_w, each.must_w), each.max_power_w) for each in claims}
    must = {each.evse_id: min(each.must_w, each.max_power_w) for each in claims}
    water.pour(must, must, room.most_w)
    room_w = min(room.most_w, total_w(sum(planned.values()) + held_w, sun) - held_w)
    water.pour(planned, {key: power_w - must[key] for key, power_w in planned.items()}, room_w)
    water.pour(most, {each.evse_id: _haste_w(each, now) for each in claims}, room_w)
    return water.levels_w


def _haste_w(claim: Claim, now: datetime) -> float:
    """Return the weight for what is free: the mean power that the session needs until its departure."""
    return mean_power_w(claim.need_wh, max(claim.departs_at - now, SOONEST))


def _in_turns(claims: Sequence[Claim], levels_w: Mapping[int, float], now: datetime) -> dict[int, float]:
    """Return the mean powers as limits: 0 or at least the minimum, small ones in turns."""
    wishes = [
        Wish(
            key=str(each.evse_id),
            power_w=levels_w[each.evse_id],
            min_power_w=each.min_power_w,
            max_power_w=each.highest_w,
            limit_w=each.limit_w,
            switched_at=each.switched_at,
            need_wh=each.need_wh,
            departs_at=each.departs_at,
            must_w=min(each.must_w, levels_w[each.evse_id]),
        )
        for each in claims
    ]
    targets_w = round_targets(wishes, room_w=float("inf"), now=now, start_share=START_SHARE)
    return {each.evse_id: min(each.highest_w, targets_w[str(each.evse_id)]) for each in claims}


def _calm(claims: Sequence[Claim], wanted_w: Mapping[int, float], now: datetime) -> dict[int, float]:
    """Return limits that add up to what is wanted with as few changes as that takes.

    Who is near enough at what is wanted stays; what is then missing or too much of the sum goes to the few that are
    farthest from what is wanted for them, within the same nearness.
    """
    calm_w = {each.evse_id: _stay_or_go_w(each, wanted_w[each.evse_id], now) for each in claims}
    owed_w = sum(wanted_w.values()) - sum(calm_w.values())
    step_w = max(LEAST_STEP_W, SAME_SHARE * sum(wanted_w.values()))
    sign = 1 if owed_w > 0 else -1
    free = [each for each in claims if wanted_w[each.evse_id] > 0 < calm_w[each.evse_id] and not _is_paced(each, now)]
    for each in sorted(free, key=lambda one: (sign * (calm_w[one.evse_id] - wanted_w[one.evse_id]), one.evse_id)):
        if abs(owed_w) <= step_w:
            break
        near_w = wanted_w[each.evse_id] + sign * CALM_SHARE * each.max_power_w
        goal_w = min(each.highest_w, max(near_w, each.min_power_w, min(each.must_w, each.max_power_w)))
        moved_w = sign * min(abs(owed_w), max(0.0, sign * (goal_w - calm_w[each.evse_id])))
        calm_w[each.evse_id] += moved_w
        owed_w -= moved_w
    return calm_w


def _stay_or_go_w(claim: Claim, wanted_w: float, now: datetime) -> float:
    limit_w = claim.limit_w
    if limit_w is None or limit_w > claim.highest_w + GUARD_W or 0 < limit_w < claim.min_power_w - GUARD_W:
        return wanted_w
    is_starved = limit_w < min(wanted_w, claim.must_w) - GUARD_W
    if is_starved and (limit_w > 0 or claim.must_w >= claim.min_power_w):
        return wanted_w
    is_switch = (wanted_w > 0) != (limit_w > 0)
    is_near = not is_switch and abs(wanted_w - limit_w) <= CALM_SHARE * claim.max_power_w
    is_resting = is_switch and claim.switched_at is not None and now - claim.switched_at < SHORTEST_TURN
    return limit_w if is_near or is_resting or _is_paced(claim, now, wanted_w) else wanted_w


def _is_paced(claim: Claim, now: datetime, wanted_w: float = float("inf")) -> bool:
    """Whether its last order is too young for another one that no limit of the site asks for."""
    pace = LOWER_PACE if claim.limit_w is not None and wanted_w < claim.limit_w else RAISE_PACE
    return claim.sent_at is not None and now - claim.sent_at < pace


def _fitting(
    claims: Sequence[Claim],
    calm_w: Mapping[int, float],
    wanted_w: Mapping[int, float],
    levels_w: Mapping[int, float],
    room: Room,
) -> dict[int, float]:
    """Return the limits without what rows and the cap have no room for: mean powers fit, what goes beyond them may not.

    Those on whom a departure depends come first, then those who charge already. Who cannot stay calm goes all the way
    to what is wanted.
    """
    fitting_w = {each.evse_id: _usable_w(each, min(calm_w[each.evse_id], levels_w[each.evse_id])) for each in claims}
    counted_w = {key: max(floor_w, fitting_w.get(key, 0.0)) for key, floor_w in room.floors_w.items()}
    sums = Sums(room.grid, counted_w)
    left_w = room.most_w - sum(fitting_w.values())
    for each in sorted(claims, key=lambda one: (-one.must_w, not one.is_on, one.evse_id)):
        has_w = fitting_w[each.evse_id]
        if calm_w[each.evse_id] <= has_w:
            continue
        room_w = min(sums.highest_w(each.evse_id), has_w + max(0.0, left_w))
        granted_w = calm_w[each.evse_id] if room_w >= calm_w[each.evse_id] else min(room_w, wanted_w[each.evse_id])
        granted_w = max(has_w, _usable_w(each, granted_w))
        sums.count(each.evse_id, max(granted_w, room.floors_w[each.evse_id]))
        left_w -= granted_w - has_w
        fitting_w[each.evse_id] = granted_w
    return fitting_w


def _usable_w(claim: Claim, power_w: float) -> float:
    return power_w if power_w >= claim.min_power_w - GUARD_W else 0.0


def _kept_w(claim: Claim) -> float:
    return min(claim.highest_w, claim.min_power_w if claim.limit_w is None else claim.limit_w)
