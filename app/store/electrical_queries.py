"""Queries on what is known of a site's electrical side."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.pages import Page, PageAsked
from app.store.electrical import AlarmRow
from app.store.page_queries import Keys, fetch_page

ALARM_KEYS = Keys((AlarmRow.alarm_id,), (int,), is_descending=True)


async def alarms(session: AsyncSession, site_id: str, is_open: bool | None, asked: PageAsked) -> Page[AlarmRow]:
    """Return the site's alarms, newest first; only open ones, only ended ones, or (None) all."""
    query = select(AlarmRow).where(AlarmRow.site_id == site_id)
    if is_open is not None:
        query = query.where(AlarmRow.ended_at.is_(None) if is_open else AlarmRow.ended_at.is_not(None))
    return await fetch_page(session, query, ALARM_KEYS, asked)
