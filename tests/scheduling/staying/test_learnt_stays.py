from datetime import timedelta

import pytest

from app.scheduling.staying.habits import expected_departure, expected_need
from app.scheduling.staying.learner import learn
from app.scheduling.staying.learnt import LearntStays
from app.scheduling.staying.outlooks import outlooks
from tests.scheduling.staying.working_weeks import ZONE, clock, guest, many_stays, stay

UNTIL_AT = clock(40, 0)
STAYS = many_stays()
MONTH = learn(STAYS, ZONE, UNTIL_AT)
FEW = learn(STAYS[:60], ZONE, UNTIL_AT)


@pytest.mark.parametrize("learnt", [MONTH, FEW, learn([], ZONE, UNTIL_AT)])
def test_what_was_learnt_survives_as_bytes(learnt: LearntStays) -> None:
    back = LearntStays.from_bytes(learnt.to_bytes())
    some = [guest(41, f"d{number}") for number in range(4)]
    assert back.to_bytes() == learnt.to_bytes()
    assert outlooks(back, some, clock(41, 12), 24) == outlooks(learnt, some, clock(41, 12), 24)
    assert (back.until_at, back.zone.key, back.stays_count) == (learnt.until_at, "Asia/Tokyo", learnt.stays_count)


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04nothing", b"\x80\x04K\x01.", MONTH.to_bytes()[:500]])
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        LearntStays.from_bytes(body)


def test_only_enough_stays_make_trees() -> None:
    assert MONTH.trees is not None
    assert FEW.trees is None


def test_stays_after_the_end_are_not_learnt_from() -> None:
    assert learn(STAYS, ZONE, clock(10, 0)).stays_count == sum(each.left_at <= clock(10, 0) for each in STAYS)


def test_one_stay_more_is_as_good_as_learning_them_all() -> None:
    learnt = learn(STAYS[:59], ZONE, UNTIL_AT).with_stay(STAYS[59])
    some = [guest(41, f"d{number}") for number in range(12)]
    assert outlooks(learnt, some, clock(41, 12), 24) == outlooks(FEW, some, clock(41, 12), 24)


def test_a_new_driver_can_be_added() -> None:
    learnt = FEW.with_stay(stay(39, "new", left=12))
    [outlook] = outlooks(learnt, [guest(41, "new")], clock(41, 10), 4)
    assert outlook.basis.startswith("1 earlier stay: usually leaves 12:00")


def test_an_erased_driver_is_a_stranger_and_the_others_are_not_touched() -> None:
    erased = MONTH.without("d3")
    assert b"d3" not in str(erased.drivers).encode()
    now = clock(41, 12)
    gone, stranger = guest(41, "d3"), guest(41, "stranger")
    others = [guest(41, f"d{number}") for number in (0, 1, 2, 4, 11)]
    assert outlooks(erased, [gone], now, 24) == outlooks(MONTH, [stranger], now, 24)
    assert outlooks(erased, others, now, 24) == outlooks(MONTH, others, now, 24)
    assert outlooks(LearntStays.from_bytes(erased.to_bytes()), others, now, 24) == outlooks(MONTH, others, now, 24)
    assert erased.without("d3") is erased


def test_the_departure_of_who_says_nothing_is_learnt() -> None:
    learnt = learn([stay(day, "d1", left=15 + day % 2 / 4) for day in range(8)], ZONE, UNTIL_AT)
    found = expected_departure(learnt, "d1", clock(41, 9))
    assert found is not None
    assert clock(41, 15) <= found[0] <= clock(41, 16)
    assert "8 earlier stays: usually leaves 15:" in found[1]


def test_of_a_stranger_the_site_tells_the_departure() -> None:
    found = expected_departure(MONTH, None, clock(41, 9))
    assert found is not None
    assert clock(41, 16) <= found[0] <= clock(41, 19)
    assert expected_departure(learn([stay(0)], ZONE, UNTIL_AT), None, clock(41, 9)) is None
    assert expected_departure(learn([], ZONE, UNTIL_AT), "d1", clock(41, 9)) is None


def test_the_expected_departure_is_later_than_an_arrival_at_any_time() -> None:
    for hour in range(24):
        found = expected_departure(MONTH, "d2", clock(41, hour))
        assert found is not None
        assert clock(41, hour) < found[0] <= clock(41, hour) + timedelta(hours=25)


def test_the_need_of_who_says_nothing_is_enough_on_most_days() -> None:
    found = expected_need(MONTH, "d7", clock(41, 9))
    assert found is not None
    assert found[0] == pytest.approx(13_000, rel=0.02)
    everyone = expected_need(MONTH, "stranger", clock(41, 9))
    assert everyone is not None
    assert 13_000 < everyone[0] <= 17_000
    assert expected_need(learn([], ZONE, UNTIL_AT), "d1", clock(41, 9)) is None
