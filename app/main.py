"""Where everything meets: settings, the house and the HTTP edge become one application."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from fastapi import FastAPI

from app.api import build_router, install_problems
from app.api.deps import ApiContext
from app.domain.clock import Clock
from app.domain.identity import Role
from app.operations import access
from app.runtime.clock import WallClock
from app.runtime.house import House, open_house
from app.runtime.http import serve_http
from app.settings import Settings

log = structlog.get_logger()

COLLECT_AFTER_COUNTS = (20_000, 25, 25)
OPERATOR_FILE = "operator.token"
TURN_S = 10.0  # what a command may wait for its turn, besides the time that its station has for the answer


def create_app(house: House) -> FastAPI:
    """Return the HTTP edge of an open house."""
    app = FastAPI(title="Sunslot", version="1", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.api = ApiContext(
        house.transactions,
        house.bus,
        house.clock,
        house.health.problems,
        command_timeout_s=house.call_timeout_s + TURN_S,
        ocpp_urls=house.ocpp_urls,
    )
    install_problems(app)
    app.include_router(build_router())
    return app


async def _first_operator(house: House, data_dir: Path) -> None:
    """Issue the first operator's bearer token into a file of the data folder (mode 0600), once per database."""
    async with house.transactions() as tx:
        if await access.has_operator(tx):
            return
        secret, _ = await access.issue(tx, Role.OPERATOR, "first operator")
        _write_secret(data_dir / OPERATOR_FILE, secret)
    log.info("first_operator_token_written", path=str(data_dir / OPERATOR_FILE))


def _write_secret(path: Path, secret: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")


@dataclass(frozen=True, slots=True)
class Running:
    """A started application."""

    house: House
    http_port: int
    ocpp_port: int


@asynccontextmanager
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Running]:
    """Serve HTTP and OCPP in this process while the context lasts; `clock` None is the wall clock."""
    async with open_house(settings, clock or WallClock()) as house:
        await _first_operator(house, settings.data_dir)
        app = create_app(house)
        async with serve_http(app, settings.http_host, settings.http_port) as http_port:
            try:
                yield Running(house, http_port, house.central.port)
            finally:
                app.state.api.closing.set()


def _spare_the_collector() -> None:
    """What was made at start-up lives for ever, and thousands of connections are no garbage: look at them rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER_COUNTS)


async def serve_until_signalled(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as house:
        _spare_the_collector()
        log.info("serving", http_port=house.http_port, ocpp_port=house.ocpp_port)
        await stop.wait()
        log.info("stopping")
