"""Queries on sites, their readings and forecasts."""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.pages import Page, PageAsked
from app.store.page_queries import Keys, fetch_page
from app.store.site import ForecastRow, SiteReadingRow, SiteRow

SITE_KEYS = Keys((SiteRow.site_id,), (str,))
READING_KEYS = Keys((SiteReadingRow.at,), (datetime,))


async def site(session: AsyncSession, site_id: str) -> SiteRow | None:
    """Return the site, None if there is none."""
    return await session.get(SiteRow, site_id)


async def locked_site(session: AsyncSession, site_id: str) -> SiteRow | None:
    """Return the site with its row locked against other changes (not against references)."""
    return await session.get(SiteRow, site_id, with_for_update={"key_share": True}, populate_existing=True)


async def site_ids(session: AsyncSession) -> list[str]:
    """Return the ids of all sites, sorted."""
    return list(await session.scalars(select(SiteRow.site_id).order_by(SiteRow.site_id)))


async def sites(session: AsyncSession, asked: PageAsked) -> Page[SiteRow]:
    """Return sites by id."""
    return await fetch_page(session, select(SiteRow), SITE_KEYS, asked)


async def add_reading(session: AsyncSession, row: SiteReadingRow) -> bool:
    """Insert a reading and return whether it was new; an existing one of that instant stays as it is."""
    values = {column.key: getattr(row, column.key) for column in SiteReadingRow.__table__.columns}
    statement = insert(SiteReadingRow).values(values).on_conflict_do_nothing().returning(SiteReadingRow.at)
    return await session.scalar(statement) is not None


async def reading(session: AsyncSession, site_id: str, at: datetime) -> SiteReadingRow | None:
    """Return the reading of exactly that instant."""
    return await session.get(SiteReadingRow, (site_id, at))


async def other_reading(session: AsyncSession, site_id: str, at: datetime) -> SiteReadingRow | None:
    """Return the newest reading but the one of that instant."""
    query = select(SiteReadingRow).where(SiteReadingRow.site_id == site_id, SiteReadingRow.at != at)
    return (await session.scalars(query.order_by(SiteReadingRow.at.desc()).limit(1))).first()


async def note_refused(session: AsyncSession, site_id: str, at: datetime, reason: str) -> bool:
    """Keep that a reading came that cannot be meant; return whether there is such a site."""
    noted = {"reading_refused_at": at, "reading_refused_for": reason}
    statement = update(SiteRow).where(SiteRow.site_id == site_id).values(noted).returning(SiteRow.site_id)
    return await session.scalar(statement) is not None


async def readings(
    session: AsyncSession, site_id: str, from_at: datetime | None, until_at: datetime | None, asked: PageAsked
) -> Page[SiteReadingRow]:
    """Return the site's readings in `[from_at, until_at)`, oldest first; None leaves that side open."""
    query = select(SiteReadingRow).where(SiteReadingRow.site_id == site_id)
    if from_at is not None:
        query = query.where(SiteReadingRow.at >= from_at)
    if until_at is not None:
        query = query.where(SiteReadingRow.at < until_at)
    return await fetch_page(session, query, READING_KEYS, asked)


async def newest_forecast(session: AsyncSession, site_id: str) -> ForecastRow | None:
    """Return the forecast issued last."""
    query = (
        select(ForecastRow)
        .where(ForecastRow.site_id == site_id)
        .order_by(ForecastRow.issued_at.desc(), ForecastRow.forecast_id.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def lock_bookings(session: AsyncSession, site_id: str) -> None:
    """Let one transaction at a time change the site's bookings; held until the transaction ends.

    It is a lock of its own, so that bookings never wait for a plan.
    """
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"bookings {site_id}", 0))))
