"""The building's load: what it takes at this time on such a day, scaled by how much it takes today."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from app.domain.intervals import PLAN_SLOT
from app.scheduling.forecasting.series import (
    SLOTS_PER_DAY,
    SLOTS_PER_HOUR,
    Powers,
    Series,
    Slots,
    slot_start,
)

WEEKS_SLOTS = 28 * SLOTS_PER_DAY
RELAXATION_SLOTS = 3 * SLOTS_PER_HOUR
LEAST_RATIO, LARGEST_RATIO = 0.5, 2.0
SATURDAY = 5
HIGHEST_FACTOR = 1.1


def building_forecast_w(building: Series, issue: int, count: int, zone: ZoneInfo) -> Powers:
    """Return the load of `count` slots from slot `issue` on, in W.

    The median of the last 4 weeks at that local time on such a day (working day or weekend; any day where there was
    none such), × the last hour's ratio to it (0.5 to 2), which relaxes to 1 with a time constant of 3 h. Where that
    time was never measured, the median of everything; without any reading, 0.
    """
    past = np.arange(max(building.first, issue - WEEKS_SLOTS), issue)
    past_w = building.powers_w_at(past)
    past, past_w = past[np.isfinite(past_w)], past_w[np.isfinite(past_w)]
    if not len(past):
        return np.zeros(count)
    table_w = _medians_w(past_w, kinds_of(past, zone))
    recent, ahead = np.arange(issue - SLOTS_PER_HOUR, issue), np.arange(issue, issue + count)
    usual_w = table_w[kinds_of(ahead, zone)]
    recent_w, recent_usual_w = building.powers_w_at(recent), table_w[kinds_of(recent, zone)]
    is_known = np.isfinite(recent_w)
    usual_sum_w = float(recent_usual_w[is_known].sum())
    ratio = float(recent_w[is_known].sum()) / usual_sum_w if usual_sum_w > 0 else 1.0
    ratio = min(LARGEST_RATIO, max(LEAST_RATIO, ratio))
    kept_share = np.exp(-np.arange(count) / RELAXATION_SLOTS)
    return np.minimum(usual_w * (1 + (ratio - 1) * kept_share), HIGHEST_FACTOR * float(past_w.max()))


def kinds_of(slots: Slots, zone: ZoneInfo) -> Slots:
    """Return of each slot the local quarter hour of its day, from 96 on for a weekend's."""
    return np.array([_kind(slot_start(int(slot)).astimezone(zone)) for slot in slots], dtype=np.int64)


def _kind(local_at: datetime) -> int:
    since_midnight = timedelta(hours=local_at.hour, minutes=local_at.minute)
    return since_midnight // PLAN_SLOT + (SLOTS_PER_DAY if local_at.weekday() >= SATURDAY else 0)


def _medians_w(past_w: Powers, kinds: Slots) -> Powers:
    """Return the median of each kind; of the other kind of day, or of everything, where there is none."""
    table_w = np.full(2 * SLOTS_PER_DAY, np.nan)
    for kind in np.unique(kinds):
        table_w[kind] = np.median(past_w[kinds == kind])
    other_w = np.roll(table_w, SLOTS_PER_DAY)
    table_w = np.where(np.isnan(table_w), other_w, table_w)
    return np.where(np.isnan(table_w), np.median(past_w), table_w)
