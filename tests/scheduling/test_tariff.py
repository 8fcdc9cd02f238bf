"""A tariff on the planning grid: clocks that change, periods past midnight, gaps, and what cannot be meant."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.tariff import WEEKDAYS, Tariff, TariffPeriod, quarter_of
from app.scheduling.tariff import flaws_of, grid_slots

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
ZONES = ("Asia/Tokyo", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns")
EVERY_DAY = tuple(range(7))
HOUR = timedelta(hours=1)


def period(start, end, price_per_kwh=None, weekdays=EVERY_DAY, **more):
    return TariffPeriod(weekdays, quarter_of(start), quarter_of(end), price_per_kwh, **more)


def tariff(*periods, price_per_kwh=20.0, **more):
    return Tariff("JPY", price_per_kwh, periods=periods, **more)


def prices(of, zone, from_at, until_at):
    return [slot.price_per_kwh for slot in grid_slots(of, zone, from_at, until_at)]


def test_a_flat_rate_is_the_same_in_every_slot_and_slots_cover_the_time_without_gaps():
    now, end = datetime(2026, 4, 1, 0, 7, tzinfo=UTC), datetime(2026, 4, 1, 1, tzinfo=UTC)
    slots = grid_slots(tariff(co2_g_per_kwh=430.0, co2_source="menu"), TOKYO, now, end)
    assert [(each.price_per_kwh, each.co2_g_per_kwh) for each in slots] == [(20.0, 430.0)] * 4
    assert (slots[0].interval.start_at, slots[-1].interval.end_at) == (now, end)
    assert all(left.interval.end_at == right.interval.start_at for left, right in pairwise(slots))


def test_periods_go_by_the_clock_of_the_site():
    dear = tariff(period("13:00", "13:30", 30.0))
    noon = datetime(2026, 4, 1, 3, 45, tzinfo=UTC)  # 12:45 in Tokyo
    assert prices(dear, TOKYO, noon, noon + HOUR) == [20.0, 30.0, 30.0, 20.0]
    assert prices(dear, UTC, noon, noon + HOUR) == [20.0] * 4


def test_a_period_past_midnight_belongs_to_the_days_on_which_it_begins():
    friday_night = tariff(period("23:30", "00:30", 10.0, weekdays=(4,)))
    for day, expected in ((3, [10.0] * 4), (2, [20.0] * 4), (4, [20.0] * 4)):  # 3 April 2026 is a Friday
        start_at = datetime(2026, 4, day, 23, 30, tzinfo=TOKYO)
        assert prices(friday_night, TOKYO, start_at, start_at + HOUR) == expected


def test_sunday_night_goes_on_into_monday():
    sunday_night = tariff(period("22:00", "06:00", 10.0, weekdays=(6,)))
    monday = datetime(2026, 4, 6, 5, 30, tzinfo=TOKYO)
    assert prices(sunday_night, TOKYO, monday, monday + HOUR) == [10.0, 10.0, 20.0, 20.0]


def test_an_hour_that_the_clock_repeats_has_its_price_twice_and_one_that_it_skips_has_none():
    early = tariff(period("02:00", "03:00", 10.0))
    autumn, spring = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert prices(early, BERLIN, autumn, autumn + 5 * HOUR).count(10.0) == 8
    assert prices(early, BERLIN, spring, spring + 5 * HOUR).count(10.0) == 0


def test_what_a_period_does_not_tell_is_the_tariffs_own():
    both = Tariff("JPY", 20.0, 400.0, "menu", (period("00:00", "12:00", 15.0), period("12:00", "24:00", None)))
    assert flaws_of(both) == ()
    start_at = datetime(2026, 4, 1, 11, 45, tzinfo=TOKYO)
    slots = grid_slots(both, TOKYO, start_at, start_at + HOUR / 2)
    assert [(each.price_per_kwh, each.co2_g_per_kwh) for each in slots] == [(15.0, 400.0), (20.0, 400.0)]


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        (Tariff(), "price_per_kwh", "is needed, or co2_g_per_kwh: the tariff tells neither"),
        (Tariff(price_per_kwh=1.0), "currency", "is needed with a price"),
        (Tariff(co2_g_per_kwh=1.0), "co2_source", "say whose this one is"),
        (tariff(period("08:00", "08:00", 1.0)), "periods[0].to", "a whole day is 00:00 to 24:00"),
        (tariff(period("24:00", "08:00", 1.0)), "periods[0].from", "the next one begins at 00:00"),
        (
            tariff(period("08:00", "10:00", 1.0, (0, 1)), period("09:45", "11:00", 2.0, (1, 2))),
            "periods[1]",
            "overlaps periods[0] on tue at 09:45",
        ),
        (
            tariff(period("22:00", "06:00", 1.0, (6,)), period("05:00", "07:00", 2.0, (0,))),
            "periods[1]",
            "overlaps periods[0] on mon at 05:00",
        ),
        (
            tariff(period("00:00", "22:00", 1.0), price_per_kwh=None),
            "price_per_kwh",
            "is needed for what the periods leave out, first on mon at 22:00",
        ),
        (
            tariff(period("06:00", "24:00", co2_g_per_kwh=1.0), co2_source="menu"),
            "co2_g_per_kwh",
            "is needed for what the periods leave out, first on mon at 00:00",
        ),
        (tariff(*[period("00:00", "00:15", 1.0)] * 101), "periods", "are 101; at most 100 are possible"),
    ],
)
def test_what_cannot_be_meant_is_named_with_what_to_change(wrong, field, reason):
    flaws = flaws_of(wrong)
    assert [each for each, _ in flaws] == [field]
    assert reason in flaws[0][1]


def test_periods_that_fill_the_week_need_no_price_beside_them():
    assert flaws_of(tariff(period("06:00", "22:00", 1.0), period("22:00", "06:00", 2.0), price_per_kwh=None)) == ()


@pytest.mark.parametrize("clock", ["8:00", "08:10", "24:15", "25:00", "08:60", "0８:00", "08:00\n", "", "noon"])
def test_a_time_of_day_is_a_quarter_of_an_hour(clock):
    with pytest.raises(ValueError, match="must be a time of day on a quarter of an hour"):
        quarter_of(clock)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.integers(0, 365 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.integers(0, 95),
    st.integers(1, 96),
    st.sets(st.integers(0, 6), min_size=1),
)
def test_a_slots_price_is_that_of_every_minute_in_it_in_every_zone(name, now, first, until, weekdays):
    zone = ZoneInfo(name)
    of = tariff(TariffPeriod(tuple(sorted(weekdays)), first, until, 30.0))
    for slot in grid_slots(of, zone, now, now + 12 * HOUR):
        at = slot.interval.start_at
        while at < slot.interval.end_at:
            assert slot.price_per_kwh == expected_price(at.astimezone(zone), first, until, weekdays)
            at += timedelta(minutes=1)


def expected_price(local, first, until, weekdays):
    """The price of an instant, straight from the words: today's period, or yesterday's that goes on past midnight."""
    minute, today = 60 * local.hour + local.minute, local.weekday()
    ends = 15 * until if until > first else 24 * 60
    is_todays = today in weekdays and 15 * first <= minute < ends
    is_yesterdays = until <= first and (today - 1) % len(WEEKDAYS) in weekdays and minute < 15 * until
    return 30.0 if is_todays or is_yesterdays else 20.0
