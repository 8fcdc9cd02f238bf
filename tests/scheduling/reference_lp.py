"""The planner's problem as a linear programme of its own, with real-valued energies, for HiGHS.

Written from what the planner promises (its docstrings and goals), not from how it keeps it: one column per car, slot
and way in which a Wh can be taken, one row per limit. It shares the goals' numbers with the planner and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean

import highspy
import numpy as np

from app.domain.intervals import Interval, floor_slot
from app.domain.plan import ChargingPlan
from app.domain.snapshot import EvseSpec, SiteSnapshot
from app.domain.stays import NeedBlock, StayOutlook
from app.domain.wiring import Feeder
from app.scheduling import goals
from app.scheduling.rounding import Wish

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
INFINITE = highspy.kHighsInf
TIGHT = 1e-5


def energy_wh(power_w: float, span: timedelta) -> float:
    return power_w * (span / timedelta(hours=1))


@dataclass(frozen=True)
class Car:
    """Anything that takes energy; `key` None: nothing of it is published. `free_w` is free of the limits."""

    key: str | None
    starts_at: datetime
    ends_at: datetime
    blocks: tuple[NeedBlock, ...]
    unmet_goal: str
    max_w: float
    free_w: float
    evse: EvseSpec | None
    buffer: timedelta = timedelta(0)
    kept_w: float | None = None
    outlook: StayOutlook | None = None


def cars_of(snapshot: SiteSnapshot, now: datetime) -> list[Car]:
    """Everybody in the snapshot: plugged in, booked, and expected without a booking."""
    evses = {evse.evse_id: evse for evse in snapshot.evses}
    buffer = snapshot.site.departure_buffer
    found = [
        Car(
            each.session_id,
            now,
            max(each.departs_at, now + MINUTE),
            blocks_of(each.outlook, each.need_wh),
            "promised",
            each.max_power_w,
            default_w(evses[each.evse_id]),
            evses[each.evse_id],
            timedelta(0) if each.outlook is not None else buffer,
            each.limit_w or 0.0,
            each.outlook,
        )
        for each in snapshot.demands
    ]
    for each in snapshot.expected:
        starts_at = max(now, each.period.start_at)
        ends_at, evse = max(each.period.end_at, starts_at + MINUTE), evses[each.evse_id]
        whole = (NeedBlock(each.need_wh, 1.0),)
        found.append(
            Car(each.booking_id, starts_at, ends_at, whole, "booked", each.max_power_w, default_w(evse), evse, buffer)
        )
    for each in snapshot.arrivals:
        starts_at = max(now, each.period.start_at)
        ends_at = max(each.period.end_at, starts_at + MINUTE)
        whole = (NeedBlock(each.need_wh * each.cars_count, 1.0),)
        found.append(Car(None, starts_at, ends_at, whole, "arriving", each.max_power_w * each.cars_count, 0.0, None))
    return found


def default_w(evse: EvseSpec) -> float:
    """What an EVSE counts with in any case: its default where that is proven, else all that it has."""
    return evse.safe_power_w if evse.is_verified else evse.nameplate_w


def blocks_of(outlook: StayOutlook | None, need_wh: float) -> tuple[NeedBlock, ...]:
    """The parts that a need has; what the blocks do not cover is as sure as the last of them."""
    told = () if outlook is None else outlook.needs
    parts, left_wh = [], need_wh
    for block in told:
        parts.append(NeedBlock(min(left_wh, block.energy_wh), block.share))
        left_wh -= parts[-1].energy_wh
    return (*parts, NeedBlock(left_wh, told[-1].share if told else 1.0))


def gone_share(outlook: StayOutlook | None, slot: Interval, now: datetime) -> float:
    """The probability that a car has left by the end of a slot."""
    if outlook is None or not outlook.stays_share:
        return 0.0
    number = -((floor_slot(now) - slot.end_at) // QUARTER) - 1
    return 1.0 - outlook.stays_share[min(number, len(outlook.stays_share) - 1)]


@dataclass
class Programme:
    """Columns with their part in every goal, and rows; `value[goal]` holds a column's part per Wh."""

    uppers: list[float] = field(default_factory=list)
    parts: dict[str, dict[int, float]] = field(default_factory=dict)
    rows: list[tuple[float, float, Mapping[int, float]]] = field(default_factory=list)
    taken: dict[tuple[str, int], int] = field(default_factory=dict)

    def column(self, upper: float, **parts: float) -> int:
        self.uppers.append(upper)
        for goal, part in parts.items():
            self.parts.setdefault(goal, {})[len(self.uppers) - 1] = part
        return len(self.uppers) - 1

    def row(self, lower: float, upper: float, plus: Iterable[int], minus: Iterable[int] = ()) -> None:
        self.rows.append((lower, upper, dict.fromkeys(plus, 1.0) | dict.fromkeys(minus, -1.0)))

    def goal(self, weights: Mapping[str, float]) -> np.ndarray:
        """A goal as costs: the weighted sum of the named parts."""
        costs = np.zeros(len(self.uppers))
        for name, weight in weights.items():
            for column, part in self.parts.get(name, {}).items():
                costs[column] += weight * part
        return costs


