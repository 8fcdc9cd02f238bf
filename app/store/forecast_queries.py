"""Queries about forecasts: what was measured and told by slot, who arrived, who is booked, and feeds."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.intervals import PLAN_SLOT
from app.store.driver import BookingRow
from app.store.session import SessionRow
from app.store.site import ForecastFeedRow, ForecastRow, SiteReadingRow

CHUNK = timedelta(days=30)


async def slot_means(
    session: AsyncSession, site_id: str, from_at: datetime, until_at: datetime
) -> list[tuple[int, float, float]]:
    """Return (slot number, mean PV, mean building load) in W of every measured slot in [from_at, until_at).

    A reading is a mean until its instant and belongs to the slot that it ends in or at. Read a month at a time, so that
    years of dense readings stay within the statement's timeout.
    """
    slot_s = PLAN_SLOT.total_seconds()
    number = func.ceil(func.extract("epoch", SiteReadingRow.at) / slot_s) - 1
    query = (
        select(number, func.avg(SiteReadingRow.pv_w), func.avg(SiteReadingRow.building_w))
        .where(SiteReadingRow.site_id == site_id)
        .group_by(number)
        .order_by(number)
    )
    found: list[tuple[int, float, float]] = []
    while from_at < until_at:
        end_at = min(from_at + CHUNK, until_at)
        rows = await session.execute(query.where(SiteReadingRow.at > from_at, SiteReadingRow.at <= end_at))
        found += [(int(slot), float(pv_w), float(building_w)) for slot, pv_w, building_w in rows]
        from_at = end_at
    return found


async def first_reading_at(session: AsyncSession, site_id: str, since_at: datetime) -> datetime | None:
    """Return the first reading's instant from `since_at` on."""
    query = select(func.min(SiteReadingRow.at)).where(SiteReadingRow.site_id == site_id, SiteReadingRow.at >= since_at)
    return await session.scalar(query)


async def forecasts_issued(
    session: AsyncSession, site_id: str, from_at: datetime, until_at: datetime, most_count: int
) -> Sequence[ForecastRow]:
    """Return the newest forecasts issued in [from_at, until_at), newest first."""
    query = (
        select(ForecastRow)
        .where(ForecastRow.site_id == site_id, ForecastRow.issued_at >= from_at, ForecastRow.issued_at < until_at)
        .order_by(ForecastRow.issued_at.desc(), ForecastRow.forecast_id.desc())
        .limit(most_count)
    )
    return (await session.scalars(query)).all()


async def arrivals_since(session: AsyncSession, site_id: str, since_at: datetime) -> Sequence[datetime]:
    """Return when cars were plugged in."""
    query = select(SessionRow.started_at).where(SessionRow.site_id == site_id, SessionRow.started_at >= since_at)
    return (await session.scalars(query)).all()


async def booked_arrivals(
    session: AsyncSession, site_id: str, from_at: datetime, until_at: datetime
) -> Sequence[datetime]:
    """Return when booked cars that are not there yet are to come, in [from_at, until_at)."""
    arrives_at = func.lower(BookingRow.period)
    query = select(arrives_at).where(
        BookingRow.site_id == site_id, BookingRow.state == "booked", arrives_at >= from_at, arrives_at < until_at
    )
    return (await session.scalars(query)).all()


async def lock_forecasts(session: AsyncSession, site_id: str) -> None:
    """Let one transaction at a time issue or fetch the site's forecasts; held until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"forecasts {site_id}", 0))))


async def feed(session: AsyncSession, site_id: str) -> ForecastFeedRow | None:
    """Return where the site's forecasts are fetched from, None where they are not."""
    return await session.get(ForecastFeedRow, site_id)


async def remove_feed(session: AsyncSession, site_id: str) -> bool:
    """Delete the feed and return whether there was one."""
    statement = delete(ForecastFeedRow).where(ForecastFeedRow.site_id == site_id).returning(ForecastFeedRow.site_id)
    return await session.scalar(statement) is not None
