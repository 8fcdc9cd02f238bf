"""ΔB from a site's own history: how much uncontrolled load has risen until a reduction would have been in force.

The horizon is what the meter's health needs to find out a dead meter, a lease, its slack and SETTLE. The history is
looked at by the minute, by its least and its most: that never finds less than there was.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.snapshot import SiteSpec
from app.scheduling.uncontrolled import STALE, STEADY, Amount

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LOOK_BACK = timedelta(days=28)
NEEDED_DAYS_COUNT = 14
COVERED_SHARE = 0.9
SAFETY_FACTOR = 1.25
COVERED_COUNT = MINUTE // STALE


@dataclass(frozen=True, slots=True)
class Minute:
    """The readings of a minute that begins at `at`: how many, the least and the most of them."""

    at: datetime
    reading_count: int
    least: Amount
    most: Amount


@dataclass(frozen=True, slots=True)
class Rise:
    """A rise from the minute `low_at` to the minute `high_at`."""

    amount: Amount
    low_at: datetime
    high_at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the history says. `days_count` are days (of 24 h, back from now) with a reading per 10 s in 90 % of them.

    `proposed` is the largest rise with the safety factor, None before there are enough days.
    """

    days_count: int
    largest: Rise | None
    proposed: Amount | None


def horizon_of(site: SiteSpec, lease_slack: timedelta) -> timedelta:
    """Return how long the load may rise before what was allowed is surely taken back, at the latest of clocks."""
    return STEADY + site.lease + lease_slack + site.settle


def evidence(minutes: Sequence[Minute], horizon: timedelta, now: datetime) -> Evidence:
    """Return what the minutes (of one load, oldest first) prove."""
    days_count = covered_days_count(minutes, now)
    largest = largest_rise(minutes, horizon)
    is_proven = days_count >= NEEDED_DAYS_COUNT and largest is not None
    return Evidence(days_count, largest, largest.amount * SAFETY_FACTOR if is_proven and largest is not None else None)


def covered_days_count(minutes: Sequence[Minute], now: datetime) -> int:
    """Return how many of the days back from now are covered."""
    covered: dict[int, int] = {}
    for minute in minutes:
        ends_at = minute.at + MINUTE
        if minute.reading_count >= COVERED_COUNT and ends_at <= now:
            number = (now - ends_at) // DAY
            covered[number] = covered.get(number, 0) + 1
    return sum(count >= COVERED_SHARE * (DAY / MINUTE) for count in covered.values())


def largest_rise(minutes: Sequence[Minute], horizon: timedelta) -> Rise | None:
    """Return the largest rise within the horizon; None without any minute."""
    found: Rise | None = None
    ahead: deque[Minute] = deque()  # of the minutes within reach those that no earlier one exceeds, most first
    for low in reversed(minutes):
        while ahead and ahead[0].at > low.at + MINUTE + horizon:
            ahead.popleft()
        while ahead and ahead[-1].most <= low.most:
            ahead.pop()
        ahead.append(low)
        amount = ahead[0].most - low.least
        if found is None or amount > found.amount:
            found = Rise(amount, low.at, ahead[0].at)
    return found
