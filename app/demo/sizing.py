"""How large the demo's site limit is: at most half of the summed nameplates, and small enough to bind."""

from datetime import datetime
from typing import Any

from app.backtest.foresight import ForesightCar, least_limit_w, perfect_foresight
from app.demo.report import FORESIGHT_STEP, foresight_cars, surplus_by_step
from app.domain.units import energy_wh, mean_power_w

HEADROOM_RATIO = 1.25
BINDING_SHARE = 0.95
SMALL_PARK_SHARE = 0.1
BUSIEST_STEPS = 6
WHOLE_W = 1000.0
SAFE_CURRENT_A = 6.0
SETTLED_SHARE = 0.9
HIGHEST_RESERVE_COST_SHARE = 0.01
ATTENDANCE_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


def default_limit_w(prepared: dict[str, Any]) -> float:
    """Return the site limit of a day that was prepared: whole kW, at most half of the summed nameplates.

    Below that it is what charging on sun alone would exceed for half an hour, so that it binds; but never less than a
    quarter above the least limit under which every car can still be filled. What one surprised station could draw comes
    on top, in a small park (under 16 stations), where that is much, also on top of the half.
    """
    stations = prepared["stations"]
    nameplates_w = sum(_nameplates_w(prepared))
    starts_at, ends_at = datetime.fromisoformat(prepared["starts_at"]), datetime.fromisoformat(prepared["ends_at"])
    cars = _cars(prepared)
    surplus_w = surplus_by_step(prepared, starts_at, ends_at)
    least_w = least_limit_w(cars, starts_at=starts_at, step=FORESIGHT_STEP, steps=len(surplus_w))
    busy_w = BINDING_SHARE * busiest_w(cars, surplus_w, starts_at)
    safe_w = SAFE_CURRENT_A * prepared["voltage_v"] * len(stations)
    wanted_w = max(HEADROOM_RATIO * least_w, busy_w) + _surprise_w(prepared)
    surprise_w = _surprise_w(prepared)
    least_useful_w = safe_w + WHOLE_W + surprise_w
    most_w = nameplates_w / 2
    if surprise_w > SMALL_PARK_SHARE * most_w:
        most_w += surprise_w
    return float(max(least_useful_w, min(most_w, wanted_w)) // WHOLE_W * WHOLE_W)


def _surprise_w(prepared: dict[str, Any]) -> float:
    """Return what one station could draw beyond its safe power: the site keeps that free for its surprise."""
    return float(max(_nameplates_w(prepared)) - SAFE_CURRENT_A * prepared["voltage_v"])


def _nameplates_w(prepared: dict[str, Any]) -> list[float]:
    return [each["max_current_a"] * each["phase_count"] * prepared["voltage_v"] for each in prepared["stations"]]


def _cars(prepared: dict[str, Any]) -> list[ForesightCar]:
    sessions = [
        {**each, "arrived_at": each["arrives_at"], "left_at": each["leaves_at"], "requested_wh": each["need_wh"]}
        for each in prepared["commuters"]
    ]
    return foresight_cars(prepared, sessions)


def reserve_cost_share(prepared: dict[str, Any], limit_w: float) -> float:
    """Return which share of perfect foresight's sun is out of reach because the limit is kept safely.

    Empty EVSEs keep their safe power, reserved for a car that comes while nobody steers; one station may forget its
    limit at any time; and a tenth of the rest is taken to be settling. Perfect foresight needs neither: it knows who
    comes, and cars obey at once. Where not every car can be filled that way, all of it is.
    """
    starts_at, ends_at = datetime.fromisoformat(prepared["starts_at"]), datetime.fromisoformat(prepared["ends_at"])
    cars, surplus_w = _cars(prepared), surplus_by_step(prepared, starts_at, ends_at)
    safe_w = SAFE_CURRENT_A * prepared["voltage_v"]
    surprise_w = _surprise_w(prepared)
    rooms_w = []
    for number in range(len(surplus_w)):
        at = starts_at + number * FORESIGHT_STEP
        here_count = sum(car.arrives_at <= at < car.leaves_at for car in cars)
        rooms_w.append(SETTLED_SHARE * (limit_w - surprise_w) - safe_w * (len(prepared["stations"]) - here_count))
    free = perfect_foresight(cars, surplus_w, starts_at=starts_at, step=FORESIGHT_STEP, limit_w=limit_w)
    try:
        safe = perfect_foresight(cars, surplus_w, starts_at=starts_at, step=FORESIGHT_STEP, limit_w=rooms_w)
    except RuntimeError:
        return 1.0
    return 1 - (safe.solar_wh / safe.delivered_wh) / (free.solar_wh / free.delivered_wh)


def busiest_w(cars: list[ForesightCar], surplus_w: list[float], starts_at: datetime) -> float:
    """Return the power that charging on sun alone, without a site limit, exceeds for half an hour of the day."""
    left_wh = [car.need_wh for car in cars]
    powers_w = []
    for number, sun_w in enumerate(surplus_w):
        at = starts_at + number * FORESIGHT_STEP
        here = [index for index, car in enumerate(cars) if car.arrives_at <= at < car.leaves_at]
        caps_w = {index: min(cars[index].max_power_w, mean_power_w(left_wh[index], FORESIGHT_STEP)) for index in here}
        share = min(1.0, sun_w / max(sum(caps_w.values()), 1.0))
        for index, cap_w in caps_w.items():
            left_wh[index] -= energy_wh(cap_w * share, FORESIGHT_STEP)
        powers_w.append(share * sum(caps_w.values()))
    return sorted(powers_w, reverse=True)[BUSIEST_STEPS]
