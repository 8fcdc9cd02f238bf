from datetime import timedelta
from uuid import uuid4

import pytest
from rows import MORNING, add_driver

from app.domain.errors import Invalid, NotFound, Unauthenticated
from app.domain.identity import Principal, Role
from app.domain.pages import PageAsked
from app.operations import access

pytestmark = pytest.mark.database


async def test_a_token_stands_for_its_role_name_and_driver(transactions):
    async with transactions() as tx:
        driver_id = await add_driver(tx, token=None)
        secret, token_id = await access.issue(tx, Role.DRIVER, "Aiko", driver_id)
    async with transactions() as tx:
        principal = await access.authenticate(tx, secret)
    assert principal == Principal(str(token_id), Role.DRIVER, "Aiko", str(driver_id))
    assert access.owner_of(principal) == driver_id
    assert access.owner_of(Principal("t", Role.OPERATOR, "boss")) is None
    with pytest.raises(Unauthenticated):
        access.owner_of(Principal("t", Role.DRIVER, "nobody"))


async def test_nothing_else_is_let_in(transactions):
    async with transactions() as tx:
        secret, token_id = await access.issue(tx, Role.GRID, "grid", expires_at=MORNING + timedelta(hours=1))
        stored = (await access.tokens(tx, PageAsked())).items[0].token_hash
    assert secret.encode() not in stored
    assert len(stored) == 32
    for wrong in ("", secret[:-1], secret + "x", secret.swapcase(), stored.hex(), "x" * 10_000, "\ud800"):
        async with transactions() as tx:
            with pytest.raises(Unauthenticated, match="not valid"):
                await access.authenticate(tx, wrong)
    async with transactions() as tx:
        await access.revoke(tx, token_id)
        with pytest.raises(Unauthenticated, match="not valid"):
            await access.authenticate(tx, secret)
        with pytest.raises(NotFound):
            await access.revoke(tx, token_id)


async def test_a_token_ends_exactly_when_it_expires(transactions, clock):
    async with transactions() as tx:
        secret, _ = await access.issue(tx, Role.GRID, "grid", expires_at=MORNING + timedelta(hours=1))
    clock.at = MORNING + timedelta(minutes=59, seconds=59)
    async with transactions() as tx:
        assert (await access.authenticate(tx, secret)).role is Role.GRID
    clock.at = MORNING + timedelta(hours=1)
    async with transactions() as tx:
        with pytest.raises(Unauthenticated, match="has expired"):
            await access.authenticate(tx, secret)


async def test_there_is_an_operator_once_a_valid_token_says_so(transactions, clock):
    async with transactions() as tx:
        await access.issue(tx, Role.GRID, "grid")
        assert not await access.has_operator(tx)
        await access.issue(tx, Role.OPERATOR, "first", expires_at=MORNING + timedelta(hours=1))
        assert await access.has_operator(tx)
    clock.advance(hours=1)
    async with transactions() as tx:
        assert not await access.has_operator(tx)


async def test_role_and_driver_must_fit(transactions):
    async with transactions() as tx:
        driver_id = await add_driver(tx, token=None)
        for role, whose, expires_at, field in (
            (Role.DRIVER, None, None, "driver_id"),
            (Role.DRIVER, uuid4(), None, "driver_id"),
            (Role.OPERATOR, driver_id, None, "driver_id"),
            (Role.OPERATOR, None, MORNING, "expires_at"),
        ):
            with pytest.raises(Invalid) as broken:
                await access.issue(tx, role, "x", whose, expires_at)
            assert broken.value.field == field
