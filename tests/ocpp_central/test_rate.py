from rows import MORNING

from app.ocpp_central.rate import RateBound


def test_a_burst_is_free_and_what_is_beyond_it_waits_for_its_turn():
    bound = RateBound(rate_per_s=10, burst_count=2, patience_s=60)
    assert [bound.pause_s(0, MORNING) for _ in range(4)] == [0, 0, 0.1, 0.2]
    assert bound.pause_s(10, MORNING) == 0


def test_a_reader_that_wakes_up_late_does_not_make_a_flood_look_like_a_pause():
    bound = RateBound(rate_per_s=10, burst_count=10, patience_s=5)
    for tick in range(30):
        for _ in range(11 if tick == 0 else 4 if tick % 2 == 0 else 2):
            bound.pause_s(tick * 0.3, MORNING)
    assert bound.is_flooding(10)


def test_a_station_that_lets_half_of_its_burst_come_back_is_forgiven():
    bound = RateBound(rate_per_s=10, burst_count=10, patience_s=5)
    for _ in range(20):
        bound.pause_s(0, MORNING)
    assert bound.is_flooding(6)
    assert bound.pause_s(6, MORNING) == 0
    assert not bound.is_flooding(6)
