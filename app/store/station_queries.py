"""Queries on stations, strangers and quarantined messages."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.pages import Page, PageAsked
from app.store.base import among
from app.store.device import CertificateRow, OnboardingRow
from app.store.driver import BookingRow
from app.store.page_queries import Keys, fetch_page
from app.store.plan import LimitRow
from app.store.session import SessionRow
from app.store.station import EvseRow, QuarantineRow, StationRow, StrangerRow
from app.store.watches import EvseWatchRow

STATION_KEYS = Keys((StationRow.station_id,), (str,))
STRANGER_KEYS = Keys((StrangerRow.identity,), (str,))
QUARANTINE_KEYS = Keys((QuarantineRow.quarantine_id,), (int,), is_descending=True)
UNPROVEN = {"default_verified_at": None, "installed_at": None, "unproven_for": None}


async def station(session: AsyncSession, station_id: str) -> StationRow | None:
    """Return the station, None if there is none."""
    return await session.get(StationRow, station_id)


async def stations_among(session: AsyncSession, station_ids: Collection[str]) -> dict[str, StationRow]:
    """Return those of these stations that exist, by id."""
    if not station_ids:
        return {}
    rows = await session.scalars(select(StationRow).where(among(StationRow.station_id, station_ids)))
    return {row.station_id: row for row in rows}


async def locked_station(session: AsyncSession, station_id: str) -> StationRow | None:
    """Return the station, locked against other changes of it."""
    return await session.get(StationRow, station_id, with_for_update={"key_share": True}, populate_existing=True)


async def standings(session: AsyncSession, station_ids: Collection[str]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return for each of these stations what says whether there is anything to do at it (see `operations.standing`)."""
    of_station = EvseRow.station_id == StationRow.station_id
    is_unproven = exists().where(of_station, EvseRow.default_verified_at.is_(None))
    is_waiting = exists().where(
        of_station, LimitRow.evse_id == EvseRow.evse_id, ~LimitRow.is_closed, LimitRow.taken_at.is_(None)
    )
    is_remedied = exists().where(of_station, EvseWatchRow.evse_id == EvseRow.evse_id, EvseWatchRow.remedy.is_not(None))
    is_asked = exists().where(
        CertificateRow.station_id == StationRow.station_id, CertificateRow.state.in_(("asked", "signed"))
    )
    query = select(
        StationRow.station_id,
        StationRow.rate_unit,
        StationRow.vendor,
        StationRow.model,
        StationRow.serial,
        StationRow.firmware,
        StationRow.booted_at,
        or_(is_unproven, is_waiting, is_remedied).label("has_limit_work"),
        is_remedied.label("has_remedies"),
        StationRow.lease_slack,
        is_asked.label("has_certificates"),
        OnboardingRow.fingerprint,
        OnboardingRow.retry_at,
        OnboardingRow.unmet,
        OnboardingRow.ended_at,
    ).outerjoin(OnboardingRow, OnboardingRow.station_id == StationRow.station_id)
    return (await session.execute(query.where(among(StationRow.station_id, station_ids)))).all()


async def history_of(session: AsyncSession, station_id: str) -> tuple[bool, bool]:
    """Return whether a session runs at the station, and whether it has sessions or bookings that are to be kept."""
    of_station = select(SessionRow.session_id).where(SessionRow.station_id == station_id)
    runs = await session.scalar(select(of_station.where(SessionRow.ended_at.is_(None)).exists()))
    evse_ids = select(EvseRow.evse_id).where(EvseRow.station_id == station_id)
    booked = select(BookingRow.booking_id).where(BookingRow.evse_id.in_(evse_ids))
    return bool(runs), bool(await session.scalar(select(or_(of_station.exists(), booked.exists()))))


async def by_id(session: AsyncSession, station_ids: Iterable[str]) -> Sequence[StationRow]:
    """Return those of these stations that there are."""
    return (await session.scalars(select(StationRow).where(StationRow.station_id.in_(list(station_ids))))).all()


async def stations(session: AsyncSession, site_id: str | None, asked: PageAsked) -> Page[StationRow]:
    """Return stations by id, of one site or (None) of all."""
    query = select(StationRow)
    if site_id is not None:
        query = query.where(StationRow.site_id == site_id)
    return await fetch_page(session, query, STATION_KEYS, asked)


async def evses(session: AsyncSession, station_ids: Iterable[str]) -> Sequence[EvseRow]:
    """Return the EVSEs of these stations by station and number."""
    query = select(EvseRow).where(EvseRow.station_id.in_(list(station_ids)))
    return (await session.scalars(query.order_by(EvseRow.station_id, EvseRow.evse_number))).all()


async def evse_of_station(session: AsyncSession, station_id: str, evse_number: int) -> EvseRow | None:
    """Return one EVSE of a station."""
    query = select(EvseRow).where(EvseRow.station_id == station_id, EvseRow.evse_number == evse_number)
    return await session.scalar(query)


async def limits_in_force(session: AsyncSession, evse_ids: Iterable[int], now: datetime) -> dict[int, float]:
    """Return evse_id → W of the newest acknowledged limit whose lease has not ended; EVSEs without one are absent."""
    query = (
        select(LimitRow.evse_id, LimitRow.power_w)
        .where(LimitRow.evse_id.in_(list(evse_ids)), LimitRow.outcome == "accepted")
        .where(~LimitRow.is_closed, LimitRow.ends_at > now)
        .ext(distinct_on(LimitRow.evse_id))
        .order_by(LimitRow.evse_id, LimitRow.order_no.desc())
    )
    return {row.evse_id: row.power_w for row in await session.execute(query)}


async def running_sessions(session: AsyncSession, evse_ids: Iterable[int]) -> dict[int, SessionRow]:
    """Return evse_id → its running session; EVSEs without one are absent."""
    query = select(SessionRow).where(SessionRow.evse_id.in_(list(evse_ids)), SessionRow.ended_at.is_(None))
    return {row.evse_id: row for row in await session.scalars(query)}


async def forget_stranger(session: AsyncSession, identity: str) -> None:
    """Take an identity from the list of strangers."""
    await session.execute(delete(StrangerRow).where(StrangerRow.identity == identity))


async def strangers(session: AsyncSession, asked: PageAsked) -> Page[StrangerRow]:
    """Return strangers by identity."""
    return await fetch_page(session, select(StrangerRow), STRANGER_KEYS, asked)


async def quarantine(session: AsyncSession, station_id: str, asked: PageAsked) -> Page[QuarantineRow]:
    """Return the station's quarantined messages, newest first."""
    query = select(QuarantineRow).where(QuarantineRow.station_id == station_id)
    return await fetch_page(session, query, QUARANTINE_KEYS, asked)


async def unverify_station(session: AsyncSession, station_id: str) -> None:
    """Mark the default profiles of all the station's EVSEs as unproven."""
    await session.execute(update(EvseRow).where(EvseRow.station_id == station_id).values(UNPROVEN))
