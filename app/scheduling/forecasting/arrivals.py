"""How many cars are expected to arrive in each slot: those that are booked, or as many as usually come."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.scheduling.forecasting.building import kinds_of
from app.scheduling.forecasting.series import SLOTS_PER_DAY, slot_number

WEEKS_SLOTS = 28 * SLOTS_PER_DAY

Counts = NDArray[np.float64]


def expected_arrivals(
    arrived_at: Sequence[datetime],
    booked_at: Sequence[datetime],
    issue: int,
    count: int,
    zone: ZoneInfo,
    known_from: int,
) -> Counts:
    """Return the expected arrivals of `count` slots from slot `issue` on.

    Usual is the mean count at that local time on such a day (working day or weekend) over the last 4 weeks, or since
    slot `known_from`. Whoever booked is one of those who usually come: of booked and usual, the larger counts.
    """
    first = max(known_from, issue - WEEKS_SLOTS)
    arrived = np.array([slot for at in arrived_at if first <= (slot := slot_number(at)) < issue], dtype=np.int64)
    seen_count = np.bincount(kinds_of(np.arange(first, issue), zone), minlength=2 * SLOTS_PER_DAY)
    came_count = np.bincount(kinds_of(arrived, zone), minlength=2 * SLOTS_PER_DAY)
    usual = came_count / np.maximum(seen_count, 1)
    booked = np.zeros(count)
    for at in booked_at:
        if 0 <= (place := slot_number(at) - issue) < count:
            booked[place] += 1
    return np.maximum(usual[kinds_of(np.arange(issue, issue + count), zone)], booked)
