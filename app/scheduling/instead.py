"""What it would cost to charge now instead of when it is planned: grid energy, price and CO2."""

from collections.abc import Callable, Sequence
from datetime import datetime

from app.domain.explanation import NowInstead
from app.domain.plan import ChargingPlan
from app.domain.snapshot import GridSlot, SiteSnapshot
from app.domain.units import kwh_from_wh
from app.scheduling.weighing import OPEN, Weighed

SWAP_WH = 1000.0


def now_instead(weighed: Weighed, place: int, snapshot: SiteSnapshot, made: ChargingPlan) -> NowInstead | None:
    """Return what up to 1 kWh now instead of later would cost, the last of what is planned from the grid first.

    None where the car can take no more now, or nothing is planned for it later.
    """
    supply, energy_wh = weighed.supply, weighed.energy_wh[place]
    later_wh, free_wh = float(energy_wh[1:].sum()), float(weighed.most_wh[place, 0] - energy_wh[0])
    swap_wh = min(SWAP_WH, later_wh, free_wh)
    if weighed.barred[place, 0] != OPEN or swap_wh < 1:
        return None
    spare_sun_wh = max(0.0, float(supply.sun_wh[0] - supply.total_wh[0]))
    bought_wh = [(0, max(0.0, swap_wh - spare_sun_wh))]
    left_wh = swap_wh
    for number in sorted(range(1, len(energy_wh)), key=lambda each: (not supply.from_grid_wh[each] > 0, -each)):
        taken_wh = min(left_wh, float(energy_wh[number]))
        left_wh -= taken_wh
        bought_wh.append((number, -min(taken_wh, float(supply.from_grid_wh[number]))))
    told = [(_grid_at(snapshot, made.slots[number].start_at), wh) for number, wh in bought_wh if wh]
    return NowInstead(
        swap_wh,
        sum(wh for _, wh in bought_wh),
        _sum_cost(told, lambda slot: slot.price_per_kwh) if snapshot.grid else None,
        _sum_cost(told, lambda slot: slot.co2_g_per_kwh) if snapshot.grid else None,
    )


def price_cost(snapshot: SiteSnapshot, at: datetime) -> float | None:
    """Return what a kWh from the grid costs then; None where that is not told."""
    slot = _grid_at(snapshot, at)
    return None if slot is None else slot.price_per_kwh


def _grid_at(snapshot: SiteSnapshot, at: datetime) -> GridSlot | None:
    return next((each for each in snapshot.grid if each.interval.contains(at)), None)


def _sum_cost(
    told: Sequence[tuple[GridSlot | None, float]], cost_of: Callable[[GridSlot], float | None]
) -> float | None:
    """Return what Wh of the grid in slots cost together; None where that is not told."""
    costs = [(None if slot is None else cost_of(slot), wh) for slot, wh in told]
    if any(cost is None for cost, _ in costs):
        return None
    return sum((cost or 0.0) * kwh_from_wh(wh) for cost, wh in costs)
