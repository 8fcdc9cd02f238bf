"""The house's presence at the database: a connection that lives as long as the process (`operations.leadership`)."""

import asyncio
import uuid
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.operations import leadership
from app.store.base import COMMAND_TIMEOUT_S, CONNECT_TIMEOUT_S, asyncpg_url

LOOK_S = 5.0
# A host that is cut off is given up by the server after some 20 s: its kernel answers no keep-alives.
KEEP_ALIVES = {
    "application_name": "sunslot presence",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


class Presence:
    """`house` is this process's name among those that share the database; a new one for every start."""

    def __init__(self, url: str) -> None:
        self.house = uuid.uuid4().hex
        self._began = asyncio.Event()
        self._engine = create_async_engine(
            asyncpg_url(url),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "command_timeout": COMMAND_TIMEOUT_S,
                "timeout": CONNECT_TIMEOUT_S,
                "server_settings": KEEP_ALIVES,
            },
        )

    async def keep(self, went_well: Callable[[], None]) -> None:
        """Hold the lock until cancelled; raises when the connection is lost, to be called again."""
        async with self._engine.connect() as connection:
            await leadership.be_present(connection, self.house)
            self._began.set()
            while True:
                went_well()
                await asyncio.sleep(LOOK_S)
                await connection.execute(text("SELECT 1"))

    async def began(self) -> None:
        """Return once the house was present for the first time: what it leads is not taken from it meanwhile."""
        await self._began.wait()
