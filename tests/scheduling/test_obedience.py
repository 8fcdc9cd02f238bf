from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec
from app.scheduling.allocation import Target
from app.scheduling.obedience import (
    BLANK,
    LADDER,
    RESTART_PAUSE,
    Ignored,
    Judgement,
    Sight,
    Step,
    Watch,
    is_notable,
    judge,
    look_at,
    nudged,
    tolerated_w,
)

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
SAFE_W = 1200.0
EVSE = EvseSpec(
    evse_id=1,
    station_id="cp1",
    evse_number=1,
    nameplate_w=6400.0,
    min_power_w=1200.0,
    safe_power_w=SAFE_W,
    w_per_a=200.0,
    phase_count=1,
    is_verified=True,
    is_online=True,
)


def s(seconds):
    return NOW + timedelta(seconds=seconds)


def told(power_w, accepted_s=0, **changes):
    at = s(accepted_s)
    lease = timedelta(minutes=10)
    entry = LimitEntry(
        1, 1, power_w, at, at + lease + timedelta(seconds=30), at, session_id="a", lease_ends_at=at + lease
    )
    return replace(entry, **changes)


def seen(power_w, at_s, possible_w=SAFE_W, **changes):
    return replace(Sight(EVSE, possible_w, power_w, s(at_s)), **changes)


def play(values, watch=BLANK, **changes):
    """Judge (power_w, at_s) one after the other, each at once; return all judgements."""
    judgements = []
    for power_w, at_s in values:
        judgements.append(judge(seen(power_w, at_s, **changes), watch, s(at_s)))
        watch = judgements[-1].watch
    return judgements


# --- more than anything that may be in force


def test_one_value_above_counts_at_once_and_a_second_one_is_disobedience():
    first, second = play([(6400, 0), (6400, 10)])
    assert (first.is_above, first.is_disobeying) == (True, False)
    assert (second.is_above, second.is_disobeying) == (True, True)


@pytest.mark.parametrize("values", [[(6400, 0)] * 5, [(6400, 0), (1200, 10), (6400, 20)], [(1400, 0), (1400, 60)]])
def test_a_value_seen_twice_a_glitch_and_what_the_voltage_explains_are_no_disobedience(values):
    assert not any(each.is_disobeying for each in play(values))


def test_what_may_still_be_in_force_may_be_drawn():
    assert not any(each.is_above for each in play([(6400, 0), (6400, 60)], possible_w=6400.0))


def test_old_values_judge_nothing_but_what_was_noted_stays():
    stale = judge(seen(6400, 0), Watch(above_at=NOW), s(600))
    assert (stale.is_above, stale.is_disobeying) == (True, False)
    assert not judge(seen(6400, 0), BLANK, s(600)).is_above


@given(st.floats(0, 10_000), st.floats(0, 10_000))
def test_nobody_who_stays_within_what_may_be_in_force_is_suspected(power_w, possible_w):
    judged = play([(power_w, 0), (power_w, 10)], possible_w=possible_w)
    assert judged[-1].is_disobeying == (power_w > tolerated_w(possible_w, EVSE))


# --- a default that metered power has to show


def test_a_minute_at_the_safe_power_shows_that_a_default_holds_r8():
    shown = [each.is_shown for each in play([(1150, 0), (1180, 30), (1190, 60)], is_installed=True)]
    assert shown == [False, False, True]


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        ([(1150, 0), (3000, 30), (1150, 60)], {}),
        ([(1150, 0), (200, 30), (1150, 60)], {}),
        ([(300, 0), (300, 60), (300, 120)], {}),
        ([(1150, 0), (1150, 60)], {"is_covered": True}),
        ([(1150, 0), (1150, 60)], {"is_installed": False}),
    ],
)
def test_more_less_and_what_a_sessions_limit_may_explain_show_nothing(values, changes):
    judged = play(values, **({"is_installed": True, "possible_w": 6400.0} | changes))
    assert not any(each.is_shown for each in judged)


def test_a_gap_in_the_values_begins_the_proof_anew():
    watch = play([(1150, 0)], is_installed=True)[-1].watch
    watch = judge(seen(1150, 0, is_installed=True), watch, s(300)).watch
    assert watch.steady_at is None


def test_trust_comes_back_after_an_hour_and_ten_minutes_of_obedience():
    minutes = [(1150, 60 * minute) for minute in range(80)]
    judged = play(minutes, distrusted_at=NOW, possible_w=6400.0)
    assert [each.is_shown for each in judged].index(True) == 60
    late = [(6400, 0), *[(1150, 3600 + 60 * minute) for minute in range(12)]]
    assert [each.is_shown for each in play(late, distrusted_at=NOW, possible_w=6400.0)].index(True) == 11


# --- 0 A and what comes after it


def steps_of(at_s_and_sight, watch=BLANK):
    steps = []
    for at_s, each in at_s_and_sight:
        judged = judge(each, watch, s(at_s))
        watch = judged.watch
        if judged.step is not None:
            steps.append((at_s, judged.step))
    return steps, watch


def test_a_pause_that_is_ignored_is_met_in_bounded_steps_then_only_told():
    sights = [(at_s, seen(1100, at_s, told=told(0.0))) for at_s in range(0, 480, 10)]
    steps, watch = steps_of(sights)
    assert steps == [(20, Step.REPEAT), (80, Step.TOGGLE), (140, Step.STOP)]
    assert watch.ignored is Ignored.PAUSE
    assert watch.is_exhausted


