from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import MORNING

from app.domain.facts import Metered, SessionEnded
from app.domain.session import SUPERSEDED, Advanced, SessionState, advance, is_a_thousandth, supersede

FRESH = SessionState(started_at=MORNING, nameplate_w=6400.0)


def metered(register_wh, minutes=60.0):
    at = MORNING + timedelta(minutes=minutes)
    return Metered(1, at, at, "7", register_wh, None)


def ended(meter_stop_wh=None, minutes=60.0, reason=None):
    at = MORNING + timedelta(minutes=minutes)
    return SessionEnded(1, at, at, "7", meter_stop_wh, "key", reason)


def after(state, *facts):
    for fact in facts:
        state = advance(state, fact).state
    return state


def test_delivered_energy_is_the_last_register_minus_the_first():
    state = after(
        SessionState(MORNING, 6400.0, meter_start_wh=1000.0, meter_last_wh=1000.0), metered(1500.0), metered(4000.0)
    )
    assert (state.meter_last_wh, state.delivered_wh) == (4000.0, 3000.0)


def test_without_a_register_at_the_start_the_first_seen_is_the_start():
    state = after(FRESH, metered(7000.0, 10), metered(9000.0, 60))
    assert (state.meter_start_wh, state.delivered_wh) == (7000.0, 2000.0)


def test_a_register_that_runs_backwards_is_doubted_and_ignored():
    state = after(FRESH, metered(5000.0, 10))
    advanced = advance(state, metered(4999.0, 11))
    assert advanced.state == state
    assert advanced.doubts == ("the register ran backwards",)


def test_an_older_message_with_a_lower_register_is_history_and_not_doubted():
    state = after(FRESH, metered(5000.0, 10))
    assert advance(state, metered(4000.0, 9)).doubts == ()


def test_kwh_labelled_wh_after_a_start_in_wh_are_read_as_kwh_and_told():
    """Else such a session would stand at 0 kWh until its end."""
    start = SessionState(MORNING, 6400.0, meter_start_wh=1_234_500.0, meter_last_wh=1_234_500.0)
    first = advance(start, metered(1234.6, 10))
    assert first.doubts == ("the register is in kWh though it says Wh",)
    assert round(first.state.delivered_wh) == 100
    assert round(advance(first.state, metered(1237.5, 60)).state.delivered_wh) == 3000
    assert advance(first.state, metered(1234.0, 20)).state.delivered_wh == first.state.delivered_wh
    assert after(first.state, ended(1_237_600.0)).delivered_wh == 3100.0


@pytest.mark.parametrize("register_wh", [0.0, 12.0, 1233.0, 1300.0, 1_234_499.0])
def test_a_register_that_was_reset_is_not_taken_for_kwh(register_wh):
    start = SessionState(MORNING, 6400.0, meter_start_wh=1_234_500.0, meter_last_wh=1_234_500.0)
    assert advance(start, metered(register_wh)) == Advanced(start, ("the register ran backwards",))


@pytest.mark.parametrize(
    ("grown_wh", "before_w", "now_w", "is_one"),
    [
        (0.1, 6000.0, 6000.0, True),
        (100.0, 6000.0, 6000.0, False),
        (0.0, 6000.0, 6000.0, False),
        (0.1, None, 6e3, False),
    ],
)
def test_a_register_all_in_kwh_is_found_by_the_power(grown_wh, before_w, now_w, is_one):
    before = SessionState(MORNING, 6400.0, 10.0, 10.0, metered_at=MORNING)
    now = replace(before, meter_last_wh=10.0 + grown_wh, metered_at=MORNING + timedelta(minutes=1))
    assert is_a_thousandth(before, now, before_w, now_w) is is_one


def test_a_jump_beyond_what_the_evse_can_deliver_is_doubted_and_ignored():
    state = after(FRESH, metered(0.0, 0))
    assert advance(state, metered(9000.0, 60)).doubts == ()
    assert advance(state, metered(9001.0, 60)).doubts == ("the register grew faster than the EVSE can deliver",)


def test_a_negative_register_is_doubted():
    assert advance(FRESH, metered(-1.0)).doubts == ("the register is negative",)


def test_an_end_takes_the_last_register_and_is_final():
    state = after(FRESH, metered(0.0, 0), ended(3000.0, reason="Local"))
    assert (state.delivered_wh, state.ended_at, state.end_reason) == (3000.0, MORNING + timedelta(hours=1), "Local")
    assert advance(state, ended(5000.0, minutes=90)).state == state
    assert advance(state, metered(4000.0, 90)).state == state


def test_an_end_before_the_start_is_doubted_but_ends_the_session():
    advanced = advance(FRESH, ended(minutes=-5))
    assert advanced.state.ended_at == MORNING
    assert advanced.doubts == ("ended before it started",)


def test_a_session_that_we_closed_ourselves_takes_the_stations_own_end():
    state = supersede(FRESH, MORNING + timedelta(minutes=5))
    assert (state.end_reason, state.is_over) == (SUPERSEDED, False)
    state = advance(state, ended(minutes=3)).state
    assert (state.ended_at, state.is_over) == (MORNING + timedelta(minutes=3), True)


FACTS = st.lists(
    st.one_of(
        st.builds(metered, st.none() | st.floats(-10, 1e6), st.floats(-100, 1000)),
        st.builds(ended, st.none() | st.floats(-10, 1e6), st.floats(-100, 1000)),
    ),
    max_size=12,
)


@given(FACTS)
def test_energy_never_runs_backwards_and_a_repeated_fact_changes_nothing(facts):
    state = FRESH
    for fact in facts:
        advanced = advance(state, fact).state
        assert advanced.delivered_wh >= state.delivered_wh >= 0
        assert advance(advanced, fact).state == advanced
        state = advanced
    assert state.ended_at is None or state.ended_at >= state.started_at
