"""Queries on drivers, their tokens and vehicles, access tokens and idempotency keys."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.pages import Page, PageAsked
from app.store.driver import ApiTokenRow, BookingRow, DriverRow, IdempotencyRow, TokenRow, VehicleRow
from app.store.page_queries import Keys, fetch_page
from app.store.session import SessionRow
from app.store.station import QuarantineRow
from app.store.upkeep import ReservationRow

DRIVER_KEYS = Keys((DriverRow.created_at, DriverRow.driver_id), (datetime, uuid.UUID))
ACCESS_KEYS = Keys((ApiTokenRow.created_at, ApiTokenRow.token_id), (datetime, uuid.UUID))
REDACTED: dict[str, Any] = {}


async def driver(session: AsyncSession, driver_id: uuid.UUID) -> DriverRow | None:
    """Return the driver, None if there is none."""
    return await session.get(DriverRow, driver_id)


async def locked_driver(session: AsyncSession, driver_id: uuid.UUID) -> DriverRow | None:
    """Return the driver with the row locked against other changes (not against references)."""
    return await session.get(DriverRow, driver_id, with_for_update={"key_share": True}, populate_existing=True)


async def drivers(session: AsyncSession, asked: PageAsked) -> Page[DriverRow]:
    """Return drivers, oldest first."""
    return await fetch_page(session, select(DriverRow), DRIVER_KEYS, asked)


async def tokens(session: AsyncSession, driver_id: uuid.UUID) -> Sequence[TokenRow]:
    """Return the driver's tokens, sorted."""
    query = select(TokenRow).where(TokenRow.driver_id == driver_id).order_by(TokenRow.token)
    return (await session.scalars(query)).all()


async def all_tokens(session: AsyncSession, most_count: int) -> Sequence[TokenRow]:
    """Return the tokens of all drivers, sorted, at most so many."""
    return (await session.scalars(select(TokenRow).order_by(TokenRow.token).limit(most_count))).all()


async def add_token(session: AsyncSession, row: TokenRow) -> bool:
    """Insert a token and return whether it was new to everybody (tokens are compared in upper case)."""
    values = {
        "token": row.token,
        "driver_id": row.driver_id,
        "is_blocked": False,
        "expires_at": row.expires_at,
    }
    statement = insert(TokenRow).values(values).on_conflict_do_nothing().returning(TokenRow.token)
    return await session.scalar(statement) is not None


async def locked_token(session: AsyncSession, driver_id: uuid.UUID, token: str) -> TokenRow | None:
    """Return a token of the driver, locked against other changes."""
    query = select(TokenRow).where(TokenRow.driver_id == driver_id, func.upper(TokenRow.token) == token.upper())
    return await session.scalar(query.with_for_update())


async def remove_token(session: AsyncSession, driver_id: uuid.UUID, token: str) -> bool:
    """Delete a token of the driver and return whether there was one."""
    statement = delete(TokenRow).where(TokenRow.driver_id == driver_id, func.upper(TokenRow.token) == token.upper())
    return await session.scalar(statement.returning(TokenRow.token)) is not None


async def vehicles(session: AsyncSession, driver_id: uuid.UUID) -> Sequence[VehicleRow]:
    """Return the driver's cars by name."""
    query = select(VehicleRow).where(VehicleRow.driver_id == driver_id)
    return (await session.scalars(query.order_by(VehicleRow.name, VehicleRow.vehicle_id))).all()


async def vehicle(session: AsyncSession, driver_id: uuid.UUID, vehicle_id: uuid.UUID) -> VehicleRow | None:
    """Return one car of the driver, None if it is not this driver's."""
    query = select(VehicleRow).where(VehicleRow.driver_id == driver_id, VehicleRow.vehicle_id == vehicle_id)
    return await session.scalar(query)


async def sites_of_driver(session: AsyncSession, driver_id: uuid.UUID) -> list[str]:
    """Return the sites where the driver has a live booking or a running session."""
    booked = select(BookingRow.site_id).where(
        BookingRow.driver_id == driver_id, BookingRow.state.in_(("booked", "arrived"))
    )
    plugged = select(SessionRow.site_id).where(SessionRow.driver_id == driver_id, SessionRow.ended_at.is_(None))
    return sorted(await session.scalars(booked.union(plugged)))


async def forget_cards(session: AsyncSession, driver_id: uuid.UUID, cards: Iterable[str]) -> None:
    """Take the driver's card numbers out of session history, reservations and quarantined messages."""
    cards = list(cards)
    presented = func.upper(SessionRow.token).in_([card.upper() for card in cards])
    await session.execute(
        update(SessionRow).where(or_(SessionRow.driver_id == driver_id, presented)).values(token=None)
    )
    reserved = func.upper(ReservationRow.token).in_([card.upper() for card in cards])
    await session.execute(update(ReservationRow).where(reserved).values(token=""))
    written = func.upper(cast(QuarantineRow.payload, Text))
    for card in cards:
        holds_it = func.strpos(written, card.upper()) > 0
        await session.execute(update(QuarantineRow).where(holds_it).values(payload=REDACTED))


async def access_token(session: AsyncSession, token_hash: bytes) -> ApiTokenRow | None:
    """Return the access token with this SHA-256."""
    return await session.scalar(select(ApiTokenRow).where(ApiTokenRow.token_hash == token_hash))


async def access_tokens(session: AsyncSession, asked: PageAsked) -> Page[ApiTokenRow]:
    """Return access tokens, oldest first."""
    return await fetch_page(session, select(ApiTokenRow), ACCESS_KEYS, asked)


async def has_access_token(session: AsyncSession, role: str, now: datetime) -> bool:
    """Return whether a token of the role is valid now."""
    is_valid = or_(ApiTokenRow.expires_at.is_(None), ApiTokenRow.expires_at > now)
    return bool(await session.scalar(select(exists().where(ApiTokenRow.role == role, is_valid))))


async def remove_access_token(session: AsyncSession, token_id: uuid.UUID) -> bool:
    """Delete an access token and return whether there was one."""
    statement = delete(ApiTokenRow).where(ApiTokenRow.token_id == token_id)
    return await session.scalar(statement.returning(ApiTokenRow.token_id)) is not None


async def take_key(session: AsyncSession, row: IdempotencyRow) -> bool:
    """Claim an idempotency key and return whether it was free.

    Waits for a transaction that is claiming the same key; its commit makes this one find the stored answer.
    """
    values = {
        "token_id": row.token_id,
        "key": row.key,
        "request_hash": row.request_hash,
        "status": row.status,
        "body": row.body,
        "created_at": row.created_at,
    }
    statement = insert(IdempotencyRow).values(values).on_conflict_do_nothing().returning(IdempotencyRow.key)
    return await session.scalar(statement) is not None


async def kept_answer(session: AsyncSession, token_id: uuid.UUID, key: str) -> IdempotencyRow | None:
    """Return what is stored under an idempotency key of a caller."""
    return await session.get(IdempotencyRow, (token_id, key), populate_existing=True)