def test_a_stopped_session_is_started_again_once_and_not_again_for_half_a_day():
    watch = Watch(ignored=Ignored.PAUSE, ignored_at=NOW, step_count=3, stepped_at=s(140), restarted_at=s(140))
    gone = judge(seen(0, 160), watch, s(160))
    assert gone.step is Step.START
    again = [(at_s, seen(1100, at_s, told=told(0.0, 200))) for at_s in range(200, 800, 10)]
    steps, after = steps_of(again, replace(gone.watch, ignored=None, step_count=0, stepped_at=None))
    assert [step for _, step in steps] == [Step.REPEAT, Step.TOGGLE]
    assert after.is_exhausted
    late_s = int(RESTART_PAUSE.total_seconds()) + 1000
    later = [(at_s, seen(1100, at_s, told=told(0.0, late_s))) for at_s in range(late_s, late_s + 300, 10)]
    steps, _ = steps_of(later, replace(after, ignored=None, step_count=0, stepped_at=None))
    assert [step for _, step in steps] == [Step.REPEAT, Step.TOGGLE, Step.STOP]


def test_a_car_that_follows_the_pause_is_left_alone():
    steps, watch = steps_of([(at_s, seen(0, at_s, told=told(0.0))) for at_s in range(0, 300, 10)])
    assert steps == []
    assert watch.ignored is None


def resumed(power_w, until_s=600, **changes):
    paused = [(at_s, seen(0, at_s, told=told(0.0))) for at_s in range(0, 60, 10)]
    after = [
        (at_s, seen(power_w, at_s, told=told(2400.0, 60), possible_w=2400.0, **changes))
        for at_s in range(60, until_s, 10)
    ]
    return steps_of([*paused, *after])


def test_a_car_that_does_not_come_back_after_a_pause_is_helped_along():
    steps, watch = resumed(0)
    assert [step for _, step in steps] == [Step.REPEAT, Step.TOGGLE, Step.STOP]
    assert steps[0][0] == 60 + 90
    assert watch.ignored is Ignored.RESUME


@pytest.mark.parametrize(("power_w", "changes"), [(2300, {}), (0, {"is_car_pausing": True})])
def test_a_car_that_comes_back_and_one_that_does_not_want_to_are_left_alone(power_w, changes):
    steps, watch = resumed(power_w, **changes)
    assert steps == []
    assert watch.ignored is None


def test_a_car_that_never_drew_was_not_paused():
    sights = [(at_s, seen(0, at_s, told=told(2400.0))) for at_s in range(0, 600, 10)]
    assert steps_of(sights) == ([], BLANK)


def test_what_is_followed_after_all_is_forgotten():
    watch = Watch(ignored=Ignored.PAUSE, ignored_at=NOW, step_count=2, stepped_at=s(80))
    assert judge(seen(0, 300, told=told(0.0, 200)), watch, s(300)).watch.ignored is None


def test_the_session_s_end_ends_what_was_noted_of_it():
    watch = Watch(paused_at=NOW, ignored=Ignored.RESUME, ignored_at=NOW, step_count=1, stepped_at=NOW)
    assert judge(seen(0, 60), watch, s(60)).watch == BLANK


EVENTS = st.tuples(st.integers(5, 90), st.sampled_from([0, 600, 1150, 6400]), st.sampled_from([0.0, 1200.0, None]))


@given(st.lists(EVENTS, max_size=60))
def test_whatever_is_metered_the_steps_are_bounded(events):
    watch, at_s, stop_count = BLANK, 0, 0
    for pause_s, power_w, limit_w in events:
        at_s += pause_s
        accepted = None if limit_w is None else told(limit_w, at_s - 100)
        judged = judge(seen(power_w, at_s, told=accepted, possible_w=6400.0), watch, s(at_s))
        watch = judged.watch
        stop_count += judged.step is Step.STOP
        assert watch.step_count <= len(LADDER)
        assert (watch.ignored is None) == (watch.ignored_at is None)
    assert stop_count <= 1


# --- what the limit loop does with it

TARGET = Target(1, "a", 0.0, told(0.0), in_flight=False)
LEAST_W = {1: 1200.0}


def test_a_repetition_and_the_minimum_between_go_through_the_allocator():
    ignoring = Watch(ignored=Ignored.PAUSE, ignored_at=NOW, step_count=1, stepped_at=NOW)
    repeated = nudged({1: TARGET}, {1: Judgement(ignoring, step=Step.REPEAT)}, LEAST_W, NOW)
    assert repeated[1].is_doubtful
    toggling = {1: Judgement(replace(ignoring, step_count=2))}
    assert nudged({1: TARGET}, toggling, LEAST_W, s(10))[1].target_w == 1200.0
    assert nudged({1: TARGET}, toggling, LEAST_W, s(40))[1] == TARGET
    assert nudged({1: TARGET}, {}, LEAST_W, NOW) == {1: TARGET}


def test_only_what_may_be_wrong_is_looked_at_closely_and_soon():
    assert not is_notable(seen(1150, 0))
    assert not is_notable(seen(2400, 0, told=told(2400.0)))
    assert is_notable(seen(2400, 0))
    assert is_notable(seen(0, 0, told=told(0.0)))
    assert is_notable(seen(0, 0, is_installed=True))
    assert look_at(Judgement(BLANK), NOW) is None
    assert look_at(Judgement(BLANK, is_above=True), NOW) > NOW
