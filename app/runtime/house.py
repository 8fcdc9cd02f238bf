"""The wiring: database, migrations, bus, OCPP central, loops and timers, started and stopped as one AsyncExitStack."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from app.bus.local import LocalBus
from app.domain.certificates import SignedByHand
from app.domain.clock import Clock
from app.domain.errors import Invalid
from app.ocpp_central.server import Central, CentralOptions
from app.ocpp_central.tls import TlsFiles
from app.operations import admission, leadership
from app.operations.security_profiles import PublicUrls
from app.operations.transaction import Transactions
from app.runtime.embedded_postgres import EmbeddedPostgres
from app.runtime.forecasting import ForecastLoops
from app.runtime.learning import StayLoops
from app.runtime.local_authority import LocalAuthority
from app.runtime.loops import SiteLoops
from app.runtime.migrate import migrate
from app.runtime.planning_process import planning_process
from app.runtime.presence import Presence
from app.runtime.supervise import Health, supervise
from app.runtime.timers import timers
from app.settings import Settings
from app.store.base import create_engine

log = structlog.get_logger()

LOOKS_COUNT, LOOK_S = 20, 0.1

SETTING_OF = {
    "rsa_certificate": "TLS_RSA_CERTIFICATE",
    "rsa_key": "TLS_RSA_KEY",
    "ecdsa_certificate": "TLS_ECDSA_CERTIFICATE",
    "ecdsa_key": "TLS_ECDSA_KEY",
    "station_roots": "STATION_CA",
}


@dataclass(frozen=True, slots=True)
class House:
    """Everything that runs, for the edges that need it."""

    transactions: Transactions
    bus: LocalBus
    clock: Clock
    central: Central
    health: Health
    database_url: str
    ocpp_urls: PublicUrls
    call_timeout_s: float


@asynccontextmanager
async def database(settings: Settings, health: Health) -> AsyncIterator[str]:
    """Yield the URL of the configured PostgreSQL, or of the embedded one.

    The embedded one runs while the context lasts, and is started again in place when it dies.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    postgres = EmbeddedPostgres(settings.data_dir / "postgres")
    async with postgres as url:
        watcher = asyncio.create_task(supervise("postgres", postgres.keep_running, health))
        try:
            yield url
        finally:
            await _end(watcher)


@asynccontextmanager
async def _present(url: str, health: Health) -> AsyncIterator[Presence]:
    """Be present at the database while the context lasts: what this house leads is not taken from it."""
    presence = Presence(url)
    keeper = asyncio.create_task(supervise("presence", presence.keep, health))
    try:
        await presence.began()
        yield presence
    finally:
        await _end(keeper)


async def _forget_connections(transactions: Transactions) -> None:
    """Nobody is connected at start-up, unless another house lives: one that was just killed is gone in a moment."""
    for _ in range(LOOKS_COUNT):
        async with transactions() as tx:
            if await leadership.is_alone(tx):
                await admission.forget_connections(tx)
                return
        await asyncio.sleep(LOOK_S)
    log.info("another_house_lives")


def tls_files(settings: Settings, authority: LocalAuthority, now: datetime) -> TlsFiles | None:
    """Return the files of the TLS listener, None without one.

    Where no certificate is configured, the local authority makes our chains, or renews them before they end; it
    vouches for stations where no other root is configured. Raises Invalid for files that are not there.
    """
    if settings.ocpp_tls_port is None:
        return None
    given = TlsFiles(
        settings.ocpp_tls_rsa_certificate,
        settings.ocpp_tls_rsa_key,
        settings.ocpp_tls_ecdsa_certificate,
        settings.ocpp_tls_ecdsa_key,
        settings.ocpp_station_ca,
    )
    for each in fields(given):
        path = getattr(given, each.name)
        if path is not None and not path.is_file():
            raise Invalid(f"there is no file {path}", field=f"SUNSLOT_OCPP_{SETTING_OF[each.name]}")
    if given.rsa_certificate is None and given.ecdsa_certificate is None:
        hosts = [host.strip() for host in settings.ocpp_tls_hosts.split(",") if host.strip()]
        made = authority.server_files(hosts or ["localhost"], now)
        return replace(made, station_roots=given.station_roots or made.station_roots)
    if given.station_roots is None and settings.ocpp_certificate_authority == "local":
        return replace(given, station_roots=authority.station_roots(now))
    return given


