"""Queries on plans."""

import uuid
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.plan import PlanRow


async def newest_plan(session: AsyncSession, site_id: str) -> PlanRow | None:
    """Return the site's plan with the highest revision, None before the first."""
    query = select(PlanRow).where(PlanRow.site_id == site_id).order_by(PlanRow.revision.desc()).limit(1)
    return await session.scalar(query)


async def newest_plan_id(session: AsyncSession, site_id: str, until_at: datetime | None) -> uuid.UUID | None:
    """Return the id of the site's newest plan, or of the newest one until then; None where there is none."""
    query = select(PlanRow.plan_id).where(PlanRow.site_id == site_id).order_by(PlanRow.revision.desc()).limit(1)
    return await session.scalar(query if until_at is None else query.where(PlanRow.made_at < until_at))


async def plan(session: AsyncSession, plan_id: uuid.UUID) -> PlanRow | None:
    """Return a plan by id."""
    return await session.get(PlanRow, plan_id)


async def keep_bytes(session: AsyncSession, site_id: str, most_bytes: int) -> None:
    """Delete the site's oldest plans until what is stored of them is at most so much; the newest one stays."""
    parts = (PlanRow.body, PlanRow.inputs, PlanRow.inputs_zip)
    row_bytes = sum((func.coalesce(func.pg_column_size(part), 0) for part in parts[1:]), func.pg_column_size(parts[0]))
    newest_first = PlanRow.revision.desc()
    summed = select(
        PlanRow.plan_id,
        func.sum(row_bytes).over(order_by=newest_first).label("bytes"),
        func.row_number().over(order_by=newest_first).label("number"),
    ).where(PlanRow.site_id == site_id)
    sums = summed.subquery()
    surplus = select(sums.c.plan_id).where(sums.c.bytes > most_bytes, sums.c.number > 1)
    await session.execute(
        delete(PlanRow).where(PlanRow.plan_id.in_(surplus)).execution_options(synchronize_session=False)
    )
