from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from rows import MORNING

from app.domain.facts import Metered, SessionEnded
from app.domain.session import SUPERSEDED, SessionState, advance, supersede

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