def programme_of(snapshot: SiteSnapshot, now: datetime, plan: ChargingPlan) -> Programme:
    """Build the programme on the plan's slots and its surplus."""
    made, slots = Programme(), plan.slots
    above: list[list[tuple[int, EvseSpec | None]]] = [[] for _ in slots]
    all_taken: list[list[int]] = [[] for _ in slots]
    for car in cars_of(snapshot, now):
        by_block: list[list[int]] = [[] for _ in car.blocks]
        for number, slot in enumerate(slots):
            ways = _ways(made, car, number, slot)
            if not ways:
                continue
            above[number] += [(column, car.evse) for column, is_above in ways if is_above]
            risk = gone_share(car.outlook, slot, now)
            parts = [made.column(INFINITE, risk=risk * block.share) for block in car.blocks]
            for own, column in zip(by_block, parts, strict=True):
                own.append(column)
            total = made.column(INFINITE)
            made.row(0, 0, parts, [total])
            made.row(0, 0, [column for column, _ in ways], [total])
            all_taken[number].append(total)
            if car.key is not None:
                made.taken[car.key, number] = total
        for block, own in zip(car.blocks, by_block, strict=True):
            sure = {"unsure": 1.0 - block.share} if car.unmet_goal == "promised" else {}
            unmet = made.column(INFINITE, **{car.unmet_goal: 1.0}, **sure)
            made.row(block.energy_wh, block.energy_wh, [*own, unmet])
    tariff = tariff_costs(snapshot, slots)
    for number, slot in enumerate(slots):
        _limits(made, snapshot, slot, above[number])
        _supply(made, snapshot, plan, number, all_taken[number], tariff[number])
    return made


def _ways(made: Programme, car: Car, number: int, slot: Interval) -> list[tuple[int, bool]]:
    """How a car may take energy in a slot: (column, whether it counts above the default)."""
    calm_until_at = car.ends_at - car.buffer
    calm = min(slot.end_at, calm_until_at) - max(slot.start_at, car.starts_at)
    late = min(slot.end_at, car.ends_at) - max(slot.start_at, car.starts_at, calm_until_at)
    free_w = min(car.free_w, car.max_w)
    above_w = car.max_w - free_w
    kept_w = above_w
    if number == 0 and car.kept_w is not None:
        kept_w = min(above_w, max(0.0, car.kept_w - car.free_w))
    ways = []
    tiers = [(calm, 1.0, {}), (late, goals.BUFFER_SHARE, {"buffer": 1.0})]
    for span, share, parts in (*tiers, (late, 1 - goals.BUFFER_SHARE, {"crowded": 1.0})):
        if span <= timedelta(0):
            continue
        kinds = [(free_w, False, {}), (kept_w, True, {}), (above_w - kept_w, True, {"change": 1.0})]
        for power_w, is_above, more in kinds:
            if power_w > 0:
                ways.append((made.column(energy_wh(power_w * share, span), **parts, **more), is_above))
    return ways


def _limits(
    made: Programme, snapshot: SiteSnapshot, slot: Interval, above: Sequence[tuple[int, EvseSpec | None]]
) -> None:
    """What is above the defaults shares what the site, and every feeder over it, has beyond the defaults."""
    site = snapshot.site
    room_w = site.limit_w - site.margin_w - site.reserve_w - sum(default_w(evse) for evse in snapshot.evses)
    room_wh = energy_wh(max(0.0, room_w), slot.span)
    calm = made.column(room_wh * (1 - goals.CROWDED_SITE_SHARE))
    last = made.column(room_wh * goals.CROWDED_SITE_SHARE, last_tier=1.0)
    made.row(0, 0, [column for column, _ in above], [calm, last])
    feeders = {feeder.feeder_id: feeder for feeder in site.feeders}
    for feeder in site.feeders:
        below = [evse for evse in snapshot.evses if is_below(evse, feeder, feeders)]
        left_w = feeder.limit_w - feeder.margin_w - feeder.reserve_w - sum(default_w(evse) for evse in below)
        own = [column for column, evse in above if evse is not None and is_below(evse, feeder, feeders)]
        made.row(-INFINITE, energy_wh(max(0.0, left_w), slot.span), own)


