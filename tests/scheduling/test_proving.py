from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.commands import Accepted, ApplyProfile, ProfilePurpose, RateUnit, ReadComposite, Rejected, Unsupported
from app.domain.limits import LimitOrder
from app.scheduling.proving import (
    LONGEST_RETRY,
    READ_AHEAD_S,
    DefaultDue,
    Retries,
    Verdict,
    deliver,
    highest_w,
    prove,
    read_w,
)

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
YES = Accepted()
NEW = DefaultDue(1, safe_power_w=1200.0, w_per_a=200.0, phase_count=1)
UNTOLD = DefaultDue(1, safe_power_w=1200.0, w_per_a=200.0, phase_count=1, is_unit_told=False)
KNOWN = DefaultDue(1, safe_power_w=1200.0, w_per_a=200.0, phase_count=1, is_expected=True)


def read(limit, unit="A"):
    return Accepted({"unit": unit, "periods": [[0, limit]]})


def drive(steps, *answers):
    """Answer the commands of the steps in turn; return the commands and the result."""
    commands, waiting, answer = [], list(answers), None
    while True:
        try:
            commands.append(steps.send(answer))
        except StopIteration as done:
            assert not waiting
            return commands, done.value
        answer = waiting.pop(0)


@pytest.mark.parametrize(
    ("due", "answers", "verdict", "sent"),
    [
        (NEW, [YES, read(6.0)], Verdict.PROVEN, "ir"),
        (NEW, [YES, read(6.1)], Verdict.PROVEN, "ir"),
        (NEW, [YES, read(6.2)], Verdict.UNPROVEN, "ir"),
        (NEW, [YES, read(1200, "W")], Verdict.PROVEN, "ir"),
        (NEW, [YES, Accepted()], Verdict.INSTALLED, "ir"),
        (NEW, [YES, Rejected("Rejected")], Verdict.INSTALLED, "ir"),
        (NEW, [YES, Unsupported("NotSupported")], Verdict.INSTALLED, "ir"),
        (NEW, [YES, None], Verdict.INSTALLED, "ir"),
        (NEW, [None], Verdict.UNPROVEN, "i"),
        (NEW, [Rejected("no")], Verdict.UNPROVEN, "i"),
        (UNTOLD, [None], Verdict.UNPROVEN, "i"),
        (UNTOLD, [Rejected("no"), YES, read(1200, "W")], Verdict.PROVEN, "iir"),
        (UNTOLD, [Rejected("no"), Unsupported()], Verdict.UNPROVEN, "ii"),
        (KNOWN, [read(6.0)], Verdict.PROVEN, "r"),
        (KNOWN, [read(32.0), YES, read(6.0)], Verdict.PROVEN, "rir"),
        (KNOWN, [None, YES, None], Verdict.INSTALLED, "rir"),
        (KNOWN, [Rejected("no"), YES, read(6.0)], Verdict.PROVEN, "rir"),
    ],
)
def test_a_default_counts_once_it_is_installed_and_read_back_or_read_where_it_should_be_r8(due, answers, verdict, sent):
    commands, proof = drive(prove(due), *answers)
    assert proof.verdict is verdict
    assert "".join("i" if isinstance(each, ApplyProfile) else "r" for each in commands) == sent
    assert bool(proof.reason) == (verdict is not Verdict.PROVEN)


@pytest.mark.parametrize("is_covered", [False, True])
def test_a_daily_profile_of_somebody_else_that_allows_more_at_night_is_not_taken_for_our_default_r8(is_covered):
    """Read by day it says 6 A; at night the whole fleet would draw more than it is counted with."""
    due = replace(NEW, is_covered=is_covered)
    by_day = Accepted({"unit": "A", "periods": [[0, 6.0], [36_000, 32.0], [64_800, 6.0]]})
    commands, proof = drive(prove(due), YES, by_day)
    assert commands[-1].duration_s >= 24 * 3600
    assert proof.verdict is Verdict.UNPROVEN


@pytest.mark.parametrize(
    ("answers", "is_forgotten"),
    [([read(6.0)], False), ([read(32.0), YES, read(6.0)], True), ([Accepted(), None], True), ([None, None], False)],
)
def test_an_expected_default_that_is_not_there_was_forgotten(answers, is_forgotten):
    assert drive(prove(KNOWN), *answers)[1].is_forgotten is is_forgotten


def test_the_other_unit_is_tried_once_and_is_what_the_proof_says():
    commands, proof = drive(prove(UNTOLD), Rejected("no"), YES, read(1200, "W"))
    assert [each.profile.unit for each in commands[:2]] == [RateUnit.A, RateUnit.W]
    assert commands[2] == ReadComposite(1, READ_AHEAD_S, RateUnit.W)
    assert proof.rate_unit is RateUnit.W


@pytest.mark.parametrize(
    ("detail", "tail_w", "most_w"),
    [
        ({"unit": "A", "periods": [[0, 16.0], [600, 6.0]]}, 1200, 3200),
        ({"unit": "A", "periods": [[0, 6.0], [300, 32.0], [900, 6.0]]}, 1200, 6400),
        ({"unit": "W", "periods": [[0, 1150.0]]}, 1150, 1150),
        ({}, None, None),
    ],
)
def test_a_composite_schedule_holds_by_its_tail_behind_a_lease_and_by_its_highest_limit_else(detail, tail_w, most_w):
    """A profile of somebody else's may allow more in a moment."""
    assert read_w(replace(NEW, is_covered=True), Accepted(detail)) == tail_w
    assert read_w(NEW, Accepted(detail)) == most_w


def test_a_read_back_may_exceed_the_default_by_its_rounding_only():
    assert 1200 < highest_w(NEW) <= 1220


ANSWERS = st.none() | st.just(YES) | st.just(Rejected("no")) | st.floats(0, 100).map(read)


@given(st.builds(DefaultDue, st.just(1), st.just(1200.0), st.just(200.0), st.just(1), st.sampled_from(RateUnit),
                 st.booleans(), st.booleans()), st.lists(ANSWERS, min_size=5, max_size=5))  # fmt: skip
def test_nothing_counts_as_proven_but_what_was_read_last_and_is_safe(due, answers):
    steps, answer, last = prove(due), None, None
    given_answers = iter(answers)
    while True:
        try:
            command = steps.send(answer)
        except StopIteration as done:
            proof = done.value
            break
        answer = next(given_answers)
        last = (command, answer)
    if proof.verdict is Verdict.PROVEN:
        command, answer = last
        assert isinstance(command, ReadComposite)
        assert read_w(due, answer) <= highest_w(due)


def test_an_order_is_sent_as_a_lease_and_its_outcome_handed_back_r6():
    order = LimitOrder(7, "cp1", 1, "tx-1", 3200.0, 1200.0, NOW, NOW + timedelta(minutes=10), 200.0, 1)
    for outcome in (YES, Rejected("no"), None):
        (command,), result = drive(deliver(order, RateUnit.A), outcome)
        assert command.profile.purpose is ProfilePurpose.SESSION
        assert [period.limit for period in command.profile.periods] == [16.0, 6.0]
        assert result is outcome


def test_failed_proofs_are_tried_again_after_growing_pauses_and_at_once_after_a_good_one():
    retries, pauses = Retries(), []
    for _ in range(12):
        retries = retries.after(1, NOW)
        pauses.append(retries.retry_at - NOW)
    assert pauses[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert pauses[-1] == LONGEST_RETRY
    assert retries.is_pausing(NOW)
    assert not retries.after(0, NOW).is_pausing(NOW)
