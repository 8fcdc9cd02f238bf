"""ΔB from history: the largest rise within the horizon, proven by enough days."""

import csv
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.snapshot import SiteSpec
from app.scheduling.load_rise import (
    SAFETY_FACTOR,
    Minute,
    covered_days_count,
    evidence,
    horizon_of,
    largest_rise,
)

RECORDS = Path(__file__).resolve().parents[3] / "shared" / "data" / "load"
START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, DAY, HORIZON = timedelta(minutes=1), timedelta(days=1), timedelta(minutes=11)


def minute(number, least, most=None, count=12):
    return Minute(START + number * MINUTE, count, least, least if most is None else most)


def days(count, share=1.0, readings_count=12):
    return [minute(number, 5_000.0, count=readings_count) for number in range(round(count * 1440 * share))]


def test_the_horizon_covers_the_meter_a_lease_its_slack_and_settle():
    site = SiteSpec("north", "Asia/Tokyo", limit_w=1.0, margin_w=0.0, reserve_w=0.0)
    assert horizon_of(site, timedelta(seconds=30)) == timedelta(minutes=11, seconds=12)
    assert horizon_of(site, timedelta(minutes=5)) == timedelta(minutes=15, seconds=42)


def test_a_rise_counts_within_the_horizon_and_falls_do_not():
    load = [minute(0, 9.0), minute(1, 1.0), minute(2, 2.0), minute(13, 7.0), minute(14, 20.0)]
    found = largest_rise(load, HORIZON)
    assert (found.amount, found.low_at, found.high_at) == (18.0, load[2].at, load[4].at)
    assert largest_rise(load, timedelta(minutes=10)).amount == 13.0


def test_nothing_is_proven_without_a_minute():
    assert evidence([], HORIZON, START) == evidence([], HORIZON, START + DAY)
    assert evidence([], HORIZON, START).proposed is None


def test_fourteen_covered_days_prove_the_largest_rise_with_a_safety_factor():
    history = days(14)
    history[700] = minute(700, 5_000.0, 9_000.0)
    found = evidence(history, HORIZON, START + 14 * DAY)
    assert (found.days_count, found.largest.amount, found.proposed) == (14, 4_000.0, 4_000.0 * SAFETY_FACTOR)
    thirteen = evidence(days(13), HORIZON, START + 13 * DAY)
    assert (thirteen.days_count, thirteen.proposed) == (13, None)


def test_a_day_counts_with_a_reading_per_ten_seconds_in_nine_tenths_of_it():
    assert covered_days_count(days(1, share=0.9), START + DAY) == 1
    assert covered_days_count(days(1, share=0.89), START + DAY) == 0
    assert covered_days_count(days(1, readings_count=5), START + DAY) == 0


MINUTES = st.lists(st.tuples(st.integers(1, 9), st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=40)


@given(MINUTES)
def test_no_two_minutes_within_the_horizon_are_further_apart_than_what_is_found(steps):
    load, number = [], 0
    for pause, one, other in steps:
        number += pause
        load.append(minute(number, min(one, other), max(one, other)))
    found = largest_rise(load, HORIZON).amount
    reach = MINUTE + HORIZON
    assert found == max(
        high.most - low.least for at, low in enumerate(load) for high in load[at:] if high.at - low.at <= reach
    )


@pytest.mark.skipif(not RECORDS.is_dir(), reason="the office's load record is not shipped")
def test_on_a_recorded_year_every_four_weeks_bound_the_next_four():
    with (RECORDS / "doe_medium_office_los_angeles_hourly.csv").open() as file:
        hourly_w = [float(row["power_kw"]) * 1000 for row in csv.DictReader(file)]
    by_minute = [low + (high - low) * step / 60 for low, high in pairwise(hourly_w) for step in range(60)]
    load = [minute(number, min(pair), max(pair)) for number, pair in enumerate(pairwise(by_minute))]
    month, horizon = 28 * 1440, timedelta(seconds=672)
    for start in range(0, len(load) - 2 * month, month):
        now = load[start + month].at
        proposed_w = evidence(load[start : start + month], horizon, now).proposed
        assert largest_rise(load[start + month : start + 2 * month], horizon).amount <= proposed_w
