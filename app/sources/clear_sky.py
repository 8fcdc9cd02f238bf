"""What a site's panels would give under a clear sky, from where they stand and how they look (pvlib).

pvlib takes seconds and some 100 MB to import: that happens at the first use, never at start-up.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from app.domain.intervals import PLAN_SLOT
from app.scheduling.forecasting.series import Series, slot_start

SYSTEM_SHARE = 0.86  # inverter, wiring, soiling: what of the panels' power arrives
LOSS_PER_DEGREE_SHARE = 0.004  # of silicon above 25 °C
CELL_DEGREES_PER_SUN_FACTOR = 30.0  # above 20 °C of air, at 1,000 W/m²
BEHIND_SUN_DEG = 20.0


@dataclass(frozen=True, slots=True)
class Panels:
    """Where a site's panels stand; `azimuth_deg` is clockwise from north (180: south), `tilt_deg` 0 is flat."""

    latitude_deg: float
    longitude_deg: float
    peak_w: float
    tilt_deg: float = BEHIND_SUN_DEG
    azimuth_deg: float = 180.0


def clear_sky_w(panels: Panels, first: int, until: int) -> Series:
    """Return the clear-sky power of the slots in [first, until): that of their middles, 0 at night.

    Ineichen–Perez clear sky with the climatological turbidity of the place, Hay–Davies transposition.
    """
    import pandas
    from pvlib import irradiance
    from pvlib.location import Location

    middle = slot_start(first) + PLAN_SLOT / 2
    times = pandas.date_range(middle, periods=until - first, freq=timedelta(minutes=15))
    place = Location(panels.latitude_deg, panels.longitude_deg)
    sun = place.get_solarposition(times)
    sky = place.get_clearsky(times, model="ineichen", solar_position=sun)
    plane = irradiance.get_total_irradiance(
        panels.tilt_deg,
        panels.azimuth_deg,
        sun["apparent_zenith"],
        sun["azimuth"],
        sky["dni"],
        sky["ghi"],
        sky["dhi"],
        dni_extra=irradiance.get_extra_radiation(times),
        model="haydavies",
    )
    suns = np.nan_to_num(plane["poa_global"].to_numpy(dtype=np.float64)) / 1000.0
    warmth_share = 1 - LOSS_PER_DEGREE_SHARE * (CELL_DEGREES_PER_SUN_FACTOR * suns - 5.0)
    return Series(first, np.maximum(0.0, panels.peak_w * SYSTEM_SHARE * suns * np.minimum(1.0, warmth_share)))
