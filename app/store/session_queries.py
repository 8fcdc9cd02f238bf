"""Queries on charging sessions as people look at them."""

import uuid
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.pages import Page, PageAsked
from app.store.page_queries import Keys, fetch_page
from app.store.session import SessionRow
from app.store.site import SiteRow
from app.store.station import EvseRow

SESSION_KEYS = Keys((SessionRow.started_at, SessionRow.session_id), (datetime, uuid.UUID), is_descending=True)


def _with_evse() -> Select[SessionRow, EvseRow]:
    return select(SessionRow, EvseRow).join(EvseRow, EvseRow.evse_id == SessionRow.evse_id)


async def sessions(
    session: AsyncSession,
    *,
    driver_id: uuid.UUID | None,
    site_id: str | None,
    is_running: bool | None,
    asked: PageAsked,
) -> Page[tuple[SessionRow, EvseRow]]:
    """Return (session, its EVSE), newest first; None does not filter."""
    query = _with_evse()
    if driver_id is not None:
        query = query.where(SessionRow.driver_id == driver_id)
    if site_id is not None:
        query = query.where(SessionRow.site_id == site_id)
    if is_running is not None:
        query = query.where(SessionRow.ended_at.is_(None) if is_running else SessionRow.ended_at.is_not(None))
    return await fetch_page(session, query, SESSION_KEYS, asked)


async def charging_session(
    session: AsyncSession, session_id: uuid.UUID, driver_id: uuid.UUID | None
) -> tuple[SessionRow, EvseRow] | None:
    """Return (session, its EVSE); None if there is none, or not of this driver (None: of any)."""
    query = _with_evse().where(SessionRow.session_id == session_id)
    if driver_id is not None:
        query = query.where(SessionRow.driver_id == driver_id)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found[0], found[1])


async def locked_session(
    session: AsyncSession, session_id: uuid.UUID, driver_id: uuid.UUID | None
) -> SessionRow | None:
    """Return the session with its row locked; None if there is none, or not of this driver (None: of any)."""
    query = select(SessionRow).where(SessionRow.session_id == session_id)
    if driver_id is not None:
        query = query.where(SessionRow.driver_id == driver_id)
    return await session.scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))


async def running_session_of_station(
    session: AsyncSession, station_id: str, session_id: uuid.UUID
) -> SessionRow | None:
    """Return a running session of this station."""
    query = select(SessionRow).where(
        SessionRow.session_id == session_id, SessionRow.station_id == station_id, SessionRow.ended_at.is_(None)
    )
    return await session.scalar(query)


async def running_sessions_of_driver(session: AsyncSession, driver_id: uuid.UUID) -> list[tuple[SessionRow, SiteRow]]:
    """Return (running session, its site) of a driver, locked, sorted."""
    query = (
        select(SessionRow, SiteRow)
        .join(SiteRow, SiteRow.site_id == SessionRow.site_id)
        .where(SessionRow.driver_id == driver_id, SessionRow.ended_at.is_(None))
        .order_by(SessionRow.session_id)
        .with_for_update(of=SessionRow, key_share=True)
        .execution_options(populate_existing=True)
    )
    return [(row, site) for row, site in await session.execute(query)]


async def session_of_station(session: AsyncSession, station_id: str, session_id: uuid.UUID) -> SessionRow | None:
    """Return a session of this station, running or not."""
    query = select(SessionRow).where(SessionRow.session_id == session_id, SessionRow.station_id == station_id)
    return await session.scalar(query)
