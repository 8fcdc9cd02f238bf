from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.intervals import PLAN_SLOT
from app.domain.stays import Guest, PastStay
from app.scheduling.staying.learner import learn
from app.scheduling.staying.outlooks import outlooks
from tests.scheduling.staying.working_weeks import ZONE, clock, guest, many_stays, stay

UNTIL_AT = clock(40, 0)
MONTH = learn(many_stays(), ZONE, UNTIL_AT)

instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
spans = st.timedeltas(timedelta(0), timedelta(hours=30))
energies = st.none() | st.floats(0, 100_000)


@st.composite
def past_stays(draw: st.DrawFn) -> PastStay:
    arrived_at = draw(instants)
    declared_at = draw(st.none() | spans.map(lambda span: arrived_at + span))
    left_at = arrived_at + draw(spans)
    return PastStay(
        draw(st.sampled_from([None, "a", "b"])), arrived_at, left_at, declared_at, draw(energies), draw(energies) or 0.0
    )


@st.composite
def guests(draw: st.DrawFn, now: datetime) -> Guest:
    arrived_at = now - draw(spans)
    declared_at = draw(st.none() | spans.map(lambda span: arrived_at + span))
    taken_wh = draw(st.floats(0, 60_000))
    return Guest(
        "g", draw(st.sampled_from([None, "a", "c"])), arrived_at, declared_at, draw(energies), taken_wh, 6_656,
        draw(st.booleans()),
    )  # fmt: skip


