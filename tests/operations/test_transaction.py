"""Which errors of PostgreSQL mean that the same thing may succeed later."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.domain.errors import DatabaseUnavailable

pytestmark = pytest.mark.database

# connection failure, deadlock, serialization, disk full, too many connections, starting up, shutting down, I/O, standby
LATER = ("08006", "40P01", "40001", "53100", "53300", "57P03", "57P01", "58030", "25006")
NEVER = ("P0001", "22012", "23514", "42P01")


def failing_with(code):
    return text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")


@pytest.mark.parametrize("code", LATER)
async def test_what_may_succeed_later_is_told_as_unavailable(transactions, code):
    with pytest.raises(DatabaseUnavailable):
        async with transactions() as tx:
            await tx.session.execute(failing_with(code))


@pytest.mark.parametrize("code", NEVER)
async def test_what_is_wrong_stays_an_error(transactions, code):
    with pytest.raises(DBAPIError):
        async with transactions() as tx:
            await tx.session.execute(failing_with(code))
