"""The expected surplus: a pushed forecast, scaled by how the sun has lately compared with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.intervals import Interval, slots_between
from app.domain.snapshot import SurplusSlot

FRESH = timedelta(minutes=5)
RECENT = timedelta(hours=1)
RELAXATION = timedelta(hours=3)
LARGEST_RATIO = 2.0
DARK_W = 50.0
HOPE_SHARE = 0.25
SURE_HOPE_SHARE = 1.0

Reading = tuple[datetime, float, float]


@dataclass(frozen=True, slots=True)
class Told:
    """A forecast as it was issued: mean powers in W on a regular grid; `low_w` and `high_w` are the PV's P10 and P90.

    Without a band these are None; without any forecast all are empty.
    """

    starts_at: datetime
    step: timedelta
    pv_w: Sequence[float]
    building_w: Sequence[float]
    low_w: Sequence[float] | None = None
    high_w: Sequence[float] | None = None


def measured_surplus_w(readings: Sequence[Reading], now: datetime) -> float | None:
    """Return the newest reading's surplus; None if it is older than 5 minutes or there is none."""
    balance_w = _measured_balance_w(readings, now)
    return None if balance_w is None else max(0.0, balance_w)


def _measured_balance_w(readings: Sequence[Reading], now: datetime) -> float | None:
    if not readings or now - readings[-1][0] > FRESH:
        return None
    _, pv_w, building_w = readings[-1]
    return pv_w - building_w


def reckoned_w(slot: SurplusSlot, *, is_stay_sure: bool = False) -> float:
    """Return the surplus that a plan reckons with: P50 and a quarter of the way from there to P90.

    A kWh bought from the grid is a sure loss, while waiting for the sun keeps the choice: it pays to hope a little (see
    record 0018 for what other mixtures and slices of the band gave), and for P90 where nobody leaves before what is
    known of the departure, for then waiting risks nothing. Without a band it is what is expected.
    """
    if slot.high_w is None:
        return slot.surplus_w
    share = SURE_HOPE_SHARE if is_stay_sure else HOPE_SHARE
    return slot.surplus_w + share * max(0.0, slot.high_w - slot.surplus_w)


def expected_surplus(
    told: Told, *, readings: Sequence[Reading], now: datetime, until_at: datetime
) -> tuple[SurplusSlot, ...]:
    """Return the surplus of every planning slot in [now, until_at), with its band and deficit where they are known.

    Forecast PV × ratio of the last hour's measured to forecast PV, relaxing to 1 with a time constant of 3 h, minus the
    forecast building load; the current slot is the newest fresh reading. Without a forecast the newest reading fades
    with the same time constant.
    """
    ratio = _recent_ratio(told, readings, now)
    balance_w = _measured_balance_w(readings, now)
    slots: list[SurplusSlot] = []
    for number, slot in enumerate(slots_between(now, until_at)):
        if number == 0 and balance_w is not None:
            slots.append(SurplusSlot(slot, max(0.0, balance_w), deficit_w=max(0.0, -balance_w)))
            continue
        kept_share = math.exp(-(slot.start_at - now) / RELAXATION)
        made = _told_slot(told, slot, 1 + (ratio - 1) * kept_share)
        slots.append(made or SurplusSlot(slot, max(0.0, balance_w or 0.0) * kept_share))
    return tuple(slots)


def _told_slot(told: Told, slot: Interval, factor: float) -> SurplusSlot | None:
    """Return what was told of a slot, with `factor` × the sun; None where nothing was."""
    sun_w = _power_w_at(told, slot, told.pv_w)
    if sun_w is None:
        return None
    load_w = _power_w_at(told, slot, told.building_w) or 0.0
    low_w, high_w = (
        None if powers_w is None or (each_w := _power_w_at(told, slot, powers_w)) is None
        else max(0.0, each_w * factor - load_w)
        for powers_w in (told.low_w, told.high_w)
    )  # fmt: skip
    balance_w = sun_w * factor - load_w
    return SurplusSlot(slot, max(0.0, balance_w), low_w, high_w, max(0.0, -balance_w))


def _power_w_at(told: Told, slot: Interval, powers_w: Sequence[float]) -> float | None:
    """Return the forecast's mean power at the middle of a slot; None outside of it."""
    number = (slot.start_at + slot.span / 2 - told.starts_at) // told.step
    return powers_w[number] if 0 <= number < len(powers_w) else None


def _recent_ratio(told: Told, readings: Sequence[Reading], now: datetime) -> float:
    """Return measured over forecast PV energy of the last hour's readings, within [0, 2]; 1 in the dark."""
    measured_sum = forecast_sum = 0.0
    for at, sun_w, _ in readings:
        number = (at - timedelta(seconds=1) - told.starts_at) // told.step
        if now - at <= RECENT and 0 <= number < len(told.pv_w):
            measured_sum += sun_w
            forecast_sum += told.pv_w[number]
    if forecast_sum <= DARK_W * max(1, len(readings)):
        return 1.0
    return min(LARGEST_RATIO, measured_sum / forecast_sum)
