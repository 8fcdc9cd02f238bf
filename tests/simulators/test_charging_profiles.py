from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.profiles import DAY_S, Electrical, Period, Profile, ProfileStore, Purpose

NOW_S = 1_557_792_000
LEASE_S = 600


def store() -> ProfileStore:
    return ProfileStore(Electrical(rated_a=30, voltage_v=200, phase_count=1))


def profile(purpose: Purpose, *periods: tuple[int, float], profile_id: int = 1, **more: Any) -> Profile:
    settings = {"evse_number": 0 if purpose is Purpose.STATION_MAX else 1, "stack_level": 0, "unit": "A", **more}
    return Profile(profile_id, purpose=purpose, periods=tuple(Period(*period) for period in periods), **settings)


def limit_a(held: ProfileStore, at_s: int = NOW_S, *, has_tx: bool = True, anchor_s: int = NOW_S) -> float:
    return held.limit_a(1, at_s, anchor_s=anchor_s, has_tx=has_tx)


def test_a_factory_fresh_station_charges_at_nameplate() -> None:
    assert limit_a(store(), has_tx=False) == 30


def test_the_lease_falls_back_to_the_safe_period_after_its_end() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 30.0)))
    held.install(profile(Purpose.TX, (0, 16.0), (LEASE_S, 6.0), profile_id=2, start_s=NOW_S))
    assert limit_a(held, NOW_S + LEASE_S - 1) == 16
    assert limit_a(held, NOW_S + LEASE_S) == 6
    assert limit_a(held, NOW_S + DAY_S) == 6
    assert held.next_change_s(1, NOW_S, anchor_s=NOW_S, has_tx=True) == NOW_S + LEASE_S
    assert held.next_change_s(1, NOW_S + LEASE_S, anchor_s=NOW_S, has_tx=True) is None


def test_a_tx_profile_replaces_the_default_also_upwards() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 6.0)))
    held.install(profile(Purpose.TX, (0, 20.0), profile_id=2))
    assert limit_a(held) == 20
    assert limit_a(held, has_tx=False) == 6


def test_the_end_of_the_transaction_drops_the_tx_profile_and_keeps_the_default() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 6.0)))
    held.install(profile(Purpose.TX, (0, 20.0), profile_id=2))
    held.end_transaction(1)
    assert limit_a(held) == 6
    assert [each.purpose for each in held.profiles] == [Purpose.TX_DEFAULT]


def test_a_tx_profile_that_has_run_out_leaves_the_default_in_force() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 6.0)))
    held.install(profile(Purpose.TX, (0, 20.0), profile_id=2, start_s=NOW_S, duration_s=60))
    assert limit_a(held, NOW_S + 59) == 20
    assert limit_a(held, NOW_S + 60) == 6


def test_the_station_maximum_caps_everything_and_is_shared() -> None:
    held = store()
    held.install(profile(Purpose.STATION_MAX, (0, 10.0)))
    assert limit_a(held) == 10
    held.install(profile(Purpose.TX, (0, 20.0), profile_id=2))
    assert limit_a(held) == 10
    assert held.limit_a(1, NOW_S, anchor_s=NOW_S, has_tx=True, sharing_count=2) == 5
    held.install(profile(Purpose.TX, (0, 7.0), profile_id=2))
    assert limit_a(held) == 7


def test_the_highest_active_stack_level_wins() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 12.0), profile_id=1, stack_level=0))
    held.install(profile(Purpose.TX_DEFAULT, (0, 20.0), profile_id=2, stack_level=3, start_s=NOW_S, duration_s=100))
    assert limit_a(held) == 20
    assert limit_a(held, NOW_S + 100) == 12


def test_a_profile_of_the_evse_goes_before_one_of_the_whole_station() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 12.0), profile_id=1, evse_number=0))
    held.install(profile(Purpose.TX_DEFAULT, (0, 8.0), profile_id=2))
    assert limit_a(held) == 8


def test_watts_and_amperes_mean_the_same_limit() -> None:
    held = store()
    held.install(_watts(3200))
    assert limit_a(held) == 16
    three = ProfileStore(Electrical(32, 230, 3))
    three.install(_watts(11_040))
    assert limit_a(three) == 16


