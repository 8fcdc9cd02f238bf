"""How soon the loops follow what rings: at once when it was quiet, collected when it is not."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.runtime.loops import BETWEEN_CYCLES, MOMENT, PATIENCE, next_cycle_at, next_plan_at

NOW = datetime(2026, 4, 1, 7, tzinfo=UTC)
spans = st.timedeltas(timedelta(0), timedelta(minutes=10))


def test_after_a_quiet_second_a_plan_is_made_in_a_moment():
    assert next_plan_at(NOW, NOW - timedelta(minutes=4)) == NOW + MOMENT
    assert next_plan_at(NOW, NOW - timedelta(milliseconds=300)) == NOW + timedelta(milliseconds=700)


def test_a_new_plan_is_carried_out_at_once_and_other_rings_are_collected():
    assert next_cycle_at(NOW, NOW - timedelta(minutes=4), is_planned=True) == NOW
    assert next_cycle_at(NOW, NOW - timedelta(minutes=4), is_planned=False) == NOW + PATIENCE
    assert next_cycle_at(NOW, NOW, is_planned=False) == NOW + BETWEEN_CYCLES


@given(spans)
def test_neither_plans_nor_cycles_come_more_often_than_every_second(quiet):
    rung_at = NOW + quiet
    assert next_plan_at(rung_at, NOW) - NOW >= PATIENCE
    for is_planned in (False, True):
        assert next_cycle_at(rung_at, NOW, is_planned=is_planned) >= max(rung_at, NOW + PATIENCE)
    assert next_cycle_at(rung_at, NOW, is_planned=True) <= next_cycle_at(rung_at, NOW, is_planned=False)
