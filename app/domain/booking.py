"""Admission of bookings: which EVSE takes a stay, whom that moves, or why none can and what could instead.

Pure and deterministic: `admit` looks at a request, the site's EVSEs and what already holds them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.intervals import Interval, ceil_slot
from app.domain.units import energy_for_range_wh, energy_wh, kwh_from_wh, mean_power_w

LATEST_ARRIVAL = timedelta(minutes=5)
LONGEST_STAY = timedelta(hours=24)
FARTHEST_ARRIVAL = timedelta(days=30)
SEARCH = timedelta(hours=24)
ALTERNATIVE_COUNT = 3
ROUNDING_WH = 1.0


@dataclass(frozen=True, slots=True)
class EnergyWish:
    """How much a driver wants: `need_wh`, or a range of `range_km` with the car `vehicle_id`."""

    need_wh: float | None = None
    range_km: float | None = None
    vehicle_id: str | None = None

    @property
    def field(self) -> str:
        """What the wish was given in, as the API names it."""
        return "energy_kwh" if self.need_wh is not None else "range_km"

    def wanted_wh(self, consumption_wh_per_km: float | None) -> float:
        """Return the energy in Wh; raises ValueError when a range meets no consumption."""
        if self.need_wh is not None:
            return self.need_wh
        if self.range_km is None or consumption_wh_per_km is None:
            raise ValueError("a range needs a car")
        return energy_for_range_wh(self.range_km, consumption_wh_per_km)


@dataclass(frozen=True, slots=True)
class Stay:
    """What is asked for. `evse_id` None lets the site choose; `max_charge_w` is the car's own bound, None unknown.

    `has_begun` is set when its begin is a fact (booked before, or the car is there): then the arrival is not checked.
    """

    arrives_at: datetime
    departs_at: datetime
    need_wh: float
    max_charge_w: float | None = None
    evse_id: int | None = None
    has_begun: bool = False

    @property
    def period(self) -> Interval:
        """The stay as an interval; raises ValueError unless it departs after it arrives."""
        return Interval(self.arrives_at, self.departs_at)


@dataclass(frozen=True, slots=True)
class Bay:
    """An EVSE that could be booked. `ready_at` is from when it may be promised: None now, later while it is faulted."""

    evse_id: int
    nameplate_w: float
    ready_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What holds an EVSE: a booking, or (`booking_id` None) a running session until its declared departure."""

    booking_id: str | None
    evse_id: int
    period: Interval
    need_wh: float = 0.0
    is_movable: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """A booking that makes room by going to another EVSE."""

    booking_id: str
    evse_id: int


@dataclass(frozen=True, slots=True)
class Alternative:
    """A stay that could be booked instead."""

    evse_id: int
    arrives_at: datetime
    departs_at: datetime


@dataclass(frozen=True, slots=True)
class Admitted:
    """The stay gets `evse_id` once `moves` are made."""

    evse_id: int
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The stay cannot be had. `field` names the input that stands in the way, None: there is no room.

    `is_impossible` says that it cannot be meant at all, at whatever EVSE.
    """

    reason: str
    field: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    is_impossible: bool = False


def admit(
    stay: Stay, bays: Sequence[Bay], held: Sequence[Held], own: Sequence[Interval], now: datetime
) -> Admitted | Refused:
    """Decide about a stay. `own` are the same driver's other live bookings; `held` must not contain the stay itself."""
    wrong = check_times(stay, now)
    if wrong is not None:
        return wrong
    offered = _offered(stay, bays)
    if not offered:
        if stay.evse_id is not None:
            return _impossible("the site has no such EVSE", "evse_id")
        return Refused("the site has no EVSE that can be booked")
    out_of_reach = check_energy(stay, offered)
    if out_of_reach is not None:
        return out_of_reach
    if any(stay.period.overlap(other) for other in own):
        return Refused("the driver has another booking at that time")
    placed = place(stay, offered, bays, held)
    if placed is not None:
        return placed
    where = "the EVSE is" if stay.evse_id is not None else "all EVSEs are"
    return Refused(f"{where} taken at that time", alternatives=alternatives(stay, bays, held))


def check_times(stay: Stay, now: datetime) -> Refused | None:
    """Return why the stay's times cannot be meant, None if they can."""
    if not stay.has_begun and stay.arrives_at < now - LATEST_ARRIVAL:
        return _impossible("lies in the past", "arrives_at")
    if stay.arrives_at > now + FARTHEST_ARRIVAL:
        return _impossible(f"is more than {FARTHEST_ARRIVAL.days} days ahead", "arrives_at")
    if stay.departs_at <= stay.arrives_at:
        return _impossible("must be after arrives_at", "departs_at")
    if stay.departs_at <= now:
        return _impossible("lies in the past", "departs_at")
    if stay.departs_at - stay.arrives_at > LONGEST_STAY:
        return _impossible("is more than 24 hours after arrives_at", "departs_at")
    return None


