"""From cars, slots, sun and prices to the arcs of one flow: all of them at once, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

import numpy as np

from app.domain.intervals import PLAN_SLOT, Interval, ceil_slot, floor_slot
from app.domain.snapshot import GridSlot, SiteSnapshot
from app.domain.stays import StayOutlook
from app.scheduling import goals
from app.scheduling.branches import Branch
from app.scheduling.cars import Cars, Curves, Flags, Floats, blocks_of
from app.scheduling.flow import FREE, SITE, Arcs, Blocks, Ints, Prices, Problem, Supplies, Trunk

UNBOUNDED_WH = 1 << 50


@dataclass(frozen=True, slots=True)
class Slots:
    """The planning slots in s from now, and the number of the 15-minute grid slot (0: that of now) each one ends in."""

    start_s: Floats
    end_s: Floats
    number: Ints

    @property
    def hours(self) -> Floats:
        """How long each one is, in hours."""
        return (self.end_s - self.start_s) / 3600


def slots_of(slots: Sequence[Interval], now: datetime) -> Slots:
    """Return planning slots as arrays."""
    first_at = floor_slot(now)
    return Slots(
        np.array([(slot.start_at - now).total_seconds() for slot in slots]),
        np.array([(slot.end_at - now).total_seconds() for slot in slots]),
        np.array([(ceil_slot(slot.end_at) - first_at) // PLAN_SLOT - 1 for slot in slots], dtype=np.int64),
    )


def gone_shares(outlooks: Sequence[StayOutlook | None], slots: Slots) -> Curves:
    """Return per outlook and slot the probability that the car has left by the slot's end; 0 where none is known."""
    rows: dict[int, int] = {}
    shares = [np.zeros(len(slots.number))]
    places = np.zeros(len(outlooks), dtype=np.int64)
    for place, outlook in enumerate(outlooks):
        if outlook is None or not outlook.stays_share:
            continue
        row = rows.get(id(outlook.stays_share))
        if row is None:
            curve = np.asarray(outlook.stays_share, dtype=float)
            shares.append(1.0 - np.clip(curve[np.minimum(slots.number, len(curve) - 1)], 0.0, 1.0))
            row = rows[id(outlook.stays_share)] = len(shares) - 1
        places[place] = row
    return Curves(np.array(shares), places)


@dataclass(frozen=True, slots=True)
class Takers:
    """What takes energy, side by side: cars, or classes of cars that are alike; see `Cars`.

    `kept_w` is how much above the default the limits in force let it take, `is_here` whether it is plugged in,
    `has_buffer` whether it wants to be done a while before its end, `gone` its probability of having left by the end of
    each slot. `block_share` belongs to the blocks.
    """

    start_s: Floats
    end_s: Floats
    max_w: Floats
    free_w: Floats
    kept_w: Floats
    branch: Ints
    is_here: Flags
    has_buffer: Flags
    gone: Floats
    blocks: Blocks
    block_share: Floats


def takers_of(cars: Cars, gone: Curves, first: int = 0) -> Takers:
    """Return every car from the `first` one on as a taker of its own."""
    count = max(0, len(cars.demands) - first)
    is_here = np.arange(first, len(cars)) < len(cars.demands)
    free_w, max_w = cars.free_w[first:], cars.max_w[first:]
    matrix = np.zeros((len(is_here), gone.shares.shape[1]))
    matrix[:count] = gone.shares[gone.row[first:]]
    has_buffer = np.arange(first, len(cars)) < cars.promised_count
    has_buffer[:count] = ~cars.has_outlook[first:]
    blocks, block_share = _blocks(cars, first)
    return Takers(
        start_s=cars.start_s[first:],
        end_s=cars.end_s[first:],
        max_w=max_w,
        free_w=np.minimum(free_w, max_w),
        kept_w=kept_above_w(max_w, free_w, cars.limit_w[first:]),
        branch=cars.branch[first:],
        is_here=is_here,
        has_buffer=has_buffer,
        gone=matrix,
        blocks=blocks,
        block_share=block_share,
    )


def kept_above_w(max_w: Floats, free_w: Floats, limit_w: Floats) -> Floats:
    """Return how much above the defaults cars may take under the limits in force."""
    kept: Floats = np.clip(limit_w - free_w, 0.0, np.maximum(0.0, max_w - free_w))
    return kept


