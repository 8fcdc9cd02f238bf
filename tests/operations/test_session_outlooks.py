from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.stays import Guest, NeedBlock, PastStay, StayOutlook
from app.operations.outlooks import Look, Looked, Sight, looked_again
from app.scheduling.staying.learner import learn

NOW = datetime(2026, 4, 1, 7, tzinfo=UTC)
GUEST = Guest("a", "aiko", NOW - timedelta(minutes=5), NOW + timedelta(hours=10), 12_000.0, 500.0, 6_000.0)
LOOK = Look(GUEST, 40)


@pytest.fixture(scope="module")
def sight():
    """Nobody looked at yet; Aiko stays for two hours and takes about 5 kWh, whatever she says."""
    stays = [
        PastStay("aiko", arrived_at, arrived_at + timedelta(hours=2), arrived_at + timedelta(hours=10), 12_000.0, wh)
        for arrived_at, wh in ((NOW - timedelta(days=day), 4_000.0 + 200.0 * day) for day in range(1, 13))
    ]
    return Sight(learn(stays, ZoneInfo("UTC"), NOW), NOW)


def test_an_outlook_reaches_to_the_departure_and_is_short_to_write_down(sight):
    outlook = looked_again(sight, [LOOK]).cars["a"].outlook
    assert len(outlook.stays_share) == 40
    assert all(share == round(share, 4) for share in outlook.stays_share)
    assert outlook.stays_share[0] > 0.9
    assert outlook.stays_share[12] < 0.5
    assert outlook.basis
    assert "aiko" not in outlook.basis


def test_a_car_of_which_nothing_new_is_said_is_not_looked_at_again_and_others_do_not_matter(sight):
    first = looked_again(sight, [LOOK])
    other = replace(LOOK, guest=replace(GUEST, key="b", driver=None))
    second = looked_again(first, [other, LOOK])
    assert second.cars["a"] is first.cars["a"]
    assert set(second.cars) == {"a", "b"}
    assert set(looked_again(second, [other]).cars) == {"b"}, "who is gone is let go"


@pytest.mark.parametrize("news", [{"declared_at": NOW + timedelta(hours=2)}, {"asked_wh": 3_000.0}, {"driver": None}])
def test_a_car_of_which_something_new_is_said_is_looked_at_again(sight, news):
    first = looked_again(sight, [LOOK])
    changed = replace(LOOK, guest=replace(GUEST, **news))
    assert looked_again(first, [changed]).cars == looked_again(sight, [changed]).cars


def test_a_register_that_was_corrected_downwards_is_looked_at_again(sight):
    first = looked_again(sight, [replace(LOOK, guest=replace(GUEST, taken_wh=2_000.0))])
    assert looked_again(first, [LOOK]).cars == looked_again(sight, [LOOK]).cars


@given(
    st.lists(st.tuples(st.integers(1, 5_000), st.floats(0, 1)), min_size=1, max_size=5),
    st.lists(st.integers(0, 6_000), max_size=4),
)
def test_what_is_taken_comes_off_the_surest_parts(parts, steps_wh):
    needs = tuple(NeedBlock(energy_wh, share) for energy_wh, share in sorted(parts, key=lambda part: -part[1]))
    looked = Looked(replace(LOOK, guest=replace(GUEST, taken_wh=0.0)), StayOutlook((1.0,), needs))
    taken_wh = 0
    for step_wh in steps_wh:
        taken_wh += step_wh
        looked = looked.at(replace(LOOK, guest=replace(GUEST, taken_wh=taken_wh)))
    left = looked.outlook.needs
    total_wh = sum(block.energy_wh for block in needs)
    assert sum(block.energy_wh for block in left) == max(0, total_wh - taken_wh)
    assert left[-1].share == needs[-1].share
    assert [block.share for block in left] == [block.share for block in needs][len(needs) - len(left) :]
