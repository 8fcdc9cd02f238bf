"""The day's sun and building, scaled to the car park, and the naive forecast of the sun."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from simulators import records
from simulators.electrical import Series, Steps

STEP_S = 900
BUILDING_SHARE = 0.5
SCALING_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Sun:
    """PV and building load of a whole local day in quarter hours, and what was forecast of the PV. All in W."""

    pv: Steps
    building: Steps
    forecast_pv: Steps

    @property
    def surplus(self) -> Steps:
        """What the building leaves of the sun, never negative."""
        return Steps(self.pv.starts_s, STEP_S, np.maximum(self.pv.power_w - self.building.power_w, 0.0))


def _surplus_wh(pv_w: Series, building_w: Series) -> float:
    return float(np.maximum(pv_w - building_w, 0.0).sum()) * STEP_S / 3600


def _pv_ratio(pv_w: Series, building_w: Series, wanted_wh: float) -> float:
    """Return k such that the surplus of k·PV over the building is `wanted_wh` (bisection: it rises with k)."""
    low, high = 0.0, 1.0
    while _surplus_wh(high * pv_w, building_w) < wanted_wh:
        high *= 2
    for _ in range(SCALING_ROUNDS):
        middle = (low + high) / 2
        if _surplus_wh(middle * pv_w, building_w) < wanted_wh:
            low = middle
        else:
            high = middle
    return high


def sun_of(day: date, *, midnight_s: int, starts_s: int, ends_s: int, need_wh: float, surplus_ratio: float) -> Sun:
    """Return the sun of a day whose cars need `need_wh` between `starts_s` and `ends_s`.

    The surplus between these times is `surplus_ratio` times the need; the building's mean is half of the cars' mean.
    The forecast is each slot's mean over the 20 whole days before, and never looks at the day itself.
    """
    pv_w, load_w = np.array(records.pv_w(day)), np.array(records.load_w(day))
    open_slots = slice((starts_s - midnight_s) // STEP_S, (ends_s - midnight_s) // STEP_S)
    ev_mean_w = need_wh / ((ends_s - starts_s) / 3600)
    building_w = np.round(load_w * BUILDING_SHARE * ev_mean_w / load_w[open_slots].mean(), 1)
    k = _pv_ratio(pv_w[open_slots], building_w[open_slots], surplus_ratio * need_wh)
    forecast_w = np.mean(np.array(records.earlier_pv_w(day)), axis=0)
    return Sun(
        Steps(midnight_s, STEP_S, np.round(k * pv_w, 1)),
        Steps(midnight_s, STEP_S, building_w),
        Steps(midnight_s, STEP_S, np.round(k * forecast_w, 1)),
    )