def is_below(evse: EvseSpec, feeder: Feeder, feeders: Mapping[str, Feeder]) -> bool:
    above = evse.feeder_id
    while above is not None and above != feeder.feeder_id:
        above = feeders[above].parent_id
    return above is not None


def _supply(
    made: Programme, snapshot: SiteSnapshot, plan: ChargingPlan, number: int, taken: list[int], tariff: float
) -> None:
    """Everything taken comes from the sun, from the grid within the contract's demand, or from the grid beyond it."""
    slot = plan.slots[number]
    sun = made.column(energy_wh(plan.surplus_w[number], slot.span), early=number)
    target_w, deficit_w = snapshot.site.demand_target_w, 0.0
    for each in snapshot.surplus:
        if each.interval.start_at <= slot.start_at < each.interval.end_at:
            deficit_w = each.deficit_w
    within_wh = INFINITE if target_w is None else energy_wh(max(0.0, target_w - deficit_w), slot.span)
    late = len(plan.slots) - number
    within = made.column(within_wh, grid=1.0, tariff=tariff, late=late)
    beyond = made.column(INFINITE, grid=1.0, over=1.0, tariff=tariff, late=late)
    made.row(0, 0, taken, [sun, within, beyond])


def tariff_costs(snapshot: SiteSnapshot, slots: Sequence[Interval]) -> list[float]:
    """What price and CO2 weigh in every slot, as a whole number."""
    told = [next((each for each in snapshot.grid if each.interval.contains(slot.start_at)), None) for slot in slots]
    price = _in_means([None if each is None else each.price_per_kwh for each in told])
    co2 = _in_means([None if each is None else each.co2_g_per_kwh for each in told])
    return [
        round(goals.PRICE_COST * price_means + goals.CO2_COST * co2_means)
        for price_means, co2_means in zip(price, co2, strict=True)
    ]


def _in_means(values: Sequence[float | None]) -> list[float]:
    """By how many means a value lies above the least, at most MOST_MEANS_RATIO; what nobody told counts as the mean."""
    told = [value for value in values if value is not None]
    if not told or fmean(told) == 0:
        return [0.0] * len(values)
    mean = fmean(told)
    filled = [mean if value is None else value for value in values]
    return [min(goals.MOST_MEANS_RATIO, (value - min(filled)) / mean) for value in filled]


def weights_of(snapshot: SiteSnapshot) -> dict[str, float]:
    """The goals' weights: everything that a plan weighs, as one sum."""
    return {
        "promised": goals.UNMET_COST,
        "unsure": -goals.UNMET_COST * (1 - goals.LEAST_SURE_SHARE),
        "booked": goals.BOOKING_UNMET_COST,
        "arriving": goals.ARRIVAL_UNMET_COST,
        "risk": goals.GRID_COST * min(snapshot.site.miss_cost_ratio, goals.MOST_MISS_RATIO),
        "grid": goals.GRID_COST,
        "over": goals.DEMAND_COST,
        "tariff": 1.0,
        "buffer": goals.BUFFER_COST,
        "crowded": goals.CROWDED_BUFFER_COST,
        "last_tier": goals.CROWDED_SITE_COST,
        "change": goals.CHANGE_COST,
        "early": goals.STEP_COST,
        "late": goals.STEP_COST,
    }