def joined(first: Takers, second: Takers) -> Takers:
    """Return both, one after the other."""
    blocks, more = first.blocks, second.blocks
    both = Blocks(
        np.concatenate([blocks.car, more.car + len(first.end_s)]),
        np.concatenate([blocks.need_wh, more.need_wh]),
        np.concatenate([blocks.unmet_cost, more.unmet_cost]),
    )
    names = [each.name for each in fields(Takers) if each.name != "blocks"]
    columns = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names}
    return Takers(blocks=both, **columns)


def instance(
    snapshot: SiteSnapshot,
    above_w: float,
    branches: Sequence[Branch],
    takers: Takers,
    slots: Sequence[Interval],
    surplus_w: Sequence[float],
    now: datetime,
) -> Problem:
    """Return the flow for takers on slots; `above_w` is what all cars may take together above the defaults."""
    times, count = slots_of(slots, now), len(takers.end_s)
    blocks, shares = takers.blocks, takers.block_share
    is_lone = np.bincount(blocks.car, minlength=count)[blocks.car] == 1
    lone_share = np.zeros(count)
    lone_share[blocks.car[is_lone]] = shares[is_lone]
    risk = takers.gone * goals.risk_cost(snapshot.site.miss_cost_ratio)
    arcs = _arcs(takers, times, snapshot.site.departure_buffer.total_seconds())
    arc_risk = np.rint(risk[arcs.car, arcs.slot] * lone_share[arcs.car]).astype(np.int64)
    trunks = tuple(Trunk(each.parent, _whole(each.room_w * times.hours)) for each in branches)
    supplies = _supplies(snapshot, above_w, slots, times, surplus_w)
    prices = _prices(risk, blocks, shares, np.flatnonzero(~is_lone))
    return Problem(count, blocks, prices, replace(arcs, cost=arcs.cost + arc_risk), supplies, trunks)


def _whole(energy_wh: Floats) -> Ints:
    return energy_wh.astype(np.int64)


def _blocks(cars: Cars, first: int) -> tuple[Blocks, Floats]:
    """Return the blocks of the cars from the `first` one on, and their shares."""
    needs_wh = cars.need_wh[first:].tolist()
    parts = [blocks_of(outlook, need_wh) for outlook, need_wh in zip(cars.outlooks[first:], needs_wh, strict=False)]
    demanded = len(parts)
    owners = [car for car, blocks in enumerate(parts) for _ in blocks] + list(range(demanded, len(needs_wh)))
    told_wh = [int(block.energy_wh) for blocks in parts for block in blocks] + needs_wh[demanded:]
    shares = [block.share for blocks in parts for block in blocks]
    arriving = len(cars.arrivals)
    booked = len(needs_wh) - demanded - arriving
    costs = [goals.unmet_cost(share) for share in shares]
    costs += [goals.BOOKING_UNMET_COST] * booked + [goals.ARRIVAL_UNMET_COST] * arriving
    blocks = Blocks(
        np.array(owners, dtype=np.int64), np.array(told_wh, dtype=np.int64), np.array(costs, dtype=np.int64)
    )
    return blocks, np.array(shares + [1.0] * (booked + arriving), dtype=float)


def _prices(risk: Floats, blocks: Blocks, shares: Floats, several: Ints) -> Prices:
    """Return the prices of the blocks that share a car with others."""
    block, slot = np.repeat(several, risk.shape[1]), np.tile(np.arange(risk.shape[1]), len(several))
    cost = np.rint(risk[blocks.car[block], slot] * shares[block]).astype(np.int64)
    return Prices(block, slot, cost)


