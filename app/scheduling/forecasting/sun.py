"""One forecast of the sun: by the best method that the history is long enough for, within what the site has ever given.

`learnt` from 30 days on; `climatology` from 3 days on (the index relaxes to that of the last 20 days, and the band is
that of its own errors there); `persistence` where only the clear sky is known, from the site's coordinates.
"""

from dataclasses import dataclass

import numpy as np

from app.scheduling.forecasting.bands import calibrated
from app.scheduling.forecasting.learner import LearntSun
from app.scheduling.forecasting.persistence import LIT_SHARE, persistence_w
from app.scheduling.forecasting.series import SLOTS_PER_DAY, SLOTS_PER_HOUR, Powers, Series, Slots

LEARNT, CLIMATOLOGY, PERSISTENCE = "learnt", "climatology", "persistence"
LEAST_DAYS_COUNT = 3
ERROR_DAYS_COUNT = 20
ERROR_LEADS = np.array([1, 2, 4, 6, 9, 12, 18, 24, 36, 48, 72, 96, 120, 144])
HIGHEST_FACTOR = 1.1


@dataclass(frozen=True, slots=True)
class SunForecast:
    """PV of the slots from the issue on, in W; `p10_w` and `p90_w` are None where the band is not known."""

    method: str
    p50_w: Powers
    p10_w: Powers | None = None
    p90_w: Powers | None = None


def sun_forecast(
    pv: Series, clear: Series, capacity_w: float, issue: int, count: int, learnt: LearntSun | None = None
) -> SunForecast | None:
    """Return the forecast of `count` slots from slot `issue` on; None where neither history nor clear sky is known.

    `pv` is what was measured before the issue, `clear` the clear sky of it and of the slots ahead, `capacity_w` the
    highest power of the site. Never negative, 0 where the clear sky is, at most 1.1 × the capacity.
    """
    leads = np.arange(1, count + 1)
    if not np.nansum(clear.window_w(issue, issue + count)) or capacity_w <= 0:
        return None
    return sun_pairs(pv, clear, capacity_w, np.full(count, issue), leads, learnt)


def sun_pairs(
    pv: Series, clear: Series, capacity_w: float, issues: Slots, leads: Slots, learnt: LearntSun | None = None
) -> SunForecast:
    """Return the forecasts of pairs (issue, lead) given side by side, otherwise like `sun_forecast`.

    `pv` may reach beyond the issues: each of them looks only at what was measured before it, and the band of past
    errors only at what was measured before the first of them.
    """
    known = pv.before(int(issues.min()))
    if learnt is not None:
        lower_w, middle_w, upper_w = learnt.quantiles_w(pv, clear, issues, leads)
        made = SunForecast(LEARNT, middle_w, lower_w, upper_w)
    else:
        middle_w = persistence_w(pv, clear, capacity_w, issues, leads)
        if known.measured_days_count() >= LEAST_DAYS_COUNT:
            lower_w, upper_w = _band_of_errors_w(known, clear, capacity_w, middle_w, issues, leads)
            made = SunForecast(CLIMATOLOGY, middle_w, lower_w, upper_w)
        else:
            made = SunForecast(PERSISTENCE, middle_w)
    return SunForecast(
        made.method,
        _bounded_w(made.p50_w, capacity_w),
        None if made.p10_w is None else _bounded_w(made.p10_w, capacity_w),
        None if made.p90_w is None else _bounded_w(made.p90_w, capacity_w),
    )


def _band_of_errors_w(
    pv: Series, clear: Series, capacity_w: float, middle_w: Powers, issues: Slots, leads: Slots
) -> tuple[Powers, Powers]:
    """Return the band that the same persistence would have needed on the last 20 days, hour by hour."""
    first = max(pv.first + SLOTS_PER_DAY, pv.until - ERROR_DAYS_COUNT * SLOTS_PER_DAY)
    past = np.arange(first, pv.until, SLOTS_PER_HOUR)
    past_issues, past_leads = (side.ravel() for side in np.meshgrid(past, ERROR_LEADS, indexing="ij"))
    told_w = persistence_w(pv, clear, capacity_w, past_issues, past_leads)
    targets = past_issues + past_leads - 1
    truth_w, past_clear_w = pv.powers_w_at(targets), clear.powers_w_at(targets)
    is_pair = (past_clear_w > LIT_SHARE * capacity_w) & np.isfinite(truth_w) & np.isfinite(told_w)
    told_w, truth_w, past_clear_w = told_w[is_pair], truth_w[is_pair], past_clear_w[is_pair]
    days_count = (pv.until - first) // SLOTS_PER_DAY
    band = calibrated(told_w, told_w, truth_w, past_clear_w, past_leads[is_pair], days_count)
    clear_w = clear.powers_w_at(issues + leads - 1)
    lower_w, upper_w = band.lower_w(middle_w, clear_w, leads), band.upper_w(middle_w, clear_w, leads)
    return np.minimum(lower_w, middle_w), np.maximum(upper_w, middle_w)


def _bounded_w(powers_w: Powers, capacity_w: float) -> Powers:
    return np.clip(np.nan_to_num(powers_w, nan=0.0), 0.0, HIGHEST_FACTOR * capacity_w)
