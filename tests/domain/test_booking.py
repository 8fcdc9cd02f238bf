from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.booking import (
    Admitted,
    Alternative,
    Bay,
    EnergyWish,
    Held,
    Move,
    Refused,
    Stay,
    admit,
    displace,
)
from app.domain.intervals import Interval

NOW = datetime(2026, 4, 1, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
TWO = (Bay(1, 6_000.0), Bay(2, 6_000.0))


def stay(from_hour: float, to_hour: float, need_wh: float = 1_000.0, **more) -> Stay:
    return Stay(NOW + from_hour * HOUR, NOW + to_hour * HOUR, need_wh, **more)


def held(name: str | None, evse_id: int, from_hour: float, to_hour: float, **more) -> Held:
    return Held(name, evse_id, Interval(NOW + from_hour * HOUR, NOW + to_hour * HOUR), **more)


def test_a_site_booking_gets_the_smallest_free_evse_that_can_serve_it():
    bays = (Bay(1, 22_000.0), Bay(2, 6_000.0), Bay(3, 3_000.0))
    assert admit(stay(1, 2, 5_000.0), bays, (), (), NOW) == Admitted(2)
    assert admit(stay(1, 2, 5_000.0), bays, (held("x", 2, 1, 2),), (), NOW) == Admitted(1)


def test_touching_stays_do_not_overlap():
    assert admit(stay(2, 3, evse_id=1), TWO, (held("x", 1, 1, 2), held("y", 1, 3, 4)), (), NOW) == Admitted(1)


def test_a_pinned_booking_moves_an_unpinned_one_out_of_its_way():
    there = (held("x", 1, 1, 4, is_movable=True),)
    assert admit(stay(2, 3, evse_id=1), TWO, there, (), NOW) == Admitted(1, (Move("x", 2),))


def test_two_unpinned_bookings_move_in_the_order_of_their_stays_and_never_onto_each_other():
    bays = (*TWO, Bay(3, 6_000.0))
    there = (held("late", 1, 2, 4, is_movable=True), held("early", 1, 1, 2, is_movable=True), held("z", 2, 3, 5))
    decided = admit(stay(1, 4, evse_id=1), bays, there, (), NOW)
    assert decided == Admitted(1, (Move("early", 2), Move("late", 3)))


@pytest.mark.parametrize(
    "blocker",
    [held("pinned or arrived", 1, 1, 4), held(None, 1, 0, 2.5)],
    ids=["a pinned booking", "a plugged-in car"],
)
def test_what_cannot_move_refuses_and_names_the_other_evse_and_the_next_time(blocker):
    decided = admit(stay(2, 3, evse_id=1), TWO, (blocker,), (), NOW)
    assert isinstance(decided, Refused)
    assert decided.field is None
    free_again_at = blocker.period.end_at
    assert decided.alternatives == (
        Alternative(2, NOW + 2 * HOUR, NOW + 3 * HOUR),
        Alternative(1, free_again_at, free_again_at + HOUR),
    )


def test_a_booking_does_not_move_to_an_evse_too_weak_for_it():
    bays = (Bay(1, 6_000.0), Bay(2, 2_000.0))
    there = (held("x", 1, 1, 2, need_wh=5_000.0, is_movable=True),)
    assert isinstance(admit(stay(1, 2, evse_id=1), bays, there, (), NOW), Refused)


def test_a_full_site_moves_bookings_for_a_stay_that_no_single_gap_could_take():
    there = (held("a", 1, 1, 2, is_movable=True), held("b", 2, 2, 3, is_movable=True))
    decided = admit(stay(1, 3), TWO, there, (), NOW)
    assert decided == Admitted(1, (Move("a", 2),))


def test_a_faulted_evse_is_not_promised_soon_but_may_be_chosen():
    bays = (Bay(1, 6_000.0, ready_at=NOW + 12 * HOUR),)
    assert isinstance(admit(stay(1, 2), bays, (), (), NOW), Refused)
    assert admit(stay(13, 14), bays, (), (), NOW) == Admitted(1)
    assert admit(stay(1, 2, evse_id=1), bays, (), (), NOW) == Admitted(1)


@pytest.mark.parametrize(
    ("asked", "field", "reason"),
    [
        (stay(-0.1, 1), "arrives_at", "lies in the past"),
        (stay(24 * 31, 24 * 31 + 1), "arrives_at", "is more than 30 days ahead"),
        (stay(2, 2), "departs_at", "must be after arrives_at"),
        (stay(2, 1), "departs_at", "must be after arrives_at"),
        (stay(1, 25.1), "departs_at", "is more than 24 hours after arrives_at"),
        (stay(1, 3, 12_100.0), "energy", "at most 12.0 kWh can be charged in this stay"),
        (stay(1, 3, 8_100.0, max_charge_w=4_000.0), "energy", "at most 8.0 kWh can be charged in this stay"),
        (stay(1, 3, 0.0), "energy", "must be more than 0"),
        (stay(1, 3, evse_id=9), "evse_id", "the site has no such EVSE"),
        (replace(stay(-3, -1), has_begun=True), "departs_at", "lies in the past"),
    ],
)
def test_a_stay_that_cannot_be_meant_is_refused_with_its_field(asked, field, reason):
    is_impossible = not reason.startswith("at most")
    assert admit(asked, TWO, (), (), NOW) == Refused(reason, field, is_impossible=is_impossible)


def test_a_stay_may_begin_up_to_five_minutes_ago_and_longer_if_it_was_booked_before():
    assert admit(Stay(NOW - timedelta(minutes=5), NOW + HOUR, 1_000.0), TWO, (), (), NOW) == Admitted(1)
    assert admit(stay(-2, 1, has_begun=True), TWO, (), (), NOW) == Admitted(1)


def test_a_driver_has_one_booking_at_a_time():
    own = (Interval(NOW + 2 * HOUR, NOW + 4 * HOUR),)
    assert admit(stay(1, 2), TWO, (), own, NOW) == Admitted(1)
    assert admit(stay(3, 5), TWO, (), own, NOW) == Refused("the driver has another booking at that time")


def test_alternatives_are_at_most_three_and_within_a_day():
    bays = (Bay(1, 6_000.0),)
    there = tuple(held(str(hour), 1, hour, hour + 1) for hour in (1, 3, 5, 7, 9, 40))
    decided = admit(stay(1, 2), bays, there, (), NOW)
    assert isinstance(decided, Refused)
    assert [each.arrives_at for each in decided.alternatives] == [NOW + hour * HOUR for hour in (2, 4, 6)]


def test_a_range_means_energy_only_with_a_car():
    assert EnergyWish(range_km=50.0).wanted_wh(160.0) == 8_000.0
    assert EnergyWish(need_wh=5.0).wanted_wh(None) == 5.0
    with pytest.raises(ValueError, match="car"):
        EnergyWish(range_km=50.0).wanted_wh(None)


def test_an_evse_with_nothing_on_it_is_displaced_by_no_moves():
    assert displace(1, Interval(NOW, NOW + HOUR), TWO, ()) == ()


@st.composite
def timetables(draw) -> tuple[tuple[Bay, ...], tuple[Held, ...]]:
    """EVSEs, and bookings on them that do not overlap."""
    nameplates_w = draw(st.lists(st.sampled_from([3_000.0, 6_000.0]), min_size=1, max_size=4))
    bays = tuple(Bay(evse_id, nameplate_w) for evse_id, nameplate_w in enumerate(nameplates_w, start=1))
    there = []
    for bay in bays:
        at_hour = 0
        for number in range(draw(st.integers(0, 3))):
            at_hour += draw(st.integers(0, 2))
            until_hour = at_hour + draw(st.integers(1, 3))
            name, is_movable = f"{bay.evse_id}-{number}", draw(st.booleans())
            there.append(held(name, bay.evse_id, at_hour, until_hour, need_wh=2_000.0, is_movable=is_movable))
            at_hour = until_hour
    return bays, tuple(there)


@given(timetables(), st.integers(0, 6), st.integers(1, 4), st.sampled_from([None, 1, 2]), st.randoms())
def test_admission_never_doubles_an_evse_moves_only_what_may_move_and_ignores_the_order(
    timetable, from_hour, length_hour, evse_id, random
):
    bays, there = timetable
    asked = stay(from_hour, from_hour + length_hour, 2_000.0, evse_id=evse_id if len(bays) > 1 else None)
    decided = admit(asked, bays, there, (), NOW)
    shuffled = (random.sample(bays, len(bays)), random.sample(there, len(there)))
    assert admit(asked, *shuffled, (), NOW) == decided
    if isinstance(decided, Refused):
        return
    moves = {move.booking_id: move.evse_id for move in decided.moves}
    assert all(each.is_movable for each in there if each.booking_id in moves)
    after = [replace(each, evse_id=moves.get(each.booking_id, each.evse_id)) for each in there]
    after.append(Held("new", decided.evse_id, asked.period))
    for number, one in enumerate(after):
        for other in after[number + 1 :]:
            assert one.evse_id != other.evse_id or not one.period.overlap(other.period)


@given(timetables(), st.integers(0, 6), st.integers(1, 4))
def test_every_alternative_could_be_booked(timetable, from_hour, length_hour):
    bays, there = timetable
    decided = admit(stay(from_hour, from_hour + length_hour, 2_000.0), bays, there, (), NOW)
    for each in decided.alternatives if isinstance(decided, Refused) else ():
        asked = Stay(each.arrives_at, each.departs_at, 2_000.0, evse_id=each.evse_id)
        assert admit(asked, bays, there, (), NOW) == Admitted(each.evse_id)
