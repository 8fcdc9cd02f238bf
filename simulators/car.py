"""Cars: what they want, how fast they can take it, and how that falls near the end (IEC 61851 AC charging)."""

import math
from dataclasses import dataclass

MIN_CURRENT_A = 6.0
TAPER_WH = 2000.0
TAPER_END_W = 1300.0

Taper = tuple[tuple[float, float], ...]


@dataclass(slots=True)
class Car:
    """A plugged-in car. It is full, and stops, when `need_wh` is delivered.

    `taper` are concave caps as lines (slope in W per Wh delivered, intercept in W): the power stays below all of them.
    """

    need_wh: float
    max_power_w: float
    taper: Taper = ()
    battery_wh: float = 60_000.0
    delivered_wh: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self.delivered_wh >= self.need_wh

    def acceptable_w(self) -> float:
        """Return the power that it would take right now."""
        if self.is_full:
            return 0.0
        power_w = self.max_power_w
        for slope, intercept_w in self.taper:
            power_w = min(power_w, slope * self.delivered_wh + intercept_w)
        return power_w


def taper_of(need_wh: float, power_w: float, end_w: float = TAPER_END_W) -> Taper:
    """Return the line along which the power falls from `power_w` to `end_w` over the last `TAPER_WH` of the need."""
    slope = (power_w - end_w) / TAPER_WH
    return ((-slope, end_w + slope * need_wh),)


def fill_s(need_wh: float, power_w: float, end_w: float = TAPER_END_W) -> float:
    """Return how long it takes to fill a need at `power_w`, including the taper, in seconds."""
    tapered_wh = min(need_wh, TAPER_WH)
    slope = (power_w - end_w) / TAPER_WH
    if slope <= 0:
        return need_wh / power_w * 3600
    tapered_h = math.log((end_w + slope * tapered_wh) / end_w) / slope
    return ((need_wh - tapered_wh) / power_w + tapered_h) * 3600


def fillable_wh(wanted_wh: float, stay_s: float, power_w: float, end_w: float = TAPER_END_W) -> float:
    """Return the most of `wanted_wh` that can be filled within `stay_s` at `power_w`, in whole Wh."""
    low_wh, high_wh = 0.0, wanted_wh
    if fill_s(high_wh, power_w, end_w) <= stay_s:
        return float(math.floor(high_wh))
    while high_wh - low_wh > 1.0:
        middle_wh = (low_wh + high_wh) / 2
        if fill_s(middle_wh, power_w, end_w) <= stay_s:
            low_wh = middle_wh
        else:
            high_wh = middle_wh
    return float(math.floor(low_wh))
