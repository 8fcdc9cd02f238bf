from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from pki import Pki, make_pki
from rows import add_driver, add_site, add_station

from app.domain.errors import DatabaseUnavailable
from app.ocpp_central.server import Central, CentralOptions
from app.operations.transaction import Transactions, Tx

QUICK = {
    "port": 0,
    "call_timeout_s": 5.0,
    "send_timeout_s": 5.0,
    "open_timeout_s": 8.0,
    "close_timeout_s": 1.0,
    "boot_wait_s": 0.3,
    "reconnect_wait_s": 0.1,
    "report_wait_s": 3.0,
    "failure_limit_count": 3,
}

Start = Callable[..., AbstractAsyncContextManager[Central]]


class MortalTransactions(Transactions):
    """Transactions of a database that a test may take away; `broken_count` further ones fail on a bug of ours."""

    is_down = False
    broken_count = 0

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Tx]:
        if self.is_down:
            raise DatabaseUnavailable("the database cannot be reached")
        if self.broken_count:
            self.broken_count -= 1
            raise RuntimeError("a bug")
        async with super().__call__() as tx:
            yield tx


@pytest.fixture
def transactions(engine, bus, clock) -> MortalTransactions:
    return MortalTransactions(engine, bus, clock)


@pytest.fixture
def start(transactions, bus) -> Start:
    """Serve a central; keyword arguments change its options."""

    @asynccontextmanager
    async def serving(**changes: Any) -> AsyncIterator[Central]:
        central = Central(transactions, bus, CentralOptions(**(QUICK | changes)))
        async with central.serving():
            yield central

    return serving


@pytest.fixture
async def park(transactions) -> None:
    """A site with one station of each dialect, both accepted and proven, and a driver with a card."""
    async with transactions() as tx:
        await add_site(tx)
        await add_station(tx, "cp16", dialect="ocpp1.6", connection_id=None, evses=2)
        await add_station(tx, "cp201", dialect="ocpp2.0.1", connection_id=None, evses=2)
        await add_driver(tx)


@pytest.fixture(scope="session")
def pki(tmp_path_factory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))
