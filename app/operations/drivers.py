"""Drivers and the tokens that they present at stations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from app.bus.subjects import site_changed
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.pages import Page, PageAsked
from app.operations import stays
from app.operations.transaction import Tx
from app.store import driver_queries
from app.store.driver import DriverRow, TokenRow


async def create(tx: Tx, name: str) -> DriverRow:
    """Add a driver."""
    row = DriverRow(driver_id=uuid4(), name=name, created_at=tx.now)
    tx.session.add(row)
    await tx.session.flush()
    return row


async def get(tx: Tx, driver_id: UUID, owner_id: UUID | None = None) -> DriverRow:
    """Return a driver; raises NotFound, also when `owner_id` (None: anybody) is another driver."""
    row = await driver_queries.driver(tx.session, driver_id) if owner_id in {None, driver_id} else None
    if row is None:
        raise NotFound("there is no such driver")
    return row


async def drivers(tx: Tx, asked: PageAsked) -> Page[DriverRow]:
    """Return drivers, oldest first."""
    return await driver_queries.drivers(tx.session, asked)


async def erase(tx: Tx, driver_id: UUID, owner_id: UUID | None = None) -> None:
    """Delete a driver with tokens, cars, bookings and access tokens; sessions stay, without driver and card number.

    What was learnt of the driver goes with them.
    Raises NotFound.
    """
    row = await get(tx, driver_id, owner_id)
    await driver_queries.locked_driver(tx.session, driver_id)
    changed = await driver_queries.sites_of_driver(tx.session, driver_id)
    cards = [token.token for token in await driver_queries.tokens(tx.session, driver_id)]
    await driver_queries.forget_cards(tx.session, driver_id, cards)
    await stays.unlearn(tx, driver_id)
    await tx.session.delete(row)
    await tx.session.flush()
    for site_id in changed:
        tx.ring(site_changed(site_id))


async def add_token(tx: Tx, driver_id: UUID, token: str, expires_at: datetime | None = None) -> TokenRow:
    """Give a driver a token (stored in upper case); raises NotFound, Conflict when it is somebody's already."""
    await get(tx, driver_id)
    if expires_at is not None and expires_at <= tx.now:
        raise Invalid("lies in the past", field="expires_at")
    row = TokenRow(token=token.upper(), driver_id=driver_id, is_blocked=False, expires_at=expires_at)
    if not await driver_queries.add_token(tx.session, row):
        raise Conflict("the token is in use already", field="token")
    return row


async def tokens(tx: Tx, driver_id: UUID, owner_id: UUID | None = None) -> Sequence[TokenRow]:
    """Return a driver's tokens, sorted; raises NotFound."""
    await get(tx, driver_id, owner_id)
    return await driver_queries.tokens(tx.session, driver_id)


async def change_token(tx: Tx, driver_id: UUID, token: str, values: Mapping[str, Any]) -> TokenRow:
    """Block a token, give it free, or change when it expires; raises NotFound, Invalid. Running sessions go on."""
    row = await driver_queries.locked_token(tx.session, driver_id, token)
    if row is None:
        raise NotFound("the driver has no such token")
    expires_at = values.get("expires_at")
    if expires_at is not None and expires_at <= tx.now:
        raise Invalid("lies in the past", field="expires_at")
    for name, value in values.items():
        setattr(row, name, value)
    return row


async def remove_token(tx: Tx, driver_id: UUID, token: str) -> None:
    """Take a token from a driver; raises NotFound."""
    if not await driver_queries.remove_token(tx.session, driver_id, token):
        raise NotFound("the driver has no such token")
