"""A made-up site: people with habits of their own, seen on working days."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.stays import Guest, PastStay

ZONE = ZoneInfo("Asia/Tokyo")
MONDAY_AT = datetime(2026, 5, 11, tzinfo=ZONE)


def clock(day: int, hour: float) -> datetime:
    """The instant of a clock hour on the n-th day."""
    return MONDAY_AT + timedelta(days=day, hours=hour)


def stay(
    day: int = 0,
    driver: str | None = "d1",
    *,
    arrived: float = 9,
    left: float = 15,
    said: float | None = 17,
    asked_wh: float | None = 20_000,
    taken_wh: float = 12_000,
) -> PastStay:
    declared_at = None if said is None else clock(day, said)
    return PastStay(driver, clock(day, arrived), clock(day, left), declared_at, asked_wh, taken_wh)


def guest(
    day: int = 10,
    driver: str | None = "d1",
    *,
    key: str = "g",
    arrived: float = 9,
    said: float | None = 17,
    asked_wh: float | None = 20_000,
    taken_wh: float = 0,
    is_need_known: bool = False,
) -> Guest:
    declared_at = None if said is None else clock(day, said)
    return Guest(key, driver, clock(day, arrived), declared_at, asked_wh, taken_wh, 6_656, is_need_known)


def many_stays(days: int = 30, people: int = 12) -> list[PastStay]:
    """A month of a dozen people, of whom every third leaves two hours before the time said."""
    return [
        stay(
            day,
            f"d{person}",
            arrived=8 + person % 4 / 2,
            left=(15 if person % 3 == 0 else 17) + (day * 7 + person * 3) % 5 / 4,
            taken_wh=6_000 + 1_000 * person,
        )
        for day in range(days)
        if day % 7 < 5
        for person in range(people)
    ]
