"""Queries on plans."""

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.plan import PlanRow


async def newest_plan(session: AsyncSession, site_id: str) -> PlanRow | None:
    """Return the site's plan with the highest revision, None before the first."""
    query = select(PlanRow).where(PlanRow.site_id == site_id).order_by(PlanRow.revision.desc()).limit(1)
    return await session.scalar(query)


async def plan(session: AsyncSession, plan_id: uuid.UUID) -> PlanRow | None:
    """Return a plan by id."""
    return await session.get(PlanRow, plan_id)
