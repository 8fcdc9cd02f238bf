"""A house per table: one central with its own database, and neighbours that must not notice what the rows do."""

import secrets
from collections.abc import AsyncIterator

import pytest_asyncio
from cases import House
from neighbours import Neighbours
from rows import add_driver, add_site
from sqlalchemy.ext.asyncio import create_async_engine
from testbed import FakeClock, execute, on_database

from app.bus.local import LocalBus
from app.ocpp_central.server import Central, CentralOptions
from app.operations.transaction import Transactions

OPTIONS = CentralOptions(
    port=0,
    call_timeout_s=5.0,
    send_timeout_s=5.0,
    open_timeout_s=5.0,
    close_timeout_s=1.0,
    boot_wait_s=0.3,
    failure_limit_count=3,
    message_rate_per_s=100.0,
    message_burst_count=500,
    flood_patience_s=2.0,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(postgres_url: str, template: str) -> AsyncIterator[House]:
    name = f"sunslot_hostile_{secrets.token_hex(6)}"
    await execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    url = on_database(postgres_url, name).replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, connect_args={"command_timeout": 20, "timeout": 10})
    clock = FakeClock()
    bus = LocalBus(clock)
    transactions = Transactions(engine, bus, clock)
    async with transactions() as tx:
        await add_site(tx)
        await add_driver(tx)
    central = Central(transactions, bus, OPTIONS)
    async with central.serving():
        yield House(central, transactions, bus)
    await engine.dispose()
    await execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def neighbours(house: House) -> AsyncIterator[Neighbours]:
    found = Neighbours(house)
    await found.move_in()
    yield found
    await found.move_out()
