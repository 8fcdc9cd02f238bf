from contextlib import asynccontextmanager

import pytest
from fake_central import FakeCentral
from parks import BOTH, KEY, START_S, connected, play, plug_in
from test_station_calls import composite, default_profile

from simulators.agenda import Agenda
from simulators.calls16 import answer
from simulators.clock import Clock
from simulators.evse import Evse
from simulators.failings import Failings
from simulators.fleet import CarPark
from simulators.ocpp16 import Ocpp16
from simulators.profiles import Period, Profile, Purpose
from simulators.station import Station


@asynccontextmanager
async def failing(dialect: str, **failings):
    """A car park with one station of the dialect that has these failings, connected, with a default of 6 A."""
    async with FakeCentral() as central:
        park = CarPark(Clock(START_S), Agenda())
        park.add(
            dialect, dialect, central.url, KEY, [Evse(1)], meter_interval_s=60, seed=1, failings=Failings(**failings)
        )
        async with connected(park):
            assert await central.call(dialect, *default_profile(dialect, 6.0)) == {"status": "Accepted"}
            yield central, park, park.stations[dialect]


def drawn_w(station) -> float:
    return station.bays[1].evse.power_w


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_lying_station_reads_back_what_it_was_told_and_draws_what_it_likes(dialect: str) -> None:
    async with failing(dialect, is_lying=True) as (central, park, station):
        plug_in(station)
        await play(park, 30)
        assert await composite(central, dialect) == [(0, 6.0)]
        assert drawn_w(station) == pytest.approx(6000.0)


@pytest.mark.parametrize("dialect", BOTH)
async def test_zero_may_be_ignored(dialect: str) -> None:
    async with failing(dialect, ignores_pause=True) as (central, park, station):
        plug_in(station)
        await play(park, 30)
        await central.call(dialect, *default_profile(dialect, 0.0))
        await play(park, 30)
        assert drawn_w(station) == pytest.approx(1200.0)


@pytest.mark.parametrize(("failings", "after_w"), [({"ignores_resume": True}, 0.0), ({}, 1200.0)])
async def test_what_comes_after_zero_may_be_ignored_until_the_next_transaction(failings, after_w: float) -> None:
    for dialect in BOTH:
        async with failing(dialect, **failings) as (central, park, station):
            plug_in(station)
            await play(park, 30)
            await central.call(dialect, *default_profile(dialect, 0.0))
            await play(park, 30)
            assert drawn_w(station) == 0.0
            await central.call(dialect, *default_profile(dialect, 6.0))
            await play(park, 60)
            assert drawn_w(station) == pytest.approx(after_w)
            station.bays[1].unplug()
            plug_in(station)
            await play(park, 30)
            assert drawn_w(station) == pytest.approx(1200.0)


@pytest.mark.parametrize("is_forgetful", [True, False])
def test_a_forgetful_station_loses_its_profiles_when_it_restarts_and_others_keep_them(is_forgetful: bool) -> None:
    failings = Failings(is_forgetful=is_forgetful)
    station = Station("s", Ocpp16(), answer, [Evse(1)], clock=Clock(START_S), agenda=Agenda(), failings=failings)
    assert station.set_profile(Profile(1, 1, Purpose.TX_DEFAULT, 0, "A", (Period(0, 6.0),)))
    station.restart()
    assert bool(station.profiles.profiles) is not is_forgetful


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_station_may_refuse_to_tell_what_it_would_apply(dialect: str) -> None:
    async with failing(dialect, hides_profiles=True) as (central, _, _):
        number = "connectorId" if dialect == BOTH[0] else "evseId"
        answer = await central.call(dialect, "GetCompositeSchedule", {number: 1, "duration": 60})
        assert answer["status"] == "Rejected"


@pytest.mark.parametrize("dialect", BOTH)
async def test_a_limit_may_be_applied_late(dialect: str) -> None:
    async with failing(dialect, apply_delay_s=40) as (central, park, station):
        plug_in(station)
        await play(park, 60)
        assert drawn_w(station) == pytest.approx(1200.0)
        await central.call(dialect, *default_profile(dialect, 12.0))
        await play(park, 30)
        assert drawn_w(station) == pytest.approx(1200.0)
        await play(park, 30)
        assert drawn_w(station) == pytest.approx(2400.0)
