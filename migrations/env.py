"""Runs migrations: on the connection that `app.runtime.migrate` passes, or on SUNSLOT_DATABASE_URL (command line)."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection

from app.store import (  # noqa: F401 - they fill the metadata
    device,
    driver,
    electrical,
    frames,
    plan,
    session,
    site,
    station,
    stays,
    upkeep,
    watches,
)
from app.store.base import Base, create_engine


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def run_on_url(url: str) -> None:
    engine = create_engine(url, pool_size=1)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


def main() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        run(connection)
        return
    url = context.config.get_main_option("sqlalchemy.url") or os.environ.get("SUNSLOT_DATABASE_URL")
    if not url:
        raise SystemExit("set SUNSLOT_DATABASE_URL to the database to migrate")
    asyncio.run(run_on_url(url))


main()
