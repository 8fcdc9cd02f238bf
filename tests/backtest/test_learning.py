"""What a replay may learn: stays that were over when the day began, of days that are not replayed too."""

from datetime import date, datetime, timedelta

from app.backtest.learning import learnt_before
from app.backtest.records import SessionRecord


def records(count: int) -> list[SessionRecord]:
    """One stay a day from 8 to 17 o'clock; every third goes on past midnight."""
    found = []
    for number in range(count):
        arrived_at = datetime(2019, 5, 1, 8) + timedelta(days=number)
        left_at = arrived_at + timedelta(hours=26 if number % 3 == 0 else 9)
        found.append(SessionRecord(arrived_at, left_at, left_at, 9_000.0, 12_000.0, "A", f"u{number % 2}"))
    return found


def test_only_stays_that_were_over_when_the_day_began_are_learnt_from():
    days = [date(2019, 5, 4), date(2019, 5, 5), date(2019, 5, 20)]
    learnt = learnt_before(records(30), days)
    assert [learnt[day].stays_count for day in days] == [3, 3, 18]  # the last one of the 19th has stayed overnight


def test_what_happens_later_changes_nothing_of_what_was_learnt_before():
    day = date(2019, 5, 10)
    long, short = learnt_before(records(30), [day])[day], learnt_before(records(12), [day])[day]
    assert long.to_bytes() == short.to_bytes()
