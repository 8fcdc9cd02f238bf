"""The 30-minute demand guard: the mean drawn per half hour of the site's clock stays under the contract's (INV-3).

It only ever lowers. A reduction may be lost and take hold only with the end of the leases (the reaction): what the
cars may draw now has to leave the rest feasible even then, in this half hour and the next, and where they may still
draw more than that, the rest gets so much less. It aims a little below the target, so that small deviations, which are
let be, do not reach it. What was not measured counts as the reserve with all that the cars may draw. Feeding in takes
nothing off what was drawn.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.intervals import MARKET_SLOT, market_slot_start
from app.domain.limits import EvseLedger
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.units import energy_wh, mean_power_w
from app.scheduling.feeders import Grid
from app.scheduling.ledger import base_w
from app.scheduling.uncontrolled import STALE, Sample

SLACK = timedelta(seconds=60)
BETWEEN = timedelta(seconds=30)  # from a reading to the orders it brings about, and the car's own ramp
SPREAD = timedelta(minutes=5)
AIM_SHARE = 0.99
BAND_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Cars:
    """What cars may draw: `busy_w` those that want energy, `floor_w` they at their safe power, `idle_w` the others.

    `slack` is how much later than meant a lease may end at the slowest station.
    """

    busy_w: float
    floor_w: float
    idle_w: float
    slack: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Guarded:
    """What the guard allows all cars that want energy together, and how the half hour would end at their safe power.

    `is_feasible` is False where even that exceeds the target.
    """

    starts_at: datetime
    target_w: float
    cap_w: float
    drawn_wh: float
    least_mean_w: float

    @property
    def is_feasible(self) -> bool:
        """Whether the target can be met."""
        return self.least_mean_w <= self.target_w


def cars_of(
    evses: Sequence[EvseSpec],
    ledgers: Mapping[int, EvseLedger],
    possible_w: Mapping[int, float],
    busy: Collection[int],
) -> Cars:
    """Return what the cars may draw; an EVSE with more than its base in force is busy, whatever is said of it."""
    bases_w = {evse_id: base_w(ledger) for evse_id, ledger in ledgers.items()}
    drawing = {evse_id for evse_id in possible_w if evse_id in busy or possible_w[evse_id] > bases_w[evse_id]}
    return Cars(
        busy_w=sum(possible_w[evse_id] for evse_id in drawing),
        floor_w=sum(bases_w[evse_id] for evse_id in drawing),
        idle_w=sum(power_w for evse_id, power_w in possible_w.items() if evse_id not in drawing),
        slack=max((evse.lease_slack for evse in evses if evse.evse_id in drawing), default=timedelta(0)),
    )


def slot_of(site: SiteSpec, now: datetime) -> datetime:
    """Return when the half hour of the site's clock began."""
    return market_slot_start(now, ZoneInfo(site.zone)).astimezone(UTC)


def guarded(
    site: SiteSpec, samples: Sequence[Sample], cars: Cars, load_w: float, expected_w: float, now: datetime
) -> Guarded | None:
    """Return what the guard allows now; None without a target.

    `samples` are the half hour's readings of the power drawn, by the time they were heard. `load_w` bounds the
    uncontrolled load until a reduction is in force for certain (B⁺), `expected_w` is what it is now.
    """
    if site.demand_target_w is None:
        return None
    target_w, starts_at = site.demand_target_w, slot_of(site, now)
    rest = max(starts_at + MARKET_SLOT - now, timedelta(seconds=1))
    drawn_wh = _drawn_wh(site, samples, cars, load_w, starts_at, now)
    whole_wh = energy_wh(AIM_SHARE * target_w, MARKET_SLOT)
    left_wh = whole_wh - drawn_wh
    reaction = min(site.lease + site.settle + max(SLACK, cars.slack + BETWEEN), MARKET_SLOT)
    far_w = min(cars.floor_w + max(site.reserve_w, load_w), AIM_SHARE * target_w)
    allowed_w = min(
        _until_reaction_w(left_wh, rest, far_w, reaction),
        _until_reaction_w(whole_wh, MARKET_SLOT, far_w, reaction),
        _spread_w(left_wh, rest, AIM_SHARE * target_w),
        _after_reaction_w(left_wh, rest, cars.busy_w + load_w - BAND_SHARE * target_w, reaction),
    )
    least_wh = drawn_wh + energy_wh(cars.floor_w + expected_w, rest)
    return Guarded(
        starts_at=starts_at,
        target_w=target_w,
        cap_w=max(0.0, allowed_w - load_w),
        drawn_wh=drawn_wh,
        least_mean_w=mean_power_w(least_wh, MARKET_SLOT),
    )


def capped(grid: Grid, cap_w: float | None, cars: Cars) -> Grid:
    """Return the site's rows with what the guard allows; EVSEs where nothing is wanted are not among its cars."""
    if cap_w is None:
        return grid
    site, *others = grid.rows
    return replace(grid, rows=(replace(site, capacity=min(site.capacity, cap_w + cars.idle_w)), *others))


def _until_reaction_w(left_wh: float, rest: timedelta, far_w: float, reaction: timedelta) -> float:
    """Return the mean power until a reduction is in force for certain, so that `far_w` may follow it."""
    near = min(rest, reaction)
    return mean_power_w(left_wh - energy_wh(far_w, rest - near), near)


def _after_reaction_w(left_wh: float, rest: timedelta, until_w: float, reaction: timedelta) -> float:
    """Return the mean power that is left where `until_w` goes on until a reduction is in force for certain."""
    far = rest - reaction
    return math.inf if far < timedelta(seconds=1) else mean_power_w(left_wh - energy_wh(until_w, reaction), far)


def _spread_w(left_wh: float, rest: timedelta, target_w: float) -> float:
    """Return what is left as a steady power; what was saved is spread over some minutes, also beyond the half hour."""
    steady_w = mean_power_w(left_wh, rest)
    if rest >= SPREAD:
        return steady_w
    return min(steady_w, mean_power_w(left_wh + energy_wh(target_w, SPREAD - rest), SPREAD))


def _drawn_wh(
    site: SiteSpec, samples: Sequence[Sample], cars: Cars, load_w: float, starts_at: datetime, now: datetime
) -> float:
    """Return what was drawn since the half hour began. Readings that are more than 10 s apart leave a gap."""
    drawn_wh, known_at, known_w = 0.0, starts_at, 0.0
    unknown_w = site.reserve_w + cars.busy_w
    for at, grid_w in samples:
        if not (starts_at < at <= now and math.isfinite(grid_w)):
            continue
        power_w = max(0.0, grid_w)
        steady_w = power_w if at - known_at <= STALE else max(power_w, known_w, unknown_w)
        drawn_wh += energy_wh(steady_w, at - known_at)
        known_at, known_w = at, power_w
    tail = now - known_at
    since_w = load_w + cars.busy_w if tail <= STALE else unknown_w
    return drawn_wh + energy_wh(max(known_w, since_w), tail)
