"""A car park of stations: steps their electrical side, runs what is due, and waits until everything is answered."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from simulators import calls16, calls201
from simulators.agenda import Agenda
from simulators.bay import Bay
from simulators.clock import Clock, wall_s
from simulators.electrical import SiteMeter
from simulators.evse import Activity, Evse
from simulators.failings import SOUND, Failings
from simulators.link import Link
from simulators.messages import Dialect
from simulators.ocpp16 import Ocpp16
from simulators.ocpp201 import Ocpp201
from simulators.station import Answerer, Station

DIALECTS: dict[str, tuple[type[Dialect], Answerer]] = {
    "ocpp1.6": (Ocpp16, calls16.answer),
    "ocpp2.0.1": (Ocpp201, calls201.answer),
}
SETTLE_TIMEOUT_S = 60.0
WALL_TICK_S = 0.2
SHOWN = {
    Activity.FREE: "free",
    Activity.CONNECTED: "waiting",
    Activity.CHARGING: "charging",
    Activity.PAUSED_BY_STATION: "waiting",
    Activity.PAUSED_BY_CAR: "full",
    Activity.FINISHED: "waiting",
    Activity.RESERVED: "free",
    Activity.UNAVAILABLE: "free",
}

Errand = Callable[[], Awaitable[None]]


class CarPark:
    """Stations on one clock and agenda. `meter` None: nobody counts (no known sun or end).

    `advance` only lets time pass; `act` sends what that brought about and waits for the answers. Errands (HTTP) are
    run by `act`, too.
    """

    def __init__(self, clock: Clock, agenda: Agenda, meter: SiteMeter | None = None) -> None:
        self.clock = clock
        self.agenda = agenda
        self.meter = meter
        self.stations: dict[str, Station] = {}
        self.links: dict[str, Link] = {}
        self._bays: list[Bay] = []
        self._errands: list[Errand] = []

    def add(
        self,
        identity: str,
        dialect: str,
        central_url: str,
        key: str | None,
        evses: Sequence[Evse],
        *,
        meter_interval_s: int,
        seed: int,
        failings: Failings = SOUND,
    ) -> Station:
        """Add a station; it connects when its link runs and `connect` was called."""
        kind, answerer = DIALECTS[dialect]
        station = Station(
            identity,
            kind(),
            answerer,
            evses,
            clock=self.clock,
            agenda=self.agenda,
            meter_interval_s=meter_interval_s,
            seed=seed,
            failings=failings,
        )
        self.stations[identity] = station
        self.links[identity] = Link(station, central_url, key)
        self._bays += station.bays.values()
        return station

    def errand(self, errand: Errand) -> None:
        """Have something done over HTTP with the next `act`."""
        self._errands.append(errand)

    # Time

    def advance(self, to_s: int) -> bool:
        """Let time pass up to `to_s`, or the first second at which something is to be sent; return whether it is."""
        while self.clock.now_s < to_s:
            due_s = self.agenda.next_s()
            if due_s is not None and due_s <= self.clock.now_s:
                return True
            if self._run(to_s if due_s is None else min(to_s, due_s)):
                return True
        due_s = self.agenda.next_s()
        return due_s is not None and due_s <= self.clock.now_s

    def _run(self, until_s: int) -> bool:
        """Run the electrical side up to `until_s`, less if a car's or a profile's change is to be reported before."""
        now_s = self.clock.now_s
        plugged = [bay for bay in self._bays if bay.tx is not None]
        for bay in plugged:
            if bay.next_change_s is not None and bay.next_change_s > now_s:
                until_s = min(until_s, bay.next_change_s)
        reached_s, is_news = self._charge(plugged, now_s, until_s)
        self.clock.move_to(reached_s)
        for bay in plugged:
            if bay.next_change_s is not None and bay.next_change_s <= reached_s:
                was = bay.activity
                bay.refresh()
                is_news = is_news or bay.activity is not was
        return is_news

    def _charge(self, plugged: list[Bay], now_s: int, until_s: int) -> tuple[int, bool]:
        live = [bay.evse for bay in plugged if bay.evse.is_live]
        powers_w: list[float] = []
        is_news = False
        at_s = now_s
        while live and at_s < until_s and not is_news:
            total_w = 0.0
            for evse in live:
                power_w = evse.tick()
                total_w += power_w
                if power_w > 0 and evse.current_a == 0 and evse.offered_a > 0:
                    is_news = True  # it drew its last watt-second although it may go on: it is full
            powers_w.append(total_w)
            at_s += 1
            if is_news or any(evse.power_w == 0 for evse in live):
                live = [evse for evse in live if evse.is_live]
        if self.meter is not None and powers_w:
            self.meter.record(now_s, powers_w)
        return (at_s if is_news else until_s), is_news

    async def act(self, timeout_s: float = SETTLE_TIMEOUT_S) -> None:
        """Send what is due now and wait for every answer; raises TimeoutError when that takes too long."""
        for entry in self.agenda.due(self.clock.now_s):
            entry.action()
        for bay in self._bays:
            if bay.tx is not None:
                bay.report()
        async with asyncio.timeout(timeout_s):
            while self._errands:
                errands, self._errands = self._errands, []
                await asyncio.gather(*(errand() for errand in errands))
            await self.settled()

    async def settled(self) -> None:
        """Return when no link has anything outstanding."""
        while busy := [link for link in self.links.values() if not link.idle.is_set()]:
            await busy[0].idle.wait()

    async def run_links(self) -> None:
        """Keep every station's link until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for link in self.links.values():
                tasks.create_task(link.run())

    def connect(self) -> None:
        """Have every station connect."""
        for link in self.links.values():
            link.connect()

    async def follow_wall(self, until: Callable[[], bool]) -> None:
        """Let business time be the time of day, until a condition holds."""
        while not until():
            now_s = wall_s()
            while self.clock.now_s < now_s:
                self.advance(now_s)
                for entry in self.agenda.due(self.clock.now_s):
                    entry.action()
                for bay in self._bays:
                    bay.report()
            await asyncio.sleep(WALL_TICK_S)

    async def close(self) -> None:
        """Close every connection, within a bounded time."""
        await asyncio.gather(*(link.close() for link in self.links.values()))

    # What is seen

    def state(self) -> dict[str, Any]:
        """Return the live view's state as JSON values."""
        stations = [self._station_state(station) for station in self.stations.values()]
        ev_w = sum(bay.evse.power_w for bay in self._bays)
        state = {
            "ev_w": round(ev_w, 1),
            "plugged": sum(bay.evse.car is not None for bay in self._bays),
            "charging": sum(bay.evse.power_w > 0 for bay in self._bays),
            "stations": stations,
        }
        if self.meter is not None:
            meter, now_s = self.meter, self.clock.now_s
            meter.count(now_s)
            index = min(max(0, now_s - meter.starts_s), len(meter.surplus_w) - 1)
            surplus_w = float(meter.surplus_w[index])
            solar_w = min(ev_w, surplus_w)
            state |= {
                "surplus_w": round(surplus_w, 1),
                "solar_w": round(solar_w, 1),
                "grid_w": round(ev_w - solar_w, 1),
                "delivered_wh": round(meter.delivered_wh, 1),
                "solar_wh": round(meter.solar_wh, 1),
                "violations": len(meter.episodes),
            }
        return state

    def _station_state(self, station: Station) -> dict[str, Any]:
        bay = next(iter(station.bays.values()))
        return {
            "station_id": station.identity,
            "state": SHOWN[bay.activity] if station.is_online else "offline",
            "power_w": round(sum(each.evse.power_w for each in station.bays.values()), 1),
            "limit_w": None if bay.tx is None else round(bay.evse.offered_w, 1),
        }
