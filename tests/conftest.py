"""Fixtures of the tests that need rows: one throw-away PostgreSQL per worker, one database per test.

SUNSLOT_TEST_DATABASE_URL names an external server to use instead (a role that may create databases).
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from testbed import FakeClock, execute, on_database

from app.bus.local import LocalBus
from app.operations.transaction import Transactions
from app.runtime.embedded_postgres import EmbeddedPostgres
from app.runtime.migrate import migrate


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of the whole house: they take minutes, and at the end one worker would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("system") is None)


@pytest.fixture(scope="session")
def cluster_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sunslot-test-"))
    folder.chmod(0o755)  # as root the server runs as another account
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_url(cluster_dir: Path) -> AsyncIterator[str]:
    """The URL of a PostgreSQL server that tests may create databases on."""
    external_url = os.environ.get("SUNSLOT_TEST_DATABASE_URL")
    if external_url:
        yield external_url
        return
    async with EmbeddedPostgres(cluster_dir / "postgres", is_durable=False) as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(postgres_url: str) -> AsyncIterator[str]:
    """The name of a migrated database that every test's database is copied from."""
    name = f"sunslot_template_{secrets.token_hex(4)}"
    await execute(postgres_url, f'CREATE DATABASE "{name}"')
    await migrate(on_database(postgres_url, name))
    yield name
    await execute(postgres_url, f'DROP DATABASE "{name}"')


@pytest.fixture
async def empty_database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a database without any table."""
    name = f"sunslot_test_{secrets.token_hex(6)}"
    await execute(postgres_url, f'CREATE DATABASE "{name}"')
    yield on_database(postgres_url, name)
    await execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def database_url(postgres_url: str, template: str) -> AsyncIterator[str]:
    """The URL of a migrated database of this test alone."""
    name = f"sunslot_test_{secrets.token_hex(6)}"
    await execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield on_database(postgres_url, name)
    await execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(
        database_url.replace("postgresql://", "postgresql+asyncpg://", 1),
        connect_args={"command_timeout": 20, "timeout": 10},
    )
    yield engine
    await engine.dispose()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus(clock: FakeClock) -> LocalBus:
    return LocalBus(clock)


@pytest.fixture
def transactions(engine: AsyncEngine, bus: LocalBus, clock: FakeClock) -> Transactions:
    return Transactions(engine, bus, clock)
