"""Stays as columns: clock times in slots of 15 minutes, counted from the local midnight before arrival."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.domain.intervals import PLAN_SLOT
from app.domain.stays import Guest, PastStay

NOBODY = -1
SLOTS_PER_HOUR = 4
SHORTEST = timedelta(minutes=1)

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Visits:
    """Stays, a row each. Clock times are slots from the local midnight before arrival (NaN: not known, not over).

    `driver` numbers people (-1: nobody known), `day` is the ordinal of the local date of arrival.
    """

    driver: Places
    day: Places
    arrived: Numbers
    left: Numbers
    declared: Numbers
    asked_wh: Numbers
    taken_wh: Numbers

    def __len__(self) -> int:
        return len(self.driver)

    @property
    def leaves_at(self) -> Numbers:
        """When they left, in slots since the first day of the calendar: what orders them in time."""
        return self.day * 96 + self.left

    def chosen(self, which: Places | Truths) -> "Visits":
        """Return some of the rows."""
        return Visits(*(getattr(self, each.name)[which] for each in fields(self)))

    def joined(self, other: "Visits") -> "Visits":
        """Return these rows and those of `other`."""
        return Visits(*(np.concatenate([getattr(self, each.name), getattr(other, each.name)]) for each in fields(self)))


def slots_count_of(at: datetime, midnight_at: datetime, zone: ZoneInfo) -> float:
    """Return the local clock time of an instant in slots from a naive local midnight."""
    return (at.astimezone(zone).replace(tzinfo=None) - midnight_at) / PLAN_SLOT


def midnight_before(at: datetime, zone: ZoneInfo) -> datetime:
    """Return the naive local midnight at or before an instant."""
    return at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)


def _row(
    stay: PastStay | Guest, number: int, left_at: datetime | None, zone: ZoneInfo
) -> tuple[int, int, float, float, float, float, float]:
    midnight = midnight_before(stay.arrived_at, zone)
    declared_at = stay.declared_at
    if declared_at is not None and declared_at - stay.arrived_at < SHORTEST:
        declared_at = None
    return (
        number,
        midnight.toordinal(),
        slots_count_of(stay.arrived_at, midnight, zone),
        np.nan if left_at is None else slots_count_of(left_at, midnight, zone),
        np.nan if declared_at is None else slots_count_of(declared_at, midnight, zone),
        np.nan if stay.asked_wh is None else stay.asked_wh,
        stay.taken_wh,
    )


def visits_of(stays: Sequence[PastStay] | Sequence[Guest], numbers: Mapping[str, int], zone: ZoneInfo) -> Visits:
    """Return stays as columns, in their order; a declared departure that is no later than arrival counts as none."""
    rows = [
        _row(
            stay,
            NOBODY if stay.driver is None else numbers.get(stay.driver, NOBODY),
            stay.left_at if isinstance(stay, PastStay) else None,
            zone,
        )
        for stay in stays
    ]
    columns = np.array(rows, dtype=float).reshape(len(rows), 7).T
    return Visits(columns[0].astype(np.int64), columns[1].astype(np.int64), *columns[2:])


def in_order(stays: Sequence[PastStay]) -> list[PastStay]:
    """Return stays by time, whatever order they came in."""
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(
        stays,
        key=lambda stay: (
            stay.left_at,
            stay.arrived_at,
            stay.driver or "",
            stay.declared_at or never,
            -1.0 if stay.asked_wh is None else stay.asked_wh,
            stay.taken_wh,
        ),
    )