@given(zone=st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Tokyo"]), data=st.data())
def test_every_outlook_never_rises_and_its_needs_add_up(zone: str, data: st.DataObject) -> None:
    now = data.draw(instants)
    stays = data.draw(st.lists(past_stays(), max_size=8))
    someone = data.draw(guests(now))
    for learnt in (None, learn(stays, ZoneInfo(zone), now)):
        [outlook] = outlooks(learnt, [someone], now, 40)
        shares = outlook.stays_share
        assert len(shares) == 40
        assert all(0 <= later <= earlier <= 1 for earlier, later in zip((1.0, *shares), shares, strict=False))
        wanted_wh = max(0.0, (someone.asked_wh or 0.0) - someone.taken_wh)
        assert sum(block.energy_wh for block in outlook.needs) == pytest.approx(wanted_wh, abs=1)
        assert [block.share for block in outlook.needs] == sorted((b.share for b in outlook.needs), reverse=True)
        assert all(0 <= block.share <= 1 and block.energy_wh > 0 for block in outlook.needs)


@given(
    st.permutations([stay(day, driver, left=14 + day) for day, driver in ((0, "d1"), (1, "d2"), (1, "d1"), (2, None))])
)
def test_the_order_in_which_stays_are_told_does_not_matter(stays: list[PastStay]) -> None:
    expected = learn([stay(0, "d1"), *sorted(stays, key=lambda each: each.left_at)], ZONE, UNTIL_AT)
    assert learn([*stays, stay(0, "d1")], ZONE, UNTIL_AT).to_bytes() == expected.to_bytes()


def test_who_always_leaves_at_three_though_saying_five_is_known_after_a_few_stays() -> None:
    now = clock(10, 12)
    others = [stay(day, f"other{day}", left=17) for day in range(8)]
    stays_share = []
    for count in (0, 1, 2, 4):
        learnt = learn([*others, *(stay(day, "d1", left=15) for day in range(count))], ZONE, now)
        [outlook] = outlooks(learnt, [guest()], now, 20)
        stays_share.append(outlook.stays_share[15])  # a quarter to four
    assert stays_share == sorted(stays_share, reverse=True)
    assert stays_share[0] > 0.8
    assert stays_share[-1] < 0.4


def test_nothing_learnt_hedges_against_nobody() -> None:
    [outlook] = outlooks(None, [guest()], clock(10, 9), 32)
    assert outlook.stays_share[-1] > 1 - 1 / 4, "so that at four grid kWh per missed kWh later sun is waited for"
    assert "nothing learnt" in outlook.basis


@pytest.mark.parametrize("learnt", [None, MONTH])
def test_as_time_passes_the_outlook_is_the_conditional_of_the_earlier_one(learnt) -> None:
    someone = guest(32, "d3", said=18)
    [early] = outlooks(learnt, [someone], clock(32, 10), 30)
    [late] = outlooks(learnt, [someone], clock(32, 13), 18)
    there_share = early.stays_share[11]
    assert [there_share * share for share in late.stays_share] == pytest.approx(early.stays_share[12:30])


def test_within_a_slot_time_has_passed_as_well() -> None:
    someone = guest(32, "d3", arrived=8)
    [begun] = outlooks(MONTH, [someone], clock(32, 15), 8)
    [half] = outlooks(MONTH, [someone], clock(32, 15) + PLAN_SLOT / 2, 8)
    assert begun.stays_share[0] < half.stays_share[0] < 1
    assert half.stays_share[1] / half.stays_share[0] == pytest.approx(begun.stays_share[1] / begun.stays_share[0])


def test_a_guest_does_not_depend_on_who_else_is_there() -> None:
    now = clock(32, 11)
    some = [guest(32, f"d{number}", key=str(number), said=16 + number / 4) for number in range(6)]
    together = outlooks(MONTH, some, now, 24)
    assert outlooks(MONTH, some[::-1], now, 24) == together[::-1]
    assert [outlooks(MONTH, [each], now, 24)[0] for each in some] == together


def test_who_is_still_there_after_the_time_said_may_leave_at_any_moment() -> None:
    [outlook] = outlooks(MONTH, [guest(32, "d1", said=16)], clock(32, 16.5), 8)
    assert 0.1 < outlook.stays_share[3] < 0.9


def test_the_basis_says_when_a_driver_usually_leaves_and_names_nobody() -> None:
    learnt = learn([stay(day, "d1", left=15 + day / 4) for day in range(5)], ZONE, UNTIL_AT)
    known, new = outlooks(learnt, [guest(), guest(driver="stranger", said=None)], clock(10, 10), 4)
    assert known.basis == "5 earlier stays: usually leaves 15:30 (half of the days 15:15 to 15:45); said 17:00"
    assert new.basis == "0 earlier stays, 5 stays of this site; nothing said"
    assert "d1" not in known.basis


def test_a_night_shift_is_known_across_midnight() -> None:
    nights = [stay(day, "d1", arrived=22, left=30, said=31) for day in range(6)]
    learnt = learn(nights, ZONE, UNTIL_AT)
    [outlook] = outlooks(learnt, [guest(9, arrived=22, said=31)], clock(10, 3), 24)
    assert outlook.stays_share[7] > 0.8, "until five o'clock"
    assert outlook.stays_share[15] < 0.4, "at seven"
    assert "06:00 +1 d" in outlook.basis


@pytest.mark.parametrize("day", [datetime(2026, 3, 8), datetime(2026, 11, 1)])  # noqa: DTZ001 - the zone follows
def test_clocks_that_change_do_not_move_habits(day: datetime) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    at = [day.replace(tzinfo=zone) + timedelta(days=each) for each in range(-8, 1)]
    stays = [
        PastStay("d1", each.replace(hour=9), each.replace(hour=15, minute=5), each.replace(hour=17), None, 9_000)
        for each in at[:-1]
    ]
    now = at[-1].replace(hour=11)
    learnt = learn(stays, zone, now)
    [outlook] = outlooks(
        learnt, [Guest("g", "d1", at[-1].replace(hour=0), now.replace(hour=17), None, 0, 6_656)], now, 24
    )
    steepest = max(range(1, 24), key=lambda k: outlook.stays_share[k - 1] - outlook.stays_share[k])
    assert now + steepest * PLAN_SLOT == at[-1].replace(hour=15)


def test_trees_learn_what_the_mixture_cannot_tell() -> None:
    """Whoever asks for little leaves when the car is full, whatever was said: nobody's habit, but everybody's."""
    stays = [
        stay(day, None, left=9 + (1.5 if number % 2 else 8), said=17, taken_wh=6_000 if number % 2 else 30_000)
        for day in range(40)
        for number in range(12)
    ]
    learnt = learn(stays, ZONE, UNTIL_AT)
    little, much = (guest(41, None, asked_wh=wh, is_need_known=True) for wh in (6_000, 30_000))
    [quick], [slow] = (outlooks(learnt, [each], clock(41, 9), 20) for each in (little, much))
    assert learnt.trees is not None
    assert quick.stays_share[10] < 0.3
    assert slow.stays_share[10] > 0.7
    untaught = replace(learnt, trees=None)
    assert (
        outlooks(untaught, [little], clock(41, 9), 20)[0].stays_share
        == outlooks(untaught, [much], clock(41, 9), 20)[0].stays_share
    )
