"""Aggregated flexibility of the plugged-in cars: per slot, and as sustained blocks that are deliverable throughout.

The cars' reachable energies are a generalized polymatroid (Mukhi, Loho, Abate, arXiv 2503.23458): for any slot set A,
p(A) ≤ Σ u(t) ≤ b(A). A block is a change from a varying baseline, so with p(k), b(k) for any k slots of the window:
decrease = min over k of (sum of the k smallest baseline slots − p(k)) / k, increase = min over k of (b(k) − sum of the
k largest) / k. Only cars that are there throughout a window take part in its block, the others stay on their plan, so
a block is a guaranteed inner bound. The site limit is intersected; the 6 A floor is met by turns within 30 minutes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.flexibility import FlexibilityBlock, FlexibilityOffer, FlexibilitySlot
from app.domain.intervals import MARKET_SLOT, Interval, market_slot_start
from app.domain.plan import ChargingPlan, PlanLine
from app.domain.snapshot import Demand, SiteSnapshot
from app.domain.units import energy_wh, mean_power_w
from app.scheduling.feeders import grid_of

LONGEST_BLOCK_SLOTS = 6


@dataclass(frozen=True, slots=True)
class _Car:
    """A plugged-in car over the market slots: what it can take and is planned to take in each, and what it must get."""

    window: Interval
    low_wh: float
    high_wh: float
    reach_wh: tuple[float, ...]
    baseline_wh: tuple[float, ...]

    def least_wh(self, numbers: Sequence[int]) -> float:
        """Return p(A): what it must take within these slots even if it takes all it can outside of them."""
        inside_wh = sum(self.reach_wh[number] for number in numbers)
        return max(0.0, self.low_wh - (sum(self.reach_wh) - inside_wh))

    def most_wh(self, numbers: Sequence[int]) -> float:
        """Return b(A): what it can take within these slots."""
        return min(sum(self.reach_wh[number] for number in numbers), self.high_wh)


def offer(snapshot: SiteSnapshot, plan: ChargingPlan, now: datetime) -> FlexibilityOffer:
    """Return baseline, single-slot and sustained flexibility in the 30-minute slots of the site's zone.

    The first slot may be under way: its energy counts from `now` on, and blocks start with the next one.
    """
    ends_at = max((demand.departs_at for demand in snapshot.demands), default=now)
    slots = tuple(_market_slots(now, ends_at, ZoneInfo(snapshot.site.zone)))
    lines = {line.session_id: line for line in plan.lines}
    cars = [_car(demand, lines[demand.session_id], plan, slots, now) for demand in _planned(snapshot, lines)]
    room_w = _room_w(snapshot)
    return FlexibilityOffer(
        site_id=snapshot.site.site_id,
        issued_at=now,
        slots=tuple(_slot(cars, number, slot, now, room_w) for number, slot in enumerate(slots)),
        blocks=tuple(_blocks(cars, slots, now, room_w)),
        connected=len(cars),
    )


def _planned(snapshot: SiteSnapshot, lines: dict[str, PlanLine]) -> list[Demand]:
    demands = sorted(snapshot.demands, key=lambda demand: demand.session_id)
    return [demand for demand in demands if demand.session_id in lines]


def _room_w(snapshot: SiteSnapshot) -> float:
    """Return what all cars together may draw: the site's room less the defaults of EVSEs without a car."""
    busy = {demand.evse_id for demand in snapshot.demands}
    idle_w = sum(
        evse.safe_power_w if evse.is_verified else evse.nameplate_w
        for evse in snapshot.evses
        if evse.evse_id not in busy
    )
    return max(0.0, grid_of(snapshot.site, snapshot.evses).capacity_w() - idle_w)


def _market_slots(now: datetime, ends_at: datetime, zone: ZoneInfo) -> Iterator[Interval]:
    at = market_slot_start(now, zone)
    while at < ends_at:
        yield Interval(at, at + MARKET_SLOT)
        at += MARKET_SLOT


def _left(slot: Interval, now: datetime) -> Interval:
    """Return what is left of a slot."""
    return Interval(max(slot.start_at, now), slot.end_at)


def _car(demand: Demand, line: PlanLine, plan: ChargingPlan, slots: Sequence[Interval], now: datetime) -> _Car:
    window = Interval(now, max(demand.departs_at, now + timedelta(seconds=1)))
    baseline_wh = tuple(
        sum(
            energy_wh(power_w, _left(slot, now).overlap(planned))
            for planned, power_w in zip(plan.slots, line.power_w, strict=True)
        )
        for slot in slots
    )
    reach_wh = tuple(
        max(energy_wh(demand.max_power_w, _left(slot, now).overlap(window)), planned_wh)
        for slot, planned_wh in zip(slots, baseline_wh, strict=True)
    )
    promised_wh = min(max(0.0, demand.need_wh - line.unmet_wh), sum(baseline_wh))
    return _Car(window, promised_wh, max(demand.need_wh, promised_wh), reach_wh, baseline_wh)


def _slot(cars: Sequence[_Car], number: int, slot: Interval, now: datetime, room_w: float) -> FlexibilitySlot:
    left = _left(slot, now)
    baseline_wh = sum(car.baseline_wh[number] for car in cars)
    least_wh = sum(car.least_wh([number]) for car in cars)
    most_wh = min(sum(car.most_wh([number]) for car in cars), energy_wh(room_w, left.span))
    return FlexibilitySlot(
        slot,
        baseline_w=mean_power_w(baseline_wh, left.span),
        decrease_w=mean_power_w(max(0.0, baseline_wh - least_wh), left.span),
        increase_w=mean_power_w(max(0.0, most_wh - baseline_wh), left.span),
    )


def _blocks(
    cars: Sequence[_Car], slots: Sequence[Interval], now: datetime, room_w: float
) -> Iterator[FlexibilityBlock]:
    for first in range(len(slots)):
        if slots[first].start_at < now:
            continue
        for last in range(first + 1, min(first + 1 + LONGEST_BLOCK_SLOTS, len(slots) + 1)):
            window = Interval(slots[first].start_at, slots[last - 1].end_at)
            covering = [car for car in cars if car.window.overlap(window) == window.span]
            if covering:
                yield _block(cars, covering, window, range(first, last), room_w)


def _block(
    cars: Sequence[_Car], covering: Sequence[_Car], window: Interval, numbers: Sequence[int], room_w: float
) -> FlexibilityBlock:
    """Return the block of the covering cars; every slot of the window is a whole one, so any k of them are alike."""
    own_wh = sorted(sum(car.baseline_wh[number] for car in covering) for number in numbers)
    decreases_wh, increases_wh = [], []
    for count in range(1, len(numbers) + 1):
        some = list(numbers)[:count]
        decreases_wh.append((sum(own_wh[:count]) - sum(car.least_wh(some) for car in covering)) / count)
        increases_wh.append((sum(car.most_wh(some) for car in covering) - sum(own_wh[-count:])) / count)
    busiest_wh = max(sum(car.baseline_wh[number] for car in cars) for number in numbers)
    spare_w = max(0.0, room_w - mean_power_w(busiest_wh, MARKET_SLOT))
    return FlexibilityBlock(
        window,
        decrease_w=max(0.0, mean_power_w(min(decreases_wh), MARKET_SLOT)),
        increase_w=min(spare_w, max(0.0, mean_power_w(min(increases_wh), MARKET_SLOT))),
    )
