"""Queries on stations' variables and on how they were set up."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, func, inspect, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.device import VariableFilter
from app.domain.pages import Page, PageAsked
from app.store.device import OnboardingRow, VariableRow
from app.store.page_queries import Keys, fetch_page

KEY_NAMES = (
    "component",
    "component_instance",
    "evse_number",
    "connector_number",
    "variable",
    "variable_instance",
    "attribute",
)
CHANGED_NAMES = ("value", "is_writable", "unit", "values", "reported_at")
VARIABLE_KEYS = Keys(tuple(getattr(VariableRow, name) for name in KEY_NAMES), (str, str, int, int, str, str, str))


async def variables(
    session: AsyncSession, station_id: str, asked: PageAsked, which: VariableFilter
) -> Page[VariableRow]:
    """Return the station's variables that pass the filter, by component, EVSE and name."""
    query = select(VariableRow).where(VariableRow.station_id == station_id)
    if which.component is not None:
        query = query.where(VariableRow.component == which.component)
    if which.variable is not None:
        query = query.where(VariableRow.variable == which.variable)
    if which.evse_number is not None:
        query = query.where(VariableRow.evse_number == which.evse_number)
    return await fetch_page(session, query, VARIABLE_KEYS, asked)


async def variables_of(session: AsyncSession, station_id: str) -> Sequence[VariableRow]:
    """Return all of the station's variables."""
    query = select(VariableRow).where(VariableRow.station_id == station_id)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def variable_count(session: AsyncSession, station_id: str) -> int:
    """Return how many variables of the station are kept."""
    query = select(func.count()).select_from(VariableRow).where(VariableRow.station_id == station_id)
    return int(await session.scalar(query) or 0)


async def known_keys(session: AsyncSession, station_id: str, keys: Collection[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """Return which of these keys (`KEY_NAMES`) of the station exist already."""
    query = select(*VARIABLE_KEYS.columns).where(VariableRow.station_id == station_id)
    return {tuple(row) for row in await session.execute(query.where(tuple_(*VARIABLE_KEYS.columns).in_(keys)))}


async def upsert_variables(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Keep the newest value of these variables."""
    if not rows:
        return
    statement = insert(VariableRow).values(list(rows))
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[column.name for column in inspect(VariableRow).primary_key],
            set_={name: statement.excluded[name] for name in CHANGED_NAMES},
        )
    )


async def forget_variables(session: AsyncSession, station_id: str) -> None:
    """Delete all of the station's variables."""
    await session.execute(delete(VariableRow).where(VariableRow.station_id == station_id))


async def locked_onboarding(session: AsyncSession, station_id: str) -> OnboardingRow | None:
    """Return how the station was set up, its row locked; None if it never was."""
    return await session.get(OnboardingRow, station_id, with_for_update=True, populate_existing=True)
