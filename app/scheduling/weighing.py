"""What the planner weighed: for every car and slot what one Wh more costs there, and what one Wh less saves.

Everything is taken from the planner's own instance of the flow, so that an explanation and the plan speak of the same
costs and the same limits. Weighed is the exchange of one Wh of one car between two slots; what is full is not
exchanged.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.domain.plan import ChargingPlan
from app.domain.snapshot import SiteSnapshot
from app.scheduling import goals
from app.scheduling.branches import rooms_of
from app.scheduling.cars import Cars, Flags, Floats, blocks_of, cars_of
from app.scheduling.flow import FREE, SITE, Ints, Problem, solve
from app.scheduling.instance import Slots, gone_shares, instance, slots_of, takers_of

OPEN: Final = -9
CLOSED: Final = -8
FULL_WH = 1.0


@dataclass(frozen=True, slots=True)
class Supply:
    """Where the slots' energy comes from, in Wh per slot. `grid_cost` is that of the grid below the demand target."""

    total_wh: Floats
    sun_wh: Floats
    below_target_wh: Floats
    sun_cost: Floats
    grid_cost: Floats

    @property
    def from_grid_wh(self) -> Floats:
        """What is bought."""
        return np.maximum(0.0, self.total_wh - self.sun_wh)

    @property
    def has_spare_sun(self) -> Flags:
        """Whether one Wh more would be sun."""
        return self.sun_wh - self.total_wh >= FULL_WH

    @property
    def is_beyond_target(self) -> Flags:
        """Whether one Wh more of the grid would count beyond the contract's demand."""
        return self.from_grid_wh >= self.below_target_wh - FULL_WH


@dataclass(frozen=True, slots=True)
class Weighed:
    """The demands (rows, by session) on the plan's slots (columns).

    `most_wh` is what a car could take in a slot by itself, `energy_wh` what it is planned to. `barred` says what bars
    one Wh more: OPEN (nothing), CLOSED (the car itself), SITE, or a feeder's number. `add` is what one Wh more costs on
    the car's side (infinite where barred), `cut` what one less saves (minus infinite where there is none): comfort and
    changes. `risk` is what a Wh costs because the car may have left, with probability `gone`. `above_wh` (per slot) is
    what all take of the site's room, `booked_wh` the bookings' part of it, `room_wh` how much there is.
    """

    cars: Cars
    feeder_ids: tuple[str, ...]
    times: Slots
    most_wh: Floats
    energy_wh: Floats
    barred: Ints
    add: Floats
    cut: Floats
    risk: Floats
    gone: Floats
    above_wh: Floats
    booked_wh: Floats
    room_wh: Floats
    supply: Supply


def weigh(snapshot: SiteSnapshot, made: ChargingPlan) -> Weighed:
    """Return what was weighed for a plan that was made of this snapshot."""
    now, slots = made.made_at, made.slots
    rooms = rooms_of(snapshot)
    cars = cars_of(snapshot, now, rooms.branch_of)
    times, count = slots_of(slots, now), len(cars.demands)
    curves = gone_shares(cars.outlooks, times)
    takers = takers_of(cars, curves)
    problem = instance(snapshot, rooms.above_w, rooms.branches, takers, slots, made.surplus_w, now)
    gone = curves.matrix()
    risk = gone * goals.risk_cost(snapshot.site.miss_cost_ratio)
    energy_wh = _energy_wh(problem, made, times, count + len(cars.booked))
    taken_wh, loads_wh = _filled(problem, energy_wh)
    bars = _bars(problem, loads_wh)
    share, is_lone = _shares(cars)
    arcs = problem.arcs
    comfort = arcs.cost.astype(float)
    is_told = arcs.car < count
    told = arcs.car[is_told], arcs.slot[is_told]
    comfort[is_told] -= np.rint(risk[told] * np.where(is_lone, share, 0.0)[told[0]])
    add, cut = _exchanges(problem, comfort, taken_wh, loads_wh, bars)
    most_wh = _per_car(problem, arcs.capacity_wh)
    entry = np.where(cars.branch < 0, SITE, cars.branch)
    why = np.where(energy_wh < most_wh, bars[entry], CLOSED)
    booked = (arcs.car >= count) & (arcs.car < count + len(cars.booked)) & (arcs.entry != FREE)
    return Weighed(
        cars=cars,
        feeder_ids=tuple(each.feeder_id for each in rooms.branches),
        times=times,
        most_wh=most_wh[:count],
        energy_wh=energy_wh[:count],
        barred=np.where(np.isfinite(add), OPEN, why)[:count],
        add=add[:count],
        cut=cut[:count],
        risk=risk * share[:, None],
        gone=gone,
        above_wh=loads_wh[SITE],
        booked_wh=_sums(arcs.slot[booked], taken_wh[booked], len(times.hours)),
        room_wh=(problem.supplies.calm_wh + problem.supplies.last_tier_wh).astype(float),
        supply=Supply(
            total_wh=energy_wh.sum(axis=0),
            sun_wh=problem.supplies.solar_wh.astype(float),
            below_target_wh=problem.supplies.grid_wh.astype(float),
            sun_cost=problem.supplies.solar_cost.astype(float),
            grid_cost=problem.supplies.grid_cost.astype(float),
        ),
    )


