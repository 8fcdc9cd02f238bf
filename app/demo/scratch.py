"""Where the demo keeps its rows: a folder, or on a given server a database, of its own that starts empty."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.domain.errors import DatabaseUnavailable
from app.settings import Settings
from app.store.base import CONNECT_TIMEOUT_S

DEMO_FOLDER = "demo"


@asynccontextmanager
async def scratch_database(settings: Settings) -> AsyncIterator[Settings]:
    """Yield settings that point to an empty database and a data folder of this demo's own; both go at the end.

    With `database_url`, a database is created beside the given one.
    """
    folder = settings.data_dir / DEMO_FOLDER / secrets.token_hex(4)
    free = settings.model_copy(update={"data_dir": folder})
    try:
        if settings.database_url is None:
            yield free
        else:
            async with _own_database(settings.database_url.get_secret_value()) as url:
                yield settings.model_validate({**free.model_dump(), "database_url": url})
    finally:
        await asyncio.to_thread(_remove, folder)


def _remove(folder: Path) -> None:
    """Delete the folder, and where its database had to live elsewhere (a link), that too."""
    for path in folder.glob("*"):
        if path.is_symlink():
            shutil.rmtree(path.resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _own_database(url: str) -> AsyncIterator[str]:
    name = f"sunslot_demo_{secrets.token_hex(4)}"
    await _execute(url, f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        await _execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _execute(url: str, statement: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError) as broken:
        raise DatabaseUnavailable(f"cannot use SUNSLOT_DATABASE_URL: {broken}") from broken
    try:
        await connection.execute(statement, timeout=60)
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)