class Solver:
    """A programme in HiGHS; goals are minimised one after the other, or with energies held as a plan has them."""

    def __init__(self, programme: Programme) -> None:
        self._programme = programme
        self._columns = np.arange(len(programme.uppers), dtype=np.int32)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(programme.uppers), len(programme.rows)
        lp.col_cost_, lp.col_lower_ = np.zeros(lp.num_col_), np.zeros(lp.num_col_)
        lp.col_upper_ = np.array(programme.uppers)
        lp.row_lower_ = np.array([lower for lower, _, _ in programme.rows])
        lp.row_upper_ = np.array([upper for _, upper, _ in programme.rows])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(entries) for _, _, entries in programme.rows)])
        lp.a_matrix_.index_ = np.array([column for _, _, entries in programme.rows for column in entries])
        lp.a_matrix_.value_ = np.array([value for _, _, entries in programme.rows for value in entries.values()])
        self._highs = highspy.Highs()
        self._highs.silent()
        self._highs.passModel(lp)

    def least(self, costs: np.ndarray) -> np.ndarray | None:
        """The cheapest columns, None where nothing is possible."""
        self._highs.changeColsCost(len(self._columns), self._columns, costs)
        self._highs.run()
        status = self._highs.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return None
        assert status == highspy.HighsModelStatus.kOptimal, status
        return np.array(self._highs.getSolution().col_value)

    def hold_goal(self, costs: np.ndarray, most: float) -> None:
        """From now on, a goal may not be missed by more than this."""
        used = np.flatnonzero(costs).astype(np.int32)
        self._highs.addRow(-INFINITE, most, len(used), used, costs[used])

    def hold_energies(self, energies_wh: Mapping[tuple[str, int], float], slack_wh: float = 0.0) -> None:
        """From now on, everybody takes what a plan gives; no other way is open."""
        for place, column in self._programme.taken.items():
            given_wh = energies_wh.get(place, 0.0)
            self._highs.changeColBounds(column, max(0.0, given_wh - slack_wh), given_wh + slack_wh)


def energies_of(plan: ChargingPlan) -> dict[tuple[str, int], float]:
    """What a plan gives to whom in which slot, in Wh, where that is something."""
    lines = [(line.session_id, line.power_w) for line in plan.lines]
    lines += [(line.booking_id, line.power_w) for line in plan.expected]
    return {
        (key, number): energy_wh(power_w, slot.span)
        for key, powers_w in lines
        for number, (power_w, slot) in enumerate(zip(powers_w, plan.slots, strict=True))
        if power_w
    }


def least_gap_w(wishes: Sequence[Wish], room_w: float, now: datetime) -> float | None:
    """How near the sum of limits can come to the planned sum at best; None where not even the least limits fit.

    A mixed-integer programme: a limit is 0 or between minimum and maximum. Who was switched on or off within the last
    five minutes stays so, but for those that the plan gives at least their minimum.
    """
    highs = highspy.Highs()
    highs.silent()
    planned_w = sum(wish.power_w for wish in wishes)
    highs.addCol(1.0, 0.0, INFINITE, 0, [], [])  # the gap
    sums, counted = [0], []
    for wish in wishes:
        is_fresh = wish.switched_at is not None and now - wish.switched_at < timedelta(minutes=5)
        is_on = wish.limit_w is not None and wish.limit_w >= wish.min_power_w
        is_full = wish.power_w >= wish.min_power_w
        least, most = float(is_fresh and is_on), float(not (is_fresh and not is_on) or is_full)
        limit, on, held = highs.getNumCol(), highs.getNumCol() + 1, highs.getNumCol() + 2
        highs.addCol(0.0, _kept_w(wish, now), wish.max_power_w, 0, [], [])
        highs.addCol(0.0, least, most, 0, [], [])
        highs.addCol(0.0, wish.floor_w, INFINITE, 0, [], [])
        highs.changeColIntegrality(on, highspy.HighsVarType.kInteger)
        _add(highs, 0.0, INFINITE, {limit: 1.0, on: -wish.min_power_w})
        _add(highs, -INFINITE, 0.0, {limit: 1.0, on: -wish.max_power_w})
        _add(highs, 0.0, INFINITE, {held: 1.0, limit: -1.0})
        sums.append(limit)
        counted.append(held)
    _add(highs, -INFINITE, room_w, dict.fromkeys(counted, 1.0))
    limits = dict.fromkeys(sums[1:], 1.0)
    _add(highs, planned_w, INFINITE, {0: 1.0, **limits})
    _add(highs, -INFINITE, planned_w, {0: -1.0, **limits})
    highs.run()
    if highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        return None
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(highs.getObjectiveValue())


def _kept_w(wish: Wish, now: datetime) -> float:
    """What is not taken from somebody who has less than half an hour to spare and is planned at a usable power."""
    spare_wh = energy_wh(wish.max_power_w, wish.departs_at - now) - wish.need_wh
    is_tight = spare_wh < energy_wh(wish.max_power_w, timedelta(minutes=30))
    return wish.power_w if is_tight and wish.power_w >= wish.min_power_w else 0.0


def _add(highs: highspy.Highs, lower: float, upper: float, entries: Mapping[int, float]) -> None:
    columns = np.array(list(entries), dtype=np.int32)
    highs.addRow(lower, upper, len(entries), columns, np.array(list(entries.values())))
