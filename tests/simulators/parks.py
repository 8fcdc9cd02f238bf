"""Small car parks on a stepped clock for the tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulators.agenda import Agenda
from simulators.car import Car, taper_of
from simulators.clock import Clock
from simulators.electrical import SiteMeter
from simulators.evse import Evse
from simulators.fleet import CarPark
from simulators.station import Station

START_S = 1_557_784_800
V16, V201 = BOTH = ("ocpp1.6", "ocpp2.0.1")
KEY = "0123456789abcdefghij"
CARD = "04A1B2C3"


def park_of(url: str, *dialects: str, meter: SiteMeter | None = None) -> CarPark:
    park = CarPark(Clock(START_S), Agenda(), meter)
    for dialect in dialects:
        park.add(dialect, dialect, url, KEY, [Evse(1, register_wh=1000)], meter_interval_s=60, seed=1)
    return park


@asynccontextmanager
async def connected(park: CarPark) -> AsyncIterator[CarPark]:
    async with asyncio.TaskGroup() as tasks:
        links = tasks.create_task(park.run_links())
        try:
            park.connect()
            async with asyncio.timeout(10):
                await park.settled()
            yield park
        finally:
            await park.close()
            links.cancel()


async def play(park: CarPark, span_s: int) -> None:
    """Let a span pass, acting at every second that has events."""
    until_s = park.clock.now_s + span_s
    await park.act(10)
    while park.clock.now_s < until_s:
        if park.advance(until_s):
            await park.act(10)
    await park.act(10)


def plug_in(station: Station, need_wh: float = 20_000, token: str = CARD) -> Car:
    car = Car(need_wh, 6600, taper_of(need_wh, 6000))
    station.bays[1].plug_in(car, token)
    return car
