"""The wiring: database, migrations, bus, OCPP central, loops and timers, started and stopped as one AsyncExitStack."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from app.bus.local import LocalBus
from app.domain.clock import Clock
from app.domain.errors import Invalid
from app.ocpp_central.server import Central, CentralOptions
from app.operations import admission
from app.operations.transaction import Transactions
from app.runtime.embedded_postgres import EmbeddedPostgres
from app.runtime.loops import SiteLoops
from app.runtime.migrate import migrate
from app.runtime.supervise import Health
from app.runtime.timers import timers
from app.settings import Settings
from app.store.base import create_engine

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class House:
    """Everything that runs, for the edges that need it."""

    transactions: Transactions
    bus: LocalBus
    clock: Clock
    central: Central
    health: Health
    database_url: str


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """Yield the URL of the configured PostgreSQL, or of the embedded one, which runs while the context lasts."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    async with EmbeddedPostgres(settings.data_dir / "postgres") as url:
        yield url


@asynccontextmanager
async def open_house(settings: Settings, clock: Clock) -> AsyncIterator[House]:
    """Start everything below the HTTP edge and stop it in reverse order."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(settings))
        await migrate(url)
        engine = create_engine(url)
        stack.push_async_callback(engine.dispose)
        bus, health = LocalBus(clock), Health()
        transactions = Transactions(engine, bus, clock)
        async with transactions() as tx:
            await admission.forget_connections(tx)
        central = Central(
            transactions,
            bus,
            CentralOptions(
                host=settings.ocpp_host,
                port=settings.ocpp_port,
                call_timeout_s=settings.call_timeout_s,
                heartbeat_interval_s=settings.heartbeat_interval_s,
                meter_interval_s=settings.meter_interval_s,
            ),
        )
        loops = asyncio.create_task(SiteLoops(transactions, bus, health).run())
        stack.push_async_callback(_end, loops)
        stack.enter_context(timers(transactions, timedelta(days=settings.keep_days)))
        try:
            await stack.enter_async_context(central.serving())
        except OSError as broken:
            where = f"{settings.ocpp_host}:{settings.ocpp_port}"
            raise Invalid(
                f"cannot listen on {where} ({broken.strerror or broken})", field="SUNSLOT_OCPP_PORT"
            ) from broken
        log.info("house_open", ocpp_port=central.port)
        yield House(transactions, bus, clock, central, health, url)


async def migrate_only(settings: Settings) -> str:
    """Bring the database to the newest schema and return its revision."""
    async with database(settings) as url:
        return await migrate(url)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
