"""PostgreSQL goes away while stations of both dialects charge: nothing is lost, and nobody is told an error.

The house and the simulated stations run in this process on one stepped clock; sockets and PostgreSQL are real.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import tempfile
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rows import KEY, add_driver, add_site, add_station
from structlog.testing import capture_logs

from app.demo.truth import differences
from app.runtime.clock import SteppedClock
from app.runtime.embedded_postgres import EmbeddedPostgres
from app.runtime.house import open_house
from app.runtime.migrate import migrate
from app.runtime.postgres_process import server_pids
from app.settings import Settings
from simulators.agenda import Agenda
from simulators.car import Car, taper_of
from simulators.clock import Clock
from simulators.evse import Evse
from simulators.fleet import CarPark

pytestmark = [pytest.mark.system, pytest.mark.database]

START_AT = datetime(2026, 4, 1, 0, tzinfo=UTC)
STATIONS = {f"{dialect}-{number}": dialect for dialect in ("ocpp1.6", "ocpp2.0.1") for number in range(3)}
CARD = "CARD-1"
PATIENCE_S = 90.0


class World:
    """The house and the car park, and one time for both."""

    def __init__(self, house, park, postgres):
        self.house = house
        self.park = park
        self.postgres = postgres
        self.bays = [station.bays[1] for station in park.stations.values()]

    async def play(self, minutes):
        """Let business time pass, acting whenever there is something to send."""
        until_s = self.park.clock.now_s + round(60 * minutes)
        await self.act()
        while self.park.clock.now_s < until_s:
            await self.house.clock.quiet(PATIENCE_S)
            goal_s = min(until_s, self.park.clock.now_s + 15)
            wake_at = self.house.clock.next_wake_at()
            if wake_at is not None:
                goal_s = max(min(goal_s, int(wake_at.timestamp()) + 1), self.park.clock.now_s + 1)
            has_events = self.park.advance(goal_s)
            self.house.clock.move_to(max(self.house.clock.now(), datetime.fromtimestamp(self.park.clock.now_s, UTC)))
            if has_events:
                await self.act()

    async def act(self):
        await self.park.act(PATIENCE_S)

    def arrive(self, *bays):
        for bay in bays:
            bay.plug_in(Car(8_000, 6600, taper_of(8_000, 6600)), CARD)

    def leave(self, *bays):
        for bay in bays:
            bay.unplug()

    def kill_postgres(self, data_dir):
        for pid in server_pids(data_dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def wrong(self):
        """What is lost, doubled or still unsent."""
        outboxes = [station.outbox for station in self.park.stations.values()]
        found = [f"{outbox.pending_count} unsent, {outbox.lost_count} lost" for outbox in outboxes if len(outbox)]
        found += [f"{outbox.lost_count} lost" for outbox in outboxes if outbox.lost_count]
        journal = {identity: station.journal.told() for identity, station in self.park.stations.items()}
        async with self.house.transactions() as tx:
            return found + await differences(tx, journal)

    def session_count(self):
        return sum(len(station.journal.transactions) for station in self.park.stations.values())


@pytest.fixture(autouse=True)
def logs():
    """Tracebacks of every loop that meets the outage take longer than the outage when they are drawn."""
    with capture_logs() as logs:
        yield logs


@pytest.fixture
def data_dir():
    folder = Path(tempfile.mkdtemp(prefix="sunslot-outage-"))
    folder.chmod(0o755)
    yield folder / "postgres"
    shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def world_on(data_dir):
    clock = SteppedClock(START_AT)
    postgres = EmbeddedPostgres(data_dir)
    async with postgres as url:
        await migrate(url)
        settings = Settings(database_url=url, data_dir=data_dir.parent, http_port=0, ocpp_port=0, ocpp_host="127.0.0.1")
        async with open_house(settings, clock) as house:
            async with house.transactions() as tx:
                await add_site(tx)
                for identity, dialect in STATIONS.items():
                    await add_station(tx, identity, dialect=dialect, connection_id=None, needs_boot=True)
                await add_driver(tx, CARD)
            park = CarPark(Clock(int(START_AT.timestamp())), Agenda())
            for number, (identity, dialect) in enumerate(STATIONS.items()):
                station = park.add(
                    identity,
                    dialect,
                    f"ws://127.0.0.1:{house.central.port}/ocpp",
                    KEY.decode(),
                    [Evse(1, register_wh=1000 * number)],
                    meter_interval_s=60,
                    seed=number,
                )
                station.tokens.remember(CARD, True)  # unknown cards do not charge while offline
            async with asyncio.TaskGroup() as tasks:
                links = tasks.create_task(park.run_links())
                park.connect()
                yield World(house, park, postgres)
                await park.close()
                links.cancel()


def refusals(caplog):
    return [record.getMessage() for record in caplog.records if "was answered with" in record.getMessage()]


@pytest.mark.ocpp("1.6", "StartTransaction", "StopTransaction", "MeterValues")
@pytest.mark.ocpp("2.0.1", "TransactionEvent")
async def test_ten_minutes_without_postgresql_lose_nothing_and_nobody_is_told_an_error(data_dir, caplog):
    """Sessions run through, end and begin while it is away (OCPP 1.6 §3.7.1, OCPP 2.0.1 E04)."""
    caplog.set_level(logging.WARNING)
    async with world_on(data_dir) as world:
        await world.play(2)
        world.arrive(*world.bays[:2], *world.bays[3:5])
        await world.play(8)
        assert world.session_count() == 4
        world.kill_postgres(data_dir)
        await world.play(3)
        world.leave(world.bays[0], world.bays[3])
        world.arrive(world.bays[2], world.bays[5])
        await world.play(7)
        assert world.house.central.counts["handshake_without_database"] > 0
        assert any("HTTP 503" in record.getMessage() for record in caplog.records)
        await world.postgres.restart()
        await world.play(20)
        world.leave(*world.bays[1:3], *world.bays[4:])
        await world.play(10)
        assert world.session_count() == 6
        assert await world.wrong() == []
    assert refusals(caplog) == []


@pytest.mark.ocpp("1.6", "StartTransaction", "StopTransaction")
@pytest.mark.ocpp("2.0.1", "TransactionEvent")
async def test_postgresql_killed_in_the_middle_of_a_burst_loses_and_doubles_nothing(data_dir, caplog):
    caplog.set_level(logging.WARNING)
    async with world_on(data_dir) as world:
        await world.play(2)
        for number in range(3):
            world.arrive(*world.bays)
            burst = asyncio.create_task(world.act())
            await asyncio.sleep(0.02 * (number + 1))
            world.kill_postgres(data_dir)
            await burst
            await world.play(1)
            await world.postgres.restart()
            await world.play(12)
            world.leave(*world.bays)
            await world.play(3)
        await world.play(5)
        assert world.session_count() == 3 * len(STATIONS)
        assert await world.wrong() == []
    assert refusals(caplog) == []
