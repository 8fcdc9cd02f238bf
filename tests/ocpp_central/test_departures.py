"""Hang-ups while the database is gone."""

import asyncio

import pytest
from charger import TIMEOUT_S, plugged
from sqlalchemy import select

from app.bus.subjects import station_orders
from app.ocpp_central.departures import Departure, Departures
from app.operations import admission
from app.store.station import StationRow

pytestmark = pytest.mark.database


async def connection_of(transactions, station_id):
    async with transactions() as tx:
        return await tx.session.scalar(select(StationRow.connection_id).where(StationRow.station_id == station_id))


async def gone(transactions, bus, station_id):
    with bus.listen(station_orders(station_id)) as bell:
        async with asyncio.timeout(TIMEOUT_S):
            while await connection_of(transactions, station_id) is not None:
                await bell.next()


@pytest.fixture
async def departures(transactions):
    departures = Departures(transactions, retry_s=0.01)
    writer = asyncio.create_task(departures.run())
    yield departures
    writer.cancel()


async def test_a_station_that_left_while_the_database_was_gone_is_offline_when_it_is_back(
    park, transactions, bus, departures
):
    async with transactions() as tx:
        await admission.move(tx, [admission.Arrival("cp16", "ocpp1.6", "old")])
        await admission.move(tx, [admission.Arrival("cp201", "ocpp2.0.1", "old too")])
    transactions.is_down = True
    await departures.record(Departure("cp16", "old"))
    await departures.record(Departure("cp201", "old too"))
    await asyncio.sleep(0.05)
    transactions.is_down = False
    await gone(transactions, bus, "cp16")
    await gone(transactions, bus, "cp201")


async def test_a_departure_that_is_written_late_leaves_the_newer_connection_alone(park, transactions, departures):
    transactions.is_down = True
    await departures.record(Departure("cp16", "old"))
    transactions.is_down = False
    async with transactions() as tx:
        await admission.move(tx, [admission.Arrival("cp16", "ocpp1.6", "new")])
    await departures.record(Departure("cp201", "never"))
    await asyncio.sleep(0.05)
    assert await connection_of(transactions, "cp16") == "new"


async def test_a_hang_up_shows_at_once_while_the_database_is_there(start, park, transactions, bus):
    async with start() as central:
        async with plugged(central.port, "cp16", "ocpp1.6") as charger:
            await charger.call("Heartbeat", {})
            assert await connection_of(transactions, "cp16") is not None
        await gone(transactions, bus, "cp16")