def _watts(limit_w: float) -> Profile:
    return profile(Purpose.TX_DEFAULT, (0, limit_w), unit="W")


def test_a_daily_profile_repeats() -> None:
    held = store()
    night = profile(Purpose.TX_DEFAULT, (0, 6.0), (3600, 20.0), start_s=NOW_S, repeat_s=DAY_S)
    held.install(night)
    assert limit_a(held, NOW_S + 5 * DAY_S) == 6
    assert limit_a(held, NOW_S + 5 * DAY_S + 3600) == 20
    assert held.next_change_s(1, NOW_S + 7200, anchor_s=NOW_S, has_tx=True) == NOW_S + DAY_S


def test_a_relative_profile_counts_from_the_start_of_the_transaction() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 6.0), (60, 20.0)))
    assert limit_a(held, NOW_S + 59) == 6
    assert limit_a(held, NOW_S + 60) == 20


def test_validity_bounds_are_kept() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 6.0), valid_from_s=NOW_S + 10, valid_to_s=NOW_S + 20))
    assert [limit_a(held, NOW_S + offset_s) for offset_s in (9, 10, 19, 20)] == [30, 6, 6, 30]


@pytest.mark.parametrize(
    "bad",
    [
        profile(Purpose.TX_DEFAULT),
        profile(Purpose.TX_DEFAULT, (5, 6.0)),
        profile(Purpose.TX_DEFAULT, (0, 6.0), (0, 7.0)),
        profile(Purpose.TX_DEFAULT, (0, -1.0)),
        profile(Purpose.TX_DEFAULT, (0, 6.0), stack_level=11),
        profile(Purpose.STATION_MAX, (0, 6.0), evse_number=1),
        profile(Purpose.TX, (0, 6.0), evse_number=0),
        profile(Purpose.TX_DEFAULT, *((offset_s, 6.0) for offset_s in range(25))),
    ],
)
def test_impossible_profiles_are_refused(bad: Profile) -> None:
    held = store()
    assert not held.install(bad)
    assert held.profiles == []


def test_a_profile_replaces_the_one_with_its_id_or_its_place() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 6.0), profile_id=1))
    held.install(profile(Purpose.TX_DEFAULT, (0, 7.0), profile_id=1, stack_level=2))
    held.install(profile(Purpose.TX_DEFAULT, (0, 8.0), profile_id=9, stack_level=2))
    assert [each.profile_id for each in held.profiles] == [9]


def test_clearing_takes_only_what_matches() -> None:
    held = store()
    held.install(profile(Purpose.TX_DEFAULT, (0, 6.0), profile_id=1))
    held.install(profile(Purpose.TX, (0, 6.0), profile_id=2))
    assert held.clear(purpose=Purpose.STATION_MAX) == 0
    assert held.clear(profile_id=2) == 1
    assert held.clear(evse_number=1) == 1


PROFILES = st.builds(
    lambda purpose, stack, start, lengths, unit, duration: profile(
        purpose,
        *zip(
            [sum(lengths[:n]) for n in range(len(lengths))],
            [(n * 7 % 33) * (200.0 if unit == "W" else 1.0) for n in lengths],
            strict=True,
        ),
        profile_id=hash((purpose, stack)) % 1000,
        stack_level=stack,
        unit=unit,
        start_s=start,
        duration_s=duration,
    ),
    st.sampled_from(list(Purpose)),
    st.integers(0, 3),
    st.none() | st.integers(NOW_S - 500, NOW_S + 500),
    st.lists(st.integers(1, 300), min_size=1, max_size=4),
    st.sampled_from("AW"),
    st.none() | st.integers(1, 900),
)


@given(st.lists(PROFILES, max_size=6), st.booleans())
def test_the_composite_schedule_says_at_every_second_what_holds(profiles: list[Profile], has_tx: bool) -> None:
    held = store()
    for each in profiles:
        held.install(each)
    pieces = held.composite_a(1, NOW_S, 1200, anchor_s=NOW_S, has_tx=has_tx)
    assert pieces[0][0] == 0
    for second in range(0, 1200, 7):
        said_a = [value_a for offset_s, value_a in pieces if offset_s <= second][-1]
        assert said_a == limit_a(held, NOW_S + second, has_tx=has_tx)
