"""The expected surplus: a pushed forecast, scaled by how the sun has lately compared with it."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from app.domain.intervals import Interval, slots_between
from app.domain.snapshot import SurplusSlot

FRESH = timedelta(minutes=5)
RECENT = timedelta(hours=1)
RELAXATION = timedelta(hours=3)
LARGEST_RATIO = 2.0
DARK_W = 50.0

Reading = tuple[datetime, float, float]


def measured_surplus_w(readings: Sequence[Reading], now: datetime) -> float | None:
    """Return the newest reading's surplus; None if it is older than 5 minutes or there is none."""
    if not readings or now - readings[-1][0] > FRESH:
        return None
    _, pv_w, building_w = readings[-1]
    return max(0.0, pv_w - building_w)


def expected_surplus(
    *,
    starts_at: datetime,
    step: timedelta,
    pv_w: Sequence[float],
    building_w: Sequence[float],
    readings: Sequence[Reading],
    now: datetime,
    until_at: datetime,
) -> tuple[SurplusSlot, ...]:
    """Return the surplus of every planning slot in [now, until_at).

    Forecast PV × ratio of the last hour's measured to forecast PV, relaxing to 1 with a time constant of 3 h, minus the
    forecast building load; the current slot is the newest fresh reading. Without a forecast the newest reading fades
    with the same time constant.
    """
    ratio = _recent_ratio(starts_at, step, pv_w, readings, now)
    measured_w = measured_surplus_w(readings, now)
    slots: list[SurplusSlot] = []
    for number, slot in enumerate(slots_between(now, until_at)):
        if number == 0 and measured_w is not None:
            slots.append(SurplusSlot(slot, measured_w))
            continue
        ahead = (slot.start_at - now) / RELAXATION
        sun_w = _power_w_at(slot, starts_at, step, pv_w)
        if sun_w is None:
            slots.append(SurplusSlot(slot, (measured_w or 0.0) * math.exp(-ahead)))
            continue
        load_w = _power_w_at(slot, starts_at, step, building_w) or 0.0
        slots.append(SurplusSlot(slot, max(0.0, sun_w * (1 + (ratio - 1) * math.exp(-ahead)) - load_w)))
    return tuple(slots)


def _power_w_at(slot: Interval, starts_at: datetime, step: timedelta, powers_w: Sequence[float]) -> float | None:
    """Return the forecast's mean power at the middle of a slot; None outside of it."""
    number = (slot.start_at + slot.span / 2 - starts_at) // step
    return powers_w[number] if 0 <= number < len(powers_w) else None


def _recent_ratio(
    starts_at: datetime, step: timedelta, pv_w: Sequence[float], readings: Sequence[Reading], now: datetime
) -> float:
    """Return measured over forecast PV energy of the last hour's readings, within [0, 2]; 1 in the dark."""
    measured_sum = forecast_sum = 0.0
    for at, sun_w, _ in readings:
        number = (at - timedelta(seconds=1) - starts_at) // step
        if now - at <= RECENT and 0 <= number < len(pv_w):
            measured_sum += sun_w
            forecast_sum += pv_w[number]
    if forecast_sum <= DARK_W * max(1, len(readings)):
        return 1.0
    return min(LARGEST_RATIO, measured_sum / forecast_sum)
