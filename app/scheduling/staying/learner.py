"""Learning a site's stays: columns sorted by time, and trees where there is enough to learn from."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from app.domain.stays import PastStay
from app.scheduling.staying.hazards import fitted
from app.scheduling.staying.learnt import MOST_KEPT_COUNT, LearntStays, learnt_from
from app.scheduling.staying.visits import in_order, visits_of


def learn(stays: Sequence[PastStay], zone: ZoneInfo, until_at: datetime) -> LearntStays:
    """Learn from the newest 20,000 stays that were over by `until_at`, in whatever order they come.

    Some seconds of CPU from some hundreds of stays on (trees): run it in a thread, once a day or rarer; in between
    `LearntStays.with_stay` adds one. Raises ImportError or OSError where LightGBM cannot be loaded.
    """
    over = in_order([stay for stay in stays if stay.left_at <= until_at])[-MOST_KEPT_COUNT:]
    drivers = tuple(sorted({stay.driver for stay in over if stay.driver is not None}))
    visits = visits_of(over, {name: number for number, name in enumerate(drivers)}, zone)
    return learnt_from(zone, until_at, drivers, visits, fitted(visits))
