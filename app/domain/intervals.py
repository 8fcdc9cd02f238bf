"""Half-open time intervals and the two grids: planning (15 min UTC) and market (30 min of the site's zone)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

PLAN_SLOT = timedelta(minutes=15)
MARKET_SLOT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """`[start_at, end_at)`, both aware; raises ValueError when empty, reversed or naive."""

    start_at: datetime
    end_at: datetime

    def __post_init__(self) -> None:
        if self.start_at.tzinfo is None or self.end_at.tzinfo is None:
            raise ValueError("interval bounds must carry a time zone")
        if self.end_at <= self.start_at:
            raise ValueError("interval must end after it starts")

    @property
    def span(self) -> timedelta:
        """How long it lasts."""
        return self.end_at - self.start_at

    def contains(self, at: datetime) -> bool:
        """Whether `at` lies in `[start_at, end_at)`."""
        return self.start_at <= at < self.end_at

    def overlap(self, other: "Interval") -> timedelta:
        """How long both last together; zero when they do not touch."""
        return max(timedelta(0), min(self.end_at, other.end_at) - max(self.start_at, other.start_at))


def floor_slot(at: datetime, slot: timedelta = PLAN_SLOT) -> datetime:
    """Return the start of the UTC grid slot that contains `at`."""
    utc = at.astimezone(UTC)
    day = utc.replace(hour=0, minute=0, second=0, microsecond=0)
    return day + ((utc - day) // slot) * slot


def ceil_slot(at: datetime, slot: timedelta = PLAN_SLOT) -> datetime:
    """Return the first UTC grid time that is not before `at`."""
    start_at = floor_slot(at, slot)
    return start_at if start_at == at else start_at + slot


def slots_between(start_at: datetime, end_at: datetime, slot: timedelta = PLAN_SLOT) -> Iterator[Interval]:
    """Yield the grid slots from `start_at` to `end_at`; the first and the last may be cut short."""
    at = start_at.astimezone(UTC)
    while at < end_at:
        next_at = min(floor_slot(at, slot) + slot, end_at)
        yield Interval(at, next_at)
        at = next_at


def market_slot_start(at: datetime, zone: ZoneInfo) -> datetime:
    """Return, in the site's zone, the start of the 30-minute market slot that contains `at`."""
    local = at.astimezone(zone)
    return local.replace(minute=local.minute - local.minute % 30, second=0, microsecond=0)
