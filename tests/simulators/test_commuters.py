from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import records
from simulators.car import fill_s
from simulators.commuters import EARLY_FROM_S, GAP_S, LATEST_DEPARTURE, SHORTEST_STAY_S, at_local
from simulators.prepared import PreparedDay, Unknown, prepare
from simulators.sun import sun_of

DAYS = records.available_days()


def day_of(stations: int = 20, seed: int = 7, day: str | None = None, as_recorded: bool = False) -> PreparedDay:
    return prepare(stations, seed, day, as_recorded=as_recorded, surplus_ratio=1.5)


seeds, sizes, days = st.integers(0, 10**6), st.integers(3, 70), st.sampled_from([None, *map(str, DAYS)])


@settings(deadline=None, max_examples=40)
@given(sizes, seeds, days, st.booleans())
def test_stays_never_overlap_and_every_need_can_be_filled(
    stations: int, seed: int, day: str | None, as_recorded: bool
) -> None:
    prepared = day_of(stations, seed, day, as_recorded)
    free_from_s: dict[int, int] = {}
    for commuter in sorted(prepared.roll.commuters, key=lambda each: each.arrives_s):
        assert free_from_s.get(commuter.station_no, 0) <= commuter.arrives_s
        free_from_s[commuter.station_no] = max(commuter.leaves_s, commuter.declared_s) + GAP_S
        stay_s = commuter.leaves_s - commuter.arrives_s
        assert stay_s >= SHORTEST_STAY_S
        assert prepared.starts_s + EARLY_FROM_S <= commuter.arrives_s
        assert commuter.leaves_s <= at_local(prepared.day, LATEST_DEPARTURE)
        assert commuter.declared_s > commuter.arrives_s
        assert fill_s(commuter.need_wh, min(6000.0, commuter.max_power_w)) <= 0.9 * stay_s
        assert commuter.battery_wh >= commuter.need_wh
        assert commuter.books_s is None or prepared.starts_s < commuter.books_s < commuter.arrives_s
        assert as_recorded or commuter.leaves_s == commuter.declared_s
    assert len({commuter.token for commuter in prepared.roll.commuters}) == len(prepared.roll.commuters)


@settings(deadline=None, max_examples=10)
@given(sizes, seeds)
def test_the_same_seed_gives_the_same_day(stations: int, seed: int) -> None:
    assert day_of(stations, seed).told() == day_of(stations, seed).told()


def test_another_seed_gives_another_day() -> None:
    assert day_of(seed=1, day="2019-05-14").told() != day_of(seed=2, day="2019-05-14").told()


@pytest.mark.parametrize("stations", [20, 60, 200])
def test_about_every_station_has_its_cars(stations: int) -> None:
    commuters = day_of(stations).roll.commuters
    assert 1.0 * stations <= len(commuters) <= 1.8 * stations


def test_most_book_and_some_cars_are_slow() -> None:
    commuters = day_of(200).roll.commuters
    assert 0.5 < sum(each.books_s is not None for each in commuters) / len(commuters) < 0.7
    assert 0.1 < sum(each.max_power_w < 6000 for each in commuters) / len(commuters) < 0.3


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(DAYS), st.sampled_from([0.75, 1.5]))
def test_the_surplus_is_the_wanted_multiple_of_the_need(day: date, ratio: float) -> None:
    prepared = prepare(20, 1, str(day), as_recorded=False, surplus_ratio=ratio)
    need_wh = sum(each.need_wh for each in prepared.roll.commuters)
    surplus_wh = prepared.sun.surplus.by_second(prepared.starts_s, prepared.ends_s).sum() / 3600
    assert abs(surplus_wh / need_wh - ratio) < 0.001


def test_the_forecast_never_looks_at_the_day_itself() -> None:
    day = DAYS[-1]
    earlier = records.earlier_pv_w(day)
    assert len(earlier) == records.FORECAST_DAYS
    assert records.pv_w(day) not in earlier
    sun = sun_of(
        day,
        midnight_s=at_local(day, LATEST_DEPARTURE.replace(hour=0, minute=0)),
        starts_s=at_local(day, LATEST_DEPARTURE.replace(hour=7, minute=0)),
        ends_s=at_local(day, LATEST_DEPARTURE.replace(hour=19, minute=0)),
        need_wh=300_000,
        surplus_ratio=1.5,
    )
    k = sun.pv.power_w.max() / max(records.pv_w(day))
    assert np.allclose(sun.forecast_pv.power_w, k * np.mean(np.array(earlier), axis=0), atol=0.2)


def test_the_told_day_has_everything_a_parent_needs() -> None:
    told = day_of(4).told()
    assert [station["dialect"] for station in told["stations"]] == ["ocpp1.6", "ocpp2.0.1"] * 2
    assert told["starts_at"].endswith("T07:00:00+09:00")
    assert told["ends_at"].endswith("T19:00:00+09:00")
    assert len(told["sun"]["pv_w"]) == len(told["forecast"]["building_w"]) == 96
    assert told["commuters"][0].keys() >= {"commuter_id", "station_id", "token", "need_wh", "taper", "announces"}


@pytest.mark.parametrize("day", ["1999-01-01", "2019-05-05", "someday"])
def test_an_unknown_day_names_the_available_range(day: str) -> None:
    with pytest.raises(Unknown, match=f"{DAYS[0]} to {DAYS[-1]}"):
        day_of(day=day)


@pytest.mark.parametrize(("stations", "ratio"), [(0, 1.5), (501, 1.5), (20, 0.0), (20, float("nan"))])
def test_impossible_sizes_are_refused(stations: int, ratio: float) -> None:
    with pytest.raises(Unknown):
        prepare(stations, 7, None, as_recorded=False, surplus_ratio=ratio)


def test_no_day_with_a_gap_in_its_sun_is_offered() -> None:
    assert date(2019, 5, 28) not in DAYS
    assert date(2019, 5, 14) in DAYS