def _arcs(takers: Takers, times: Slots, buffer_s: float) -> Arcs:
    """Return all takers' arcs: free of site capacity and above, calm and within the departure buffer.

    A car whose stay was learnt, and a group that is expected, has no buffer: the risk price says when it is late.
    """
    calm_until_s = takers.end_s - np.where(takers.has_buffer, buffer_s, 0.0)
    calm_s = _overlap(times, takers.start_s, calm_until_s)
    late_s = _overlap(times, np.maximum(calm_until_s, takers.start_s), takers.end_s)
    free_w, above_w = takers.free_w, np.maximum(0.0, takers.max_w - takers.free_w)
    entry, free = np.where(takers.branch < 0, SITE, takers.branch), np.full(len(free_w), FREE)
    kept_w = np.where(takers.is_here, takers.kept_w, above_w)
    parts: list[Arcs] = []
    tiers = ((calm_s, 1.0, 0), (late_s, goals.BUFFER_SHARE, goals.BUFFER_COST))
    for span_s, share, cost in (*tiers, (late_s, 1 - goals.BUFFER_SHARE, goals.CROWDED_BUFFER_COST)):
        later_s = span_s.copy()
        later_s[:, 0] = 0.0
        parts.append(_part(free_w * share, span_s, cost, free))
        parts.append(_part(above_w * share, later_s, cost, entry))
        parts.append(_part(kept_w * share, span_s[:, :1], cost, entry))
        parts.append(_part((above_w - kept_w) * share, span_s[:, :1], cost + goals.CHANGE_COST, entry))
    car, slot = np.concatenate([each.car for each in parts]), np.concatenate([each.slot for each in parts])
    order = np.argsort(car * len(times.hours) + slot, kind="stable")
    return Arcs(
        car[order],
        slot[order],
        np.concatenate([each.capacity_wh for each in parts])[order],
        np.concatenate([each.cost for each in parts])[order],
        np.concatenate([each.entry for each in parts])[order],
    )


def _overlap(times: Slots, start_s: Floats, end_s: Floats) -> Floats:
    """Return for how many s each slot and each car's span have in common."""
    until_s = np.minimum(times.end_s, end_s[:, None])
    span_s: Floats = np.maximum(0.0, until_s - np.maximum(times.start_s, start_s[:, None]))
    return span_s


def _part(power_w: Floats, span_s: Floats, cost: int, entry: Ints) -> Arcs:
    capacity_wh = _whole(power_w[:, None] * span_s / 3600)
    car, slot = np.nonzero(capacity_wh)
    return Arcs(car, slot, capacity_wh[car, slot], np.full(len(car), cost, dtype=np.int64), entry[car])


def _supplies(
    snapshot: SiteSnapshot, above_w: float, slots: Sequence[Interval], times: Slots, surplus_w: Sequence[float]
) -> Supplies:
    number = np.arange(len(slots))
    above_wh = _whole(above_w * times.hours)
    last_tier_wh = (above_wh * goals.CROWDED_SITE_SHARE).astype(np.int64)
    target_w = snapshot.site.demand_target_w
    deficits = {floor_slot(each.interval.start_at): each.deficit_w for each in snapshot.surplus}
    deficit_w = np.array([deficits.get(floor_slot(slot.start_at), 0.0) for slot in slots])
    late = goals.STEP_COST * (len(slots) - number)
    return Supplies(
        solar_wh=_whole(np.maximum(0.0, np.asarray(surplus_w)) * times.hours),
        solar_cost=goals.STEP_COST * number,
        grid_wh=np.full(len(slots), UNBOUNDED_WH)
        if target_w is None
        else _whole(np.maximum(0.0, target_w - deficit_w) * times.hours),
        grid_cost=goals.GRID_COST + late + _tariff_cost(snapshot.grid, slots),
        over_cost=goals.DEMAND_COST,
        calm_wh=above_wh - last_tier_wh,
        last_tier_wh=last_tier_wh,
        last_tier_cost=goals.CROWDED_SITE_COST,
    )


def _tariff_cost(told: Sequence[GridSlot], slots: Sequence[Interval]) -> Ints:
    """Return what price and CO2 add to a slot's grid cost."""
    known = [next((each for each in told if each.interval.contains(slot.start_at)), None) for slot in slots]
    price = _above_least([None if each is None else each.price_per_kwh for each in known])
    co2 = _above_least([None if each is None else each.co2_g_per_kwh for each in known])
    return np.rint(goals.PRICE_COST * price + goals.CO2_COST * co2).astype(np.int64)


def _above_least(told_per_kwh: Sequence[float | None]) -> Floats:
    """Return by how many means each is above the least one, within bounds; one that is not told counts as the mean."""
    told = np.array([value for value in told_per_kwh if value is not None], dtype=float)
    scale = float(np.abs(told).mean()) if len(told) else 0.0
    if scale == 0.0:
        return np.zeros(len(told_per_kwh))
    filled = np.array([told.mean() if value is None else value for value in told_per_kwh])
    above: Floats = np.minimum(goals.MOST_MEANS_RATIO, (filled - filled.min()) / scale)
    return above