def central_options(settings: Settings, files: TlsFiles | None) -> CentralOptions:
    """Return what the settings say of the OCPP central."""
    return CentralOptions(
        host=settings.ocpp_host,
        port=settings.ocpp_port,
        tls_port=settings.ocpp_tls_port,
        tls_files=files,
        organisation=settings.ocpp_organisation,
        call_timeout_s=settings.call_timeout_s,
        heartbeat_interval_s=settings.heartbeat_interval_s,
        meter_interval_s=settings.meter_interval_s,
    )


async def _serve(stack: AsyncExitStack, central: Central, settings: Settings) -> None:
    """Let stations in until the stack is closed; raises Invalid, naming the setting that is in the way."""
    try:
        await stack.enter_async_context(central.serving())
    except ssl.SSLError as broken:
        raise Invalid(f"cannot be used ({broken.reason})", field="SUNSLOT_OCPP_TLS_…") from broken
    except OSError as broken:
        is_tls = f", {settings.ocpp_tls_port})" in str(broken)  # "… to bind on address ('0.0.0.0', 9443): …"
        port, field = (settings.ocpp_tls_port, "_TLS") if is_tls else (settings.ocpp_port, "")
        where = f"{settings.ocpp_host}:{port}"
        raise Invalid(
            f"cannot listen on {where} ({os.strerror(broken.errno) if broken.errno else broken})",
            field=f"SUNSLOT_OCPP{field}_PORT",
        ) from broken


@asynccontextmanager
async def open_house(settings: Settings, clock: Clock) -> AsyncIterator[House]:
    """Start everything below the HTTP edge and stop it in reverse order."""
    async with AsyncExitStack() as stack:
        health = Health()
        url = await stack.enter_async_context(database(settings, health))
        await migrate(url)
        engine = create_engine(url)
        stack.push_async_callback(engine.dispose)
        bus = LocalBus(clock)
        transactions = Transactions(engine, bus, clock)
        await _forget_connections(transactions)
        authority = LocalAuthority(settings.data_dir / "authority")
        is_local = settings.ocpp_certificate_authority == "local"
        files = await asyncio.to_thread(tls_files, settings, authority, clock.now())
        central = Central(
            transactions, bus, central_options(settings, files), authority if is_local else SignedByHand()
        )
        presence = await stack.enter_async_context(_present(url, health))
        planner = await stack.enter_async_context(planning_process(settings.planning_process_from))
        loops = asyncio.create_task(SiteLoops(transactions, bus, health, presence.house, planner=planner).run())
        stack.push_async_callback(_end, loops)
        forecasts = asyncio.create_task(ForecastLoops(transactions, bus, health).run())
        stack.push_async_callback(_end, forecasts)
        learning = asyncio.create_task(StayLoops(transactions, bus, health).run())
        stack.push_async_callback(_end, learning)
        renew = partial(tls_files, settings, authority)
        stack.enter_context(timers(transactions, timedelta(days=settings.keep_days), renew))
        await _serve(stack, central, settings)
        log.info("house_open", ocpp_port=central.port)
        urls = PublicUrls(settings.ocpp_public_url, settings.ocpp_tls_public_url)
        yield House(transactions, bus, clock, central, health, url, urls, settings.call_timeout_s)


async def migrate_only(settings: Settings) -> str:
    """Bring the database to the newest schema and return its revision."""
    async with database(settings, Health()) as url:
        return await migrate(url)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