def _exchanges(
    problem: Problem, comfort: Floats, taken_wh: Floats, loads_wh: Floats, bars: Ints
) -> tuple[Floats, Floats]:
    """Return per car and slot what a Wh more would cost besides its supply (inf: none), and what one less would save.

    `comfort` is the arcs' cost without the risk.
    """
    arcs, shape = problem.arcs, (problem.car_count, loads_wh.shape[1])
    is_open = bars[np.maximum(arcs.entry, SITE), arcs.slot] == OPEN
    may_more = (taken_wh < arcs.capacity_wh) & ((arcs.entry == FREE) | is_open)
    add, cut = np.full(shape, np.inf), np.full(shape, -np.inf)
    more, less = (
        comfort + np.where(arcs.entry != FREE, each[arcs.slot], 0) for each in _tiers(problem, loads_wh[SITE])
    )
    np.minimum.at(add, (arcs.car[may_more], arcs.slot[may_more]), more[may_more])
    np.maximum.at(cut, (arcs.car[taken_wh > 0], arcs.slot[taken_wh > 0]), less[taken_wh > 0])
    return add, cut


def _energy_wh(problem: Problem, made: ChargingPlan, times: Slots, promised_count: int) -> Floats:
    """Return the plan's energy per car and slot; that of expected arrivals, which it does not keep, is solved for."""
    energy_wh = np.zeros((problem.car_count, len(times.hours)))
    if problem.car_count > promised_count:
        energy_wh[promised_count:] = solve(problem).energy_wh[promised_count:]
    powers_w = [line.power_w for line in made.lines] + [line.power_w for line in made.expected]
    if powers_w:
        energy_wh[:promised_count] = np.rint(np.array(powers_w) * times.hours)
    return energy_wh


def _filled(problem: Problem, energy_wh: Floats) -> tuple[Floats, Floats]:
    """Return what runs over every arc, and through the trunks and the site (last row) above defaults.

    The cheapest of a car's arcs into a slot first; in slots in which there is no room for that, what is free first
    (which is a little off within a departure buffer: part of what is not free may be cheaper there).
    """
    cheap_wh = _taken_wh(problem, energy_wh, np.zeros(energy_wh.shape[1], dtype=bool))
    supplies = problem.supplies
    room_wh = np.vstack([*(each.above_wh for each in problem.trunks), supplies.calm_wh + supplies.last_tier_wh])
    is_scarce: Flags = np.any(_loads_wh(problem, cheap_wh) >= room_wh - FULL_WH, axis=0)
    taken_wh = _taken_wh(problem, energy_wh, is_scarce)
    return taken_wh, _loads_wh(problem, taken_wh)


