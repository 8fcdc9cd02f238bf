"""Queries on a station's logbook: events, jobs, commands, reservations; newest first."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.pages import Page, PageAsked
from app.store.page_queries import Keys, fetch_page
from app.store.upkeep import CommandRow, ReservationRow, StationEventRow, StationJobRow

EVENT_KEYS = Keys((StationEventRow.event_id,), (int,), is_descending=True)
JOB_KEYS = Keys((StationJobRow.request_id,), (int,), is_descending=True)
COMMAND_KEYS = Keys((CommandRow.command_id,), (int,), is_descending=True)
RESERVATION_KEYS = Keys((ReservationRow.reservation_id,), (int,), is_descending=True)


async def events(session: AsyncSession, station_id: str, kind: str | None, asked: PageAsked) -> Page[StationEventRow]:
    """Return the station's events, of one kind or (None) of all."""
    query = select(StationEventRow).where(StationEventRow.station_id == station_id)
    if kind is not None:
        query = query.where(StationEventRow.kind == kind)
    return await fetch_page(session, query, EVENT_KEYS, asked)


async def jobs(session: AsyncSession, station_id: str, kind: str | None, asked: PageAsked) -> Page[StationJobRow]:
    """Return the station's jobs, of one kind or (None) of all."""
    query = select(StationJobRow).where(StationJobRow.station_id == station_id)
    if kind is not None:
        query = query.where(StationJobRow.kind == kind)
    return await fetch_page(session, query, JOB_KEYS, asked)


async def job(session: AsyncSession, station_id: str, request_id: int) -> StationJobRow | None:
    """Return one job of the station."""
    query = select(StationJobRow).where(StationJobRow.station_id == station_id)
    return await session.scalar(query.where(StationJobRow.request_id == request_id))


async def trim_jobs(session: AsyncSession, station_id: str, longest_count: int) -> None:
    """Keep the station's newest jobs only."""
    newest = select(StationJobRow.request_id).where(StationJobRow.station_id == station_id)
    surplus = newest.order_by(StationJobRow.request_id.desc()).offset(longest_count)
    await session.execute(delete(StationJobRow).where(StationJobRow.request_id.in_(surplus)))


async def commands(
    session: AsyncSession, station_id: str, name: str | None, outcome: str | None, asked: PageAsked
) -> Page[CommandRow]:
    """Return what the station was commanded, of one name and with one outcome or (None) all."""
    query = select(CommandRow).where(CommandRow.station_id == station_id)
    if name is not None:
        query = query.where(CommandRow.name == name)
    if outcome is not None:
        query = query.where(CommandRow.outcome == outcome)
    return await fetch_page(session, query, COMMAND_KEYS, asked)


async def reservation(session: AsyncSession, station_id: str, reservation_id: int) -> ReservationRow | None:
    """Return one reservation of the station, its row locked."""
    query = select(ReservationRow).where(ReservationRow.station_id == station_id)
    query = query.where(ReservationRow.reservation_id == reservation_id)
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def reservations(session: AsyncSession, station_id: str, asked: PageAsked) -> Page[ReservationRow]:
    """Return the station's reservations."""
    query = select(ReservationRow).where(ReservationRow.station_id == station_id)
    return await fetch_page(session, query, RESERVATION_KEYS, asked)
