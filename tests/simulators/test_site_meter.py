import numpy as np

from simulators.electrical import SiteMeter, Steps

START_S = 1_557_784_800


def meter(limit_w: float = 10_000, surplus_w: float = 4000, span_s: int = 3600) -> SiteMeter:
    return SiteMeter(START_S, START_S + span_s, Steps(START_S, 900, np.full(4, surplus_w)), limit_w)


def test_solar_is_what_the_surplus_covers_in_every_second() -> None:
    counted = meter()
    counted.record(START_S, [6000.0] * 1800 + [1000.0] * 1800)
    counted.count(START_S + 3600)
    assert round(counted.delivered_wh) == 3500
    assert round(counted.solar_wh) == 2500
    assert round(counted.grid_wh) == 1000


def test_an_over_limit_park_is_a_violation_and_every_episode_counts_once() -> None:
    counted = meter()
    counted.record(START_S, [9000.0] * 100 + [12_000.0] * 60 + [8000.0] * 100 + [11_000.0] * 30 + [0.0] * 100)
    for until_s in range(START_S, START_S + 3600, 7):
        counted.count(until_s)
    assert len(counted.episodes) == 2
    assert counted.episodes[0].began_s > START_S + 100
    assert round(counted.peak_w) == 12_000
    assert counted.over_limit_s == sum(episode.duration_s for episode in counted.episodes)


def test_a_peak_shorter_than_the_mean_is_no_violation() -> None:
    counted = meter()
    counted.record(START_S, [9000.0] * 50 + [14_000.0] * 2 + [9000.0] * 50)
    counted.count(START_S + 3600)
    assert counted.episodes == []


def test_exactly_at_the_limit_is_no_violation_but_time_at_the_limit() -> None:
    counted = meter()
    counted.record(START_S, [10_000.0] * 600)
    counted.count(START_S + 3600)
    assert counted.episodes == []
    assert 590 <= counted.at_limit_s <= 600


def test_counting_in_pieces_is_counting_at_once() -> None:
    rng = np.random.default_rng(5)
    powers_w = rng.uniform(0, 15_000, 1000).tolist()
    pieces, whole = meter(), meter()
    for counted in (pieces, whole):
        counted.record(START_S, powers_w)
    for until_s in range(START_S, START_S + 3600, 13):
        pieces.count(until_s)
    pieces.count(START_S + 3600)
    whole.count(START_S + 3600)
    assert np.isclose(pieces.solar_wh, whole.solar_wh)
    assert pieces.peak_w == whole.peak_w
    assert [(each.began_s, each.duration_s) for each in pieces.episodes] == [
        (each.began_s, each.duration_s) for each in whole.episodes
    ]


def test_the_minutes_are_means() -> None:
    counted = meter()
    counted.record(START_S, [6000.0] * 30)
    first = counted.minutes()[0]
    assert (first["ev_w"], first["surplus_w"]) == (3000.0, 4000.0)
    assert len(counted.minutes()) == 60


def test_power_outside_the_span_is_ignored() -> None:
    counted = meter(span_s=60)
    counted.record(START_S + 50, [1000.0] * 20)
    counted.record(START_S + 90, [1000.0] * 20)
    counted.count(START_S + 200)
    assert round(counted.delivered_wh * 3600) == 10_000