def check_energy(stay: Stay, bays: Iterable[Bay]) -> Refused | None:
    """Return a refusal that names what can be charged in the stay, None if the need can be."""
    reachable_wh = max(_reachable_wh(stay, bay) for bay in bays)
    if stay.need_wh <= 0:
        return _impossible("must be more than 0", "energy")
    if stay.need_wh > reachable_wh + ROUNDING_WH:
        return Refused(f"at most {kwh_from_wh(reachable_wh):.1f} kWh can be charged in this stay", "energy")
    return None


def place(stay: Stay, offered: Sequence[Bay], bays: Sequence[Bay], held: Sequence[Held]) -> Admitted | None:
    """Choose an EVSE of `offered` that can serve the stay: the smallest free one, else one whose bookings can move."""
    fitting = sorted(
        (bay for bay in offered if _reachable_wh(stay, bay) + ROUNDING_WH >= stay.need_wh),
        key=lambda bay: (bay.nameplate_w, bay.evse_id),
    )
    for bay in fitting:
        if not _blockers(bay.evse_id, stay.period, held):
            return Admitted(bay.evse_id)
    for bay in fitting:
        moves = displace(bay.evse_id, stay.period, bays, held)
        if moves is not None:
            return Admitted(bay.evse_id, moves)
    return None


def displace(evse_id: int, period: Interval, bays: Sequence[Bay], held: Sequence[Held]) -> tuple[Move, ...] | None:
    """Return the moves that free an EVSE for a period, in the order of the stays; None when one of them cannot move."""
    blockers = _blockers(evse_id, period, held)
    if not all(blocker.is_movable for blocker in blockers):
        return None
    rest = [each for each in held if each not in blockers]
    moves = []
    for blocker in sorted(blockers, key=lambda each: (each.period.start_at, each.booking_id)):
        refuge = _refuge(blocker, evse_id, bays, rest)
        if refuge is None or blocker.booking_id is None:
            return None
        rest.append(replace(blocker, evse_id=refuge))
        moves.append(Move(blocker.booking_id, refuge))
    return tuple(moves)


def alternatives(stay: Stay, bays: Sequence[Bay], held: Sequence[Held]) -> tuple[Alternative, ...]:
    """Return up to three stays that are free: other EVSEs at the same time first, then the next times within a day."""
    anywhere = replace(stay, evse_id=None)
    span = stay.period.span
    found = [
        Alternative(bay.evse_id, stay.arrives_at, stay.departs_at)
        for bay in _offered(anywhere, bays)
        if _is_free(bay, anywhere, held)
    ]
    starts = sorted({ceil_slot(each.period.end_at) for each in held})
    for start_at in starts:
        if not stay.arrives_at < start_at <= stay.arrives_at + SEARCH:
            continue
        later = replace(stay, arrives_at=start_at, departs_at=start_at + span)
        free = [bay for bay in _offered(later, bays) if _is_free(bay, later, held)]
        found += [Alternative(bay.evse_id, later.arrives_at, later.departs_at) for bay in free[:1]]
    return tuple(found[:ALTERNATIVE_COUNT])


def _impossible(reason: str, field: str) -> Refused:
    return Refused(reason, field, is_impossible=True)


def _offered(stay: Stay, bays: Iterable[Bay]) -> list[Bay]:
    """The EVSE that was asked for; or all that may be promised for the arrival, by id."""
    if stay.evse_id is not None:
        return [bay for bay in bays if bay.evse_id == stay.evse_id]
    ready = (bay for bay in bays if bay.ready_at is None or bay.ready_at <= stay.arrives_at)
    return sorted(ready, key=lambda bay: bay.evse_id)


def _reachable_wh(stay: Stay, bay: Bay) -> float:
    power_w = bay.nameplate_w if stay.max_charge_w is None else min(bay.nameplate_w, stay.max_charge_w)
    return energy_wh(power_w, stay.period.span)


def _is_free(bay: Bay, stay: Stay, held: Iterable[Held]) -> bool:
    return _reachable_wh(stay, bay) + ROUNDING_WH >= stay.need_wh and not _blockers(bay.evse_id, stay.period, held)


def _blockers(evse_id: int, period: Interval, held: Iterable[Held]) -> list[Held]:
    return [each for each in held if each.evse_id == evse_id and each.period.overlap(period)]


def _refuge(blocker: Held, from_evse_id: int, bays: Iterable[Bay], held: Sequence[Held]) -> int | None:
    """The smallest other EVSE that is free for the booking and strong enough for its need."""
    least_w = mean_power_w(blocker.need_wh, blocker.period.span)
    for bay in sorted(bays, key=lambda each: (each.nameplate_w, each.evse_id)):
        is_ready = bay.ready_at is None or bay.ready_at <= blocker.period.start_at
        is_other = bay.evse_id != from_evse_id
        if is_other and is_ready and bay.nameplate_w >= least_w and not _blockers(bay.evse_id, blocker.period, held):
            return bay.evse_id
    return None