def _taken_wh(problem: Problem, energy_wh: Floats, is_scarce: Flags) -> Floats:
    arcs, slots = problem.arcs, energy_wh.shape[1]
    is_above = arcs.entry != FREE
    order = np.lexsort((is_above, arcs.cost, is_above & is_scarce[arcs.slot], arcs.slot, arcs.car))
    group = (arcs.car * slots + arcs.slot)[order]
    capacity_wh = arcs.capacity_wh[order].astype(float)
    until_wh = np.cumsum(capacity_wh)
    is_first = np.r_[True, group[1:] != group[:-1]] if len(group) else np.zeros(0, dtype=bool)
    start_wh = (until_wh - capacity_wh)[is_first][np.cumsum(is_first) - 1] if len(group) else until_wh
    before_wh = until_wh - capacity_wh - start_wh
    taken_wh = np.zeros(len(order))
    taken_wh[order] = np.clip(energy_wh.ravel()[group] - before_wh, 0.0, capacity_wh)
    return taken_wh


def _loads_wh(problem: Problem, taken_wh: Floats) -> Floats:
    """Return what runs through every trunk (rows) and the site (last row) above defaults, per slot."""
    slots, trunks = len(problem.supplies.solar_wh), problem.trunks
    arcs, is_above = problem.arcs, problem.arcs.entry != FREE
    rows = np.where(arcs.entry == SITE, len(trunks), arcs.entry)[is_above]
    places = rows * slots + arcs.slot[is_above]
    loads_wh = _sums(places, taken_wh[is_above], (len(trunks) + 1) * slots).reshape(len(trunks) + 1, slots)
    for number in reversed(range(len(trunks))):
        parent = trunks[number].parent
        loads_wh[len(trunks) if parent is None else parent] += loads_wh[number]
    return loads_wh


def _bars(problem: Problem, loads_wh: Floats) -> Ints:
    """Return per entry (trunks, last the site) and slot what is full first on the way up: its number, SITE, or OPEN."""
    site_wh = problem.supplies.calm_wh + problem.supplies.last_tier_wh
    bars = np.full(loads_wh.shape, OPEN, dtype=np.int64)
    bars[SITE] = np.where(loads_wh[SITE] >= site_wh - FULL_WH, SITE, OPEN)
    for number, trunk in enumerate(problem.trunks):
        above = bars[SITE if trunk.parent is None else trunk.parent]
        bars[number] = np.where(loads_wh[number] >= trunk.above_wh - FULL_WH, number, above)
    return bars


def _tiers(problem: Problem, site_wh: Floats) -> tuple[Floats, Floats]:
    """Return what one Wh more above defaults costs, and one less saves, because the site gets crowded; per slot."""
    supplies = problem.supplies
    more, less = site_wh >= supplies.calm_wh, site_wh > supplies.calm_wh
    return supplies.last_tier_cost * more.astype(float), supplies.last_tier_cost * less.astype(float)


def _per_car(problem: Problem, values_wh: Ints) -> Floats:
    slots = len(problem.supplies.solar_wh)
    places = problem.arcs.car * slots + problem.arcs.slot
    return _sums(places, values_wh.astype(float), problem.car_count * slots).reshape(problem.car_count, slots)


def _sums(places: Ints, values: Floats, count: int) -> Floats:
    return np.bincount(places, values, count).astype(float)


def _shares(cars: Cars) -> tuple[Floats, Flags]:
    """Return per demand how sure it takes what it asked for (the mean over its parts), and whether that is one part."""
    parts = [blocks_of(each, int(need)) for each, need in zip(cars.outlooks, cars.need_wh, strict=False)]
    wholes_wh = [max(FULL_WH, sum(each.energy_wh for each in blocks)) for blocks in parts]
    shares = [
        sum(each.energy_wh * each.share for each in blocks) / whole_wh if whole_wh > FULL_WH else blocks[0].share
        for blocks, whole_wh in zip(parts, wholes_wh, strict=True)
    ]
    return np.array(shares, dtype=float), np.array([len(blocks) == 1 for blocks in parts], dtype=bool)
