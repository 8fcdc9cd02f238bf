from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.scheduling.lateness import APPLY_DELAY, FARTHEST, TOO_FAR, Lateness, is_usable

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


def heard(*behind_s, start=None, every_s=60):
    lateness = start or Lateness()
    for number, each in enumerate(behind_s):
        behind = None if each is None else timedelta(seconds=each)
        lateness = lateness.heard(behind, NOW + timedelta(seconds=every_s * number))
    return lateness


@pytest.mark.parametrize(
    ("behind_s", "slack_s"),
    [
        ([0.2], 30),
        ([-120], 30),
        ([4], 35),
        ([20], 50),
        ([20, 0.1], 50),
        ([0.1, 20], 50),
        ([7200, 0.1], 30),
        ([0.1, 7200], 30),
    ],
)
def test_the_slack_is_the_worst_offset_of_a_clock_that_is_behind_and_never_less_than_the_apply_delay(behind_s, slack_s):
    assert heard(*behind_s).slack == timedelta(seconds=slack_s)


def test_an_offset_that_is_not_seen_again_is_forgotten_after_a_window_or_two():
    assert heard(200, *[0.1] * 22).slack == APPLY_DELAY


def test_a_clock_that_is_always_far_off_is_not_usable_and_one_queued_message_does_not_make_it_so():
    assert heard(*[7200] * 12).slack == TOO_FAR
    assert heard(*[None] * 12).slack == TOO_FAR
    assert heard(*([0.1, 7200] * 12)).slack == APPLY_DELAY
    assert heard(0.1, *[7200] * 24).slack == TOO_FAR
    assert heard(0.1, start=Lateness(TOO_FAR)).slack == APPLY_DELAY


def test_nothing_heard_is_unknown_and_unknown_or_absurd_clocks_hold_no_leases():
    assert Lateness().slack is None
    assert [is_usable(each) for each in (None, TOO_FAR, APPLY_DELAY, APPLY_DELAY + FARTHEST)] == [
        False,
        False,
        True,
        True,
    ]


@given(st.floats(0, 299), st.lists(st.floats(0, 30), min_size=25, max_size=60))
def test_the_slack_covers_the_offset_of_a_steady_clock_and_at_most_the_delays_beside(offset_s, delays_s):
    lateness = heard(*[offset_s + each for each in delays_s if offset_s + each <= 300], every_s=30)
    if lateness.slack is not None:
        assert lateness.slack.total_seconds() >= 30 + offset_s - 1
        assert lateness.slack.total_seconds() <= 30 + offset_s + max(delays_s) + 5
