"""What Sunslot may learn of stays in a replay: those that were over when the day at hand began, never one more.

All recorded stays are learnt from, those of days that are not replayed too: the service has run before. They count with
what the cars really took. Everything is learnt anew once a week (the service: once a day); in between each stay that is
over is added.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.backtest.records import SessionRecord
from app.domain.stays import Guest, PastStay, StayOutlook
from app.scheduling.staying.learner import learn
from app.scheduling.staying.learnt import LearntStays
from app.scheduling.staying.outlooks import outlooks

ZONE = ZoneInfo("UTC")  # records are told by the site's own clock
ANEW_AFTER = timedelta(days=7)


class PastDays:
    """What had been learnt when each of the days began."""

    def __init__(self, learnt: Mapping[date, LearntStays]) -> None:
        self._learnt = learnt

    def outlooks(self, guests: Sequence[Guest], day: date, now: datetime, count: int) -> Sequence[StayOutlook]:
        """Return what is thought of cars that are there, for `count` slots."""
        return outlooks(self._learnt[day], guests, now, count)


def learnt_before(records: Sequence[SessionRecord], days: Sequence[date]) -> dict[date, LearntStays]:
    """Return, for each of the days in order, what its stays before could teach."""
    stays = sorted((_past_stay(record) for record in records), key=lambda stay: stay.left_at)
    found: dict[date, LearntStays] = {}
    learnt: LearntStays | None = None
    anew_at, counted = datetime.min.replace(tzinfo=UTC), 0
    for day in days:
        until_at = datetime.combine(day, time(), tzinfo=UTC)
        if learnt is None or until_at >= anew_at:
            learnt, anew_at = learn(stays, ZONE, until_at), until_at + ANEW_AFTER
            while counted < len(stays) and stays[counted].left_at <= until_at:
                counted += 1
        while counted < len(stays) and stays[counted].left_at <= until_at:
            learnt = learnt.with_stay(stays[counted])
            counted += 1
        found[day] = learnt
    return found


def _past_stay(record: SessionRecord) -> PastStay:
    return PastStay(
        driver=record.user or None,
        arrived_at=record.arrived_at.replace(tzinfo=UTC),
        left_at=record.left_at.replace(tzinfo=UTC),
        declared_at=None if record.declared_at is None else record.declared_at.replace(tzinfo=UTC),
        asked_wh=record.requested_wh,
        taken_wh=record.delivered_wh,
    )
