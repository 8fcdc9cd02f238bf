"""The migrations give the schema that the rows describe, and nobody waits for ever."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from app.domain.errors import DatabaseUnavailable
from app.runtime.migrate import LOCK_NO, configuration, migrate
from app.store.base import Base, create_engine

pytestmark = pytest.mark.database


async def on(url, work):
    engine = create_engine(url, pool_size=1)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def differences(connection: Connection) -> list:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata)


async def names(url, query):
    connection = await asyncpg.connect(url)
    try:
        return {row[0] for row in await connection.fetch(query)}
    finally:
        await connection.close()


async def test_an_empty_database_is_brought_to_the_schema_that_the_rows_describe(empty_database_url):
    assert await migrate(empty_database_url) == "0005"
    assert await on(empty_database_url, differences) == []


async def test_the_comparison_finds_a_dropped_column(database_url):
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE site DROP COLUMN zone")
    await connection.close()
    assert [difference[0] for difference in await on(database_url, differences)] == ["add_column"]


async def test_every_constraint_and_partial_index_of_the_rows_exists_under_its_name(database_url):
    constraints = await names(
        database_url, "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
    )
    named = {
        str(constraint.name)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if str(constraint.name).startswith(("ck_", "ex_", "uq_charging"))
    }
    assert len(named) >= 25
    assert named <= constraints
    assert await names(database_url, "SELECT conname FROM pg_constraint WHERE contype = 'x'") == {"ex_booking_overlap"}
    partial = "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL"
    assert await names(database_url, partial) >= {"uq_charging_session_running", "ix_limit_entry_open"}


async def test_check_constraints_say_the_same_as_the_rows(database_url, empty_database_url):
    await on(empty_database_url, Base.metadata.create_all)
    query = """
        SELECT conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> coalesce(to_regclass('alembic_version'), 0)
    """
    assert await names(database_url, query) == await names(empty_database_url, query)


async def test_migrating_twice_and_from_two_nodes_at_once_is_harmless(empty_database_url):
    revisions = await asyncio.gather(*(migrate(empty_database_url) for _ in range(3)))
    assert revisions == ["0005"] * 3


async def test_the_schema_can_be_taken_down_again(database_url):
    def down(connection: Connection) -> list[str]:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return inspect(connection).get_table_names()

    assert await on(database_url, down) == ["alembic_version"]


async def test_a_migration_gives_up_when_another_one_does_not_end(empty_database_url):
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({LOCK_NO})")
        with pytest.raises(DatabaseUnavailable, match="cannot be migrated"):
            await migrate(empty_database_url, turn_timeout=timedelta(milliseconds=50))
    finally:
        await connection.close()


async def test_an_unreachable_server_is_one_clear_error():
    with pytest.raises(DatabaseUnavailable):
        await migrate("postgresql://nobody:secret@127.0.0.1:1/none")
