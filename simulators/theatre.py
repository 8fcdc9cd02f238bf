"""The demo's day in motion: a prepared day's commuters on a car park of connected stations."""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from simulators.agenda import Agenda
from simulators.car import Car
from simulators.clock import Clock
from simulators.commuters import Commuter
from simulators.electrical import SiteMeter
from simulators.employees import Employees
from simulators.evse import Evse
from simulators.fleet import CarPark
from simulators.outages import Outage, outages_of
from simulators.prepared import MAX_CURRENT_A, PHASE_COUNT, VOLTAGE_V, PreparedDay

logger = logging.getLogger(__name__)

READY_TIMEOUT_S = 60.0
REGISTER_MAX_WH = 5_000_000


@dataclass(slots=True)
class Visit:
    """One commuter's stay as it happened."""

    commuter: Commuter
    car: Car
    arrived_s: int
    left_s: int | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """Where the house is and which keys its players have; holds secrets, so it is never logged."""

    central_url: str
    api_url: str
    site_id: str
    site_limit_w: float
    station_keys: Mapping[str, str]
    meter_token: str
    driver_tokens: Mapping[str, str]
    now_s: int
    meter_interval_s: int = 60
    outages: int = 0
    seed: int = 0


class Theatre:
    """Stations, cars, people and outages of one day; `park` is stepped from outside."""

    def __init__(self, day: PreparedDay, setup: Setup) -> None:
        self.day = day
        self.setup = setup
        self.clock = Clock(setup.now_s)
        self.meter = SiteMeter(day.starts_s, day.ends_s, day.sun.surplus, setup.site_limit_w)
        self.park = CarPark(self.clock, Agenda(), self.meter)
        self.visits: dict[str, Visit] = {}
        self.outages: list[Outage] = []
        self.troubles: list[str] = []
        self.employees = Employees(
            self.park,
            day,
            api_url=setup.api_url,
            site_id=setup.site_id,
            meter_token=setup.meter_token,
            driver_tokens=dict(setup.driver_tokens),
        )
        self._build()

    def _build(self) -> None:
        rng = random.Random(f"registers:{self.setup.seed}")
        for number in range(self.day.station_count):
            identity = self.day.station_id(number)
            evse = Evse(1, MAX_CURRENT_A, PHASE_COUNT, VOLTAGE_V, rng.randint(0, REGISTER_MAX_WH))
            self.park.add(
                identity,
                self.day.dialect(number),
                self.setup.central_url,
                self.setup.station_keys.get(identity),
                [evse],
                meter_interval_s=self.setup.meter_interval_s,
                seed=self.setup.seed,
            )

    async def open(self) -> None:
        """Connect and boot every station; raises ConnectionError or TimeoutError when one cannot."""
        self.park.connect()
        async with asyncio.timeout(READY_TIMEOUT_S):
            await self.park.settled()
        for identity, station in self.park.stations.items():
            if not station.is_online:
                trouble = self.park.links[identity].trouble or f"boot answered {station.boot_status}"
                raise ConnectionError(f"station {identity} is not online: {trouble}")
        self._plan()

    def _plan(self) -> None:
        agenda = self.park.agenda
        for commuter in self.day.roll.commuters:
            agenda.at(commuter.arrives_s, partial(self._arrive, commuter))
        self.outages = outages_of(self.day, self.setup.outages, self.setup.seed)
        for outage in self.outages:
            agenda.at(outage.begins_s, partial(self._cut, outage))
        self.employees.plan(self.setup.now_s)

    def _arrive(self, commuter: Commuter) -> None:
        bay = self.park.stations[self.day.station_id(commuter.station_no)].bays[1]
        if bay.evse.car is not None:
            self.troubles.append(f"{commuter.commuter_id} found {self.day.station_id(commuter.station_no)} occupied")
            return
        car = Car(commuter.need_wh, commuter.max_power_w, commuter.taper, commuter.battery_wh)
        self.visits[commuter.commuter_id] = Visit(commuter, car, self.clock.now_s)
        bay.plug_in(car, commuter.token)
        self.employees.plugged_in(commuter)
        self.park.agenda.at(commuter.leaves_s, partial(self._leave, commuter))

    def _leave(self, commuter: Commuter) -> None:
        self.visits[commuter.commuter_id].left_s = self.clock.now_s
        self.park.stations[self.day.station_id(commuter.station_no)].bays[1].unplug()

    def _cut(self, outage: Outage) -> None:
        logger.info("%s loses its line until %d", outage.station_id, outage.ends_s)
        self.park.stations[outage.station_id].stay_away(outage.ends_s)

    async def close(self) -> None:
        """Hang up everywhere."""
        await self.employees.close()
        await self.park.close()

    def state(self) -> dict[str, Any]:
        """Return the live view's state."""
        return self.park.state()
