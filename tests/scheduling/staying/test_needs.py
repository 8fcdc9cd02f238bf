import pytest

from app.scheduling.staying.learner import learn
from app.scheduling.staying.outlooks import outlooks
from tests.scheduling.staying.working_weeks import ZONE, clock, guest, stay

UNTIL_AT = clock(40, 0)


def share_at(blocks, wh: float) -> float:
    """The share of the part that contains an energy, from what was taken so far on."""
    for block in blocks:
        if wh <= block.energy_wh:
            return block.share
        wh -= block.energy_wh
    raise AssertionError("less is wanted in all")


def test_who_always_takes_half_of_what_was_asked_for_likely_does_so_again() -> None:
    learnt = learn([stay(day, left=17, asked_wh=20_000, taken_wh=10_000) for day in range(8)], ZONE, UNTIL_AT)
    [outlook] = outlooks(learnt, [guest(asked_wh=20_000)], clock(10, 10), 4)
    assert share_at(outlook.needs, 5_000) > 0.95
    assert share_at(outlook.needs, 15_000) < 0.3


def test_what_was_taken_already_says_how_much_more() -> None:
    stays = [stay(day, left=17, asked_wh=20_000, taken_wh=16_000 if day % 2 else 5_000) for day in range(8)]
    learnt = learn(stays, ZONE, UNTIL_AT)
    before, after = (
        outlooks(learnt, [guest(asked_wh=20_000, taken_wh=wh)], clock(10, 10), 4)[0].needs for wh in (0, 8_000)
    )
    assert share_at(before, 12_000) < 0.7
    assert share_at(after, 4_000) > 0.9


def test_who_left_early_without_everything_may_have_wanted_it() -> None:
    """Otherwise whatever was saved for later would be learnt as not needed."""
    cut_short = learn([stay(day, left=12, asked_wh=20_000, taken_wh=4_000) for day in range(8)], ZONE, UNTIL_AT)
    [outlook] = outlooks(cut_short, [guest(asked_wh=20_000)], clock(10, 10), 4)
    assert share_at(outlook.needs, 19_000) > 0.9


def test_a_known_need_is_one_part_and_certain() -> None:
    learnt = learn([stay(day, left=17, taken_wh=5_000) for day in range(8)], ZONE, UNTIL_AT)
    [outlook] = outlooks(learnt, [guest(asked_wh=20_000, taken_wh=3_000, is_need_known=True)], clock(10, 10), 4)
    assert [(block.energy_wh, block.share) for block in outlook.needs] == [(17_000, 1.0)]


@pytest.mark.parametrize("learnt", [None, learn([], ZONE, UNTIL_AT)])
def test_with_nothing_learnt_all_that_was_asked_for_is_believed(learnt) -> None:
    [outlook] = outlooks(learnt, [guest(asked_wh=20_000)], clock(10, 10), 4)
    assert [(block.energy_wh, block.share) for block in outlook.needs] == [(pytest.approx(20_000), 1.0)]


def test_who_asked_for_nothing_or_has_it_all_has_no_parts() -> None:
    nothing, full = outlooks(None, [guest(asked_wh=None), guest(asked_wh=8_000, taken_wh=8_000)], clock(10, 10), 4)
    assert nothing.needs == full.needs == ()
