"""Brings a database to the newest schema: one at a time, in one transaction, never waiting long for a lock."""

from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import DatabaseUnavailable
from app.store.base import create_engine

FOLDER = Path(__file__).resolve().parents[2] / "migrations"
LOCK_NO = 7_160_000
OLDEST_VERSION = 150_000
TURN_TIMEOUT = timedelta(seconds=60)
LOCK_TIMEOUT = timedelta(seconds=10)


async def migrate(url: str, *, turn_timeout: timedelta = TURN_TIMEOUT) -> str:
    """Upgrade to the newest revision and return it; at once when it is there already.

    Waits up to `turn_timeout` for another node's migration, and ten seconds for any lock on a table (then nothing has
    changed). Raises DatabaseUnavailable when the server cannot be reached, is too old or refuses.
    """
    engine = create_engine(url, pool_size=1)
    try:
        async with engine.begin() as connection:
            version = int((await connection.execute(text("SHOW server_version_num"))).scalar_one())
            if version < OLDEST_VERSION:
                raise DatabaseUnavailable(f"PostgreSQL 15 or newer is needed, this is {version // 10_000}")
            await _wait_at_most(connection, turn_timeout)
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK_NO})"))
            await _wait_at_most(connection, LOCK_TIMEOUT)
            return await connection.run_sync(_upgrade)
    except (OSError, DBAPIError) as broken:
        raise DatabaseUnavailable(f"the database cannot be migrated: {broken}") from broken
    finally:
        await engine.dispose()


def configuration() -> Config:
    """Return alembic's configuration of our migrations, wherever the package is installed."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


async def _wait_at_most(connection: AsyncConnection, longest: timedelta) -> None:
    await connection.execute(text(f"SET LOCAL lock_timeout = '{longest // timedelta(milliseconds=1)}ms'"))


def _upgrade(connection: Connection) -> str:
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return MigrationContext.configure(connection).get_current_revision() or ""
