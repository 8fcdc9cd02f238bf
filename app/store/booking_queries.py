"""Queries on bookings: what holds the EVSEs of a site, a driver's bookings, and moves between EVSEs."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.intervals import Interval
from app.domain.pages import Page, PageAsked
from app.store.base import UtcDateTime
from app.store.driver import BookingRow
from app.store.page_queries import Keys, fetch_page
from app.store.session import SessionRow
from app.store.station import EvseRow, StationRow

LIVE = ("booked", "arrived")
PARKED = "cancelled"
OVERLAP = "ex_booking_overlap"

ARRIVES_AT: ColumnElement[datetime] = func.lower(BookingRow.period, type_=UtcDateTime())
DEPARTS_AT: ColumnElement[datetime] = func.upper(BookingRow.period, type_=UtcDateTime())
BOOKING_KEYS = Keys((ARRIVES_AT, BookingRow.booking_id), (datetime, uuid.UUID))


@dataclass(frozen=True, slots=True)
class BookingFilter:
    """Which bookings a list holds; None does not filter."""

    driver_id: uuid.UUID | None = None
    site_id: str | None = None
    state: str | None = None


def period_range(period: Interval) -> Range[datetime]:
    """Return the half-open range of an interval."""
    return Range(period.start_at, period.end_at, bounds="[)")


def interval_of(row: BookingRow) -> Interval:
    """Return a booking's period; raises ValueError for an open one, which is never stored."""
    if row.period.lower is None or row.period.upper is None:
        raise ValueError("a booking's period has two ends")
    return Interval(row.period.lower, row.period.upper)


def is_overlap(broken: IntegrityError) -> bool:
    """Return whether the database refused two overlapping bookings of one EVSE."""
    return OVERLAP in str(broken.orig)


def _with_place() -> Select[BookingRow, str, int]:
    return (
        select(BookingRow, EvseRow.station_id, EvseRow.evse_number)
        .join(EvseRow, EvseRow.evse_id == BookingRow.evse_id)
        .execution_options(populate_existing=True)
    )


async def booking(
    session: AsyncSession, booking_id: uuid.UUID, driver_id: uuid.UUID | None
) -> tuple[BookingRow, str, int] | None:
    """Return (booking, station_id, evse_number); None if there is none, or not of this driver (None: of any)."""
    query = _with_place().where(BookingRow.booking_id == booking_id)
    if driver_id is not None:
        query = query.where(BookingRow.driver_id == driver_id)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found[0], found[1], found[2])


async def bookings(session: AsyncSession, wanted: BookingFilter, asked: PageAsked) -> Page[tuple[BookingRow, str, int]]:
    """Return (booking, station_id, evse_number) by arrival."""
    query = _with_place()
    for column, value in (
        (BookingRow.driver_id, wanted.driver_id),
        (BookingRow.site_id, wanted.site_id),
        (BookingRow.state, wanted.state),
    ):
        if value is not None:
            query = query.where(column == value)
    return await fetch_page(session, query, BOOKING_KEYS, asked)


async def evses_of_site(session: AsyncSession, site_id: str) -> Sequence[EvseRow]:
    """Return the site's EVSEs by id."""
    query = select(EvseRow).join(StationRow).where(StationRow.site_id == site_id).order_by(EvseRow.evse_id)
    return (await session.scalars(query)).all()


async def live_bookings(session: AsyncSession, site_id: str, window: Interval) -> Sequence[BookingRow]:
    """Return the site's live bookings that overlap a window, by arrival."""
    query = select(BookingRow).where(
        BookingRow.site_id == site_id,
        BookingRow.state.in_(LIVE),
        BookingRow.period.op("&&")(period_range(window)),
    )
    query = query.order_by(ARRIVES_AT, BookingRow.booking_id).execution_options(populate_existing=True)
    return (await session.scalars(query)).all()


async def driver_bookings(
    session: AsyncSession, driver_id: uuid.UUID, window: Interval, *, is_locked: bool = False
) -> Sequence[BookingRow]:
    """Return the driver's live bookings at any site that overlap a window, by arrival; maybe with their rows locked."""
    query = select(BookingRow).where(
        BookingRow.driver_id == driver_id,
        BookingRow.state.in_(LIVE),
        BookingRow.period.op("&&")(period_range(window)),
    )
    query = query.order_by(ARRIVES_AT, BookingRow.booking_id).execution_options(populate_existing=True)
    if is_locked:
        query = query.with_for_update(key_share=True)
    return (await session.scalars(query)).all()


async def plugged_in(session: AsyncSession, site_id: str) -> Sequence[SessionRow]:
    """Return the site's running sessions."""
    query = select(SessionRow).where(SessionRow.site_id == site_id, SessionRow.ended_at.is_(None))
    return (await session.scalars(query.order_by(SessionRow.evse_id))).all()


async def relocate(session: AsyncSession, places: Mapping[uuid.UUID, int], now: datetime) -> None:
    """Send live bookings to other EVSEs, also to each other's; raises IntegrityError when they would overlap.

    They are parked first, because the database checks every single change.
    """
    query = select(BookingRow).where(BookingRow.booking_id.in_(places)).order_by(BookingRow.booking_id)
    rows = (await session.scalars(query)).all()
    states = {row.booking_id: row.state for row in rows}
    for row in rows:
        row.state = PARKED
    await session.flush()
    for row in rows:
        row.state = states[row.booking_id]
        row.evse_id = places[row.booking_id]
        row.changed_at = now
    await session.flush()


async def session_of_booking(
    session: AsyncSession, booking_id: uuid.UUID, *, is_locked: bool = True
) -> SessionRow | None:
    """Return the running session that a booking arrived with, the newest if there are two."""
    query = select(SessionRow).where(SessionRow.booking_id == booking_id, SessionRow.ended_at.is_(None))
    query = query.order_by(SessionRow.started_at.desc()).limit(1)
    if is_locked:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return await session.scalar(query)


async def sites_to_sweep(session: AsyncSession, now: datetime) -> list[str]:
    """Return the sites that have bookings which ended, or whose car has come; sorted."""
    query = select(BookingRow.site_id).where(
        or_(BookingRow.state == "arrived", and_(BookingRow.state == "booked", now >= DEPARTS_AT))
    )
    return sorted(await session.scalars(query.distinct()))


async def mark_missed(session: AsyncSession, site_id: str, now: datetime) -> int:
    """Turn the site's bookings whose period ended without an arrival into missed ones; return how many."""
    return await _mark(session, site_id, "missed", now, BookingRow.state == "booked", now >= DEPARTS_AT)


async def mark_done(session: AsyncSession, site_id: str, now: datetime, left_by_at: datetime) -> int:
    """Turn arrived bookings into done ones: ended ones without a car, those left by `left_by_at`; return how many."""
    is_its = SessionRow.booking_id == BookingRow.booking_id
    has_car = exists().where(is_its, SessionRow.ended_at.is_(None))
    left_late = exists().where(is_its, SessionRow.ended_at > left_by_at)
    had_car = exists().where(is_its)
    is_over = or_(now >= DEPARTS_AT, and_(had_car, ~left_late))
    return await _mark(session, site_id, "done", now, BookingRow.state == "arrived", ~has_car, is_over)


async def _mark(
    session: AsyncSession, site_id: str, state: str, now: datetime, *conditions: ColumnElement[bool]
) -> int:
    statement = (
        update(BookingRow)
        .where(BookingRow.site_id == site_id, *conditions)
        .values(state=state, changed_at=now)
        .returning(BookingRow.booking_id)
        .execution_options(synchronize_session=False)
    )
    return len((await session.scalars(statement)).all())
