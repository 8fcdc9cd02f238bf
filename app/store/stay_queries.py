"""Queries about past stays and what was learnt from them."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Select, case, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from app.store.base import among
from app.store.driver import DriverRow
from app.store.session import SessionRow
from app.store.site import SiteRow
from app.store.stays import LearntStaysRow, PastStayRow

SAID = ("driver", "booking")
COLUMNS = ("session_id", "site_id", "driver_id", "arrived_at", "left_at", "declared_at", "asked_wh", "taken_wh")
READ_AT_ONCE_COUNT = 5_000


@dataclass(frozen=True, slots=True)
class LearntNote:
    """Which learnt state a site has, without its body."""

    learnt_id: uuid.UUID
    learnt_at: datetime
    method: str
    stays_count: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is usual of a session of which nobody said anything, and in words what that is taken from."""

    session_id: uuid.UUID
    departs_at: datetime
    need_wh: float
    basis: str


async def take_in(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> int:
    """Write the stays of these sessions as far as they are over, or what has changed of them; return how many.

    Whose a stay is is decided once. A car that was seen to leave after its session's end has left then.
    """
    if not session_ids:
        return 0
    return await _write(session, _ended().where(among(SessionRow.session_id, list(session_ids))))


async def take_in_missing(session: AsyncSession, site_id: str, since_at: datetime, most_count: int) -> int:
    """Write the site's oldest stays that ended after `since_at` and are not written yet; return how many."""
    is_written = select(PastStayRow.session_id).where(PastStayRow.session_id == SessionRow.session_id).exists()
    query = _ended().where(SessionRow.site_id == site_id, SessionRow.ended_at > since_at, ~is_written)
    return await _write(session, query.order_by(SessionRow.ended_at, SessionRow.session_id).limit(most_count))


def _ended() -> Select[Any]:
    """Return the query of sessions that are over and not forgotten, in the columns of a past stay."""
    is_said = SessionRow.intent_source.in_(SAID)
    return (
        select(
            SessionRow.session_id,
            SessionRow.site_id,
            case((DriverRow.is_learnt_from, DriverRow.driver_id)),
            SessionRow.started_at,
            SessionRow.ended_at,
            case((is_said, SessionRow.departs_at)),
            case((is_said, SessionRow.need_wh)),
            SessionRow.delivered_wh,
        )
        .outerjoin(DriverRow, DriverRow.driver_id == SessionRow.driver_id)
        .where(SessionRow.ended_at.is_not(None))
        .where(or_(DriverRow.habits_since_at.is_(None), SessionRow.ended_at > DriverRow.habits_since_at))
    )


async def _write(session: AsyncSession, query: Select[Any]) -> int:
    statement = insert(PastStayRow).from_select(COLUMNS, query)
    new = statement.excluded
    changed: dict[str, ColumnElement[Any]] = {
        name: new[name] for name in ("arrived_at", "declared_at", "asked_wh", "taken_wh")
    }
    changed["left_at"] = func.greatest(PastStayRow.left_at, new.left_at)
    written = await session.execute(statement.on_conflict_do_update(index_elements=["session_id"], set_=changed))
    return written.rowcount if isinstance(written, CursorResult) else 0


async def remove_stay(session: AsyncSession, session_id: uuid.UUID) -> None:
    """Delete the stay of a session."""
    await session.execute(delete(PastStayRow).where(PastStayRow.session_id == session_id))


async def see_leave(session: AsyncSession, evse_id: int, at: datetime, within: timedelta) -> None:
    """Note that the car of the last session at an EVSE left at `at`, when that session ended up to `within` before."""
    last = select(SessionRow.session_id).where(SessionRow.evse_id == evse_id)
    last = last.order_by(SessionRow.started_at.desc(), SessionRow.session_id).limit(1)
    stays_on = update(PastStayRow).where(PastStayRow.session_id == last.scalar_subquery())
    is_later = stays_on.where(PastStayRow.left_at < at, PastStayRow.left_at > at - within)
    await session.execute(is_later.values(left_at=at).execution_options(synchronize_session=False))


async def stays_of_site(
    session: AsyncSession, site_id: str, since_at: datetime, until_at: datetime, most_count: int
) -> list[tuple[Any, ...]]:
    """Return the site's newest stays that ended in [since_at, until_at), newest first.

    As (driver_id, arrived_at, left_at, declared_at, asked_wh, taken_wh), read some thousand at a time.
    """
    query = (
        select(
            PastStayRow.driver_id,
            PastStayRow.arrived_at,
            PastStayRow.left_at,
            PastStayRow.declared_at,
            PastStayRow.asked_wh,
            PastStayRow.taken_wh,
        )
        .where(PastStayRow.site_id == site_id, PastStayRow.left_at >= since_at, PastStayRow.left_at < until_at)
        .order_by(PastStayRow.left_at.desc(), PastStayRow.session_id)
        .limit(most_count)
    )
    found: list[tuple[Any, ...]] = []
    async for rows in (await session.stream(query)).partitions(READ_AT_ONCE_COUNT):
        found += [tuple(row) for row in rows]
    return found


async def count_stays(session: AsyncSession, site_id: str, since_at: datetime) -> int:
    """Return how many of the site's stays ended since `since_at`."""
    query = select(func.count()).where(PastStayRow.site_id == site_id, PastStayRow.left_at >= since_at)
    return await session.scalar(query) or 0


async def stays_of_driver(
    session: AsyncSession, driver_id: uuid.UUID, most_count: int
) -> Sequence[tuple[PastStayRow, str]]:
    """Return (stay, its site's zone) of a driver's newest stays, by site and oldest first."""
    newest = select(PastStayRow.session_id).where(PastStayRow.driver_id == driver_id)
    newest = newest.order_by(PastStayRow.left_at.desc(), PastStayRow.session_id).limit(most_count)
    query = (
        select(PastStayRow, SiteRow.zone)
        .join(SiteRow, SiteRow.site_id == PastStayRow.site_id)
        .where(PastStayRow.session_id.in_(newest))
        .order_by(PastStayRow.site_id, PastStayRow.arrived_at, PastStayRow.session_id)
    )
    return [(row, zone) for row, zone in await session.execute(query)]


async def sites_learnt_from(session: AsyncSession, driver_id: uuid.UUID) -> list[str]:
    """Return the sites where something may have been learnt of a driver, sorted."""
    stayed = select(PastStayRow.site_id).where(PastStayRow.driver_id == driver_id)
    plugged = select(SessionRow.site_id).where(SessionRow.driver_id == driver_id)
    return sorted(await session.scalars(stayed.union(plugged)))


async def forget_stays(session: AsyncSession, driver_id: uuid.UUID) -> None:
    """Delete a driver's stays."""
    await session.execute(delete(PastStayRow).where(PastStayRow.driver_id == driver_id))


async def forget_bases(session: AsyncSession, driver_id: uuid.UUID) -> None:
    """Delete what a driver's sessions say of the habits that their intents were taken from."""
    told = update(SessionRow).where(SessionRow.driver_id == driver_id, SessionRow.intent_basis.is_not(None))
    await session.execute(told.values(intent_basis=None).execution_options(synchronize_session=False))


async def learnt_note(session: AsyncSession, site_id: str) -> LearntNote | None:
    """Return which learnt state the site has, None for none yet."""
    query = select(
        LearntStaysRow.learnt_id, LearntStaysRow.learnt_at, LearntStaysRow.method, LearntStaysRow.stays_count
    ).where(LearntStaysRow.site_id == site_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else LearntNote(*row)


async def learnt_body(session: AsyncSession, learnt_id: uuid.UUID) -> bytes | None:
    """Return a learnt state's body, None where another one has come meanwhile."""
    return await session.scalar(select(LearntStaysRow.body).where(LearntStaysRow.learnt_id == learnt_id))


async def write_learnt(session: AsyncSession, row: LearntStaysRow, instead_of: uuid.UUID | None) -> bool:
    """Write a site's learnt state in place of one (None: of none); return whether nothing else had come meanwhile."""
    statement = insert(LearntStaysRow).values(_values(row))
    replaced = statement.on_conflict_do_update(
        index_elements=["site_id"], set_=_values(row), where=LearntStaysRow.learnt_id == instead_of
    )
    if instead_of is None:
        replaced = statement.on_conflict_do_nothing()
    return (await session.scalars(replaced.returning(LearntStaysRow.site_id))).first() is not None


async def unlearn(session: AsyncSession, rows: Sequence[LearntStaysRow]) -> None:
    """Write these in place of whatever was learnt."""
    for row in rows:
        statement = insert(LearntStaysRow).values(_values(row))
        await session.execute(statement.on_conflict_do_update(index_elements=["site_id"], set_=_values(row)))


EXPECT = text(
    "WITH told AS (SELECT * FROM unnest(CAST(:session_id AS uuid[]), CAST(:departs_at AS timestamptz[]), "
    "CAST(:need_wh AS float8[]), CAST(:basis AS text[])) AS told (session_id, departs_at, need_wh, basis)), "
    "free AS (SELECT session_id FROM charging_session WHERE session_id IN (SELECT session_id FROM told) "
    "AND intent_source = 'assumed' AND booking_id IS NULL AND ended_at IS NULL FOR NO KEY UPDATE SKIP LOCKED) "
    "UPDATE charging_session AS charging SET departs_at = told.departs_at, need_wh = told.need_wh, "
    "intent_source = 'learnt', intent_basis = told.basis FROM told JOIN free USING (session_id) "
    "WHERE charging.session_id = told.session_id RETURNING charging.session_id"
)


async def expect(session: AsyncSession, told: Sequence[Expectation], rows: Sequence[SessionRow]) -> None:
    """Give sessions what is usual, in the database and in `rows`, where nobody said anything yet; waits for nobody."""
    columns = zip(*((each.session_id, each.departs_at, each.need_wh, each.basis) for each in told), strict=True)
    names = ("session_id", "departs_at", "need_wh", "basis")
    written = set(await session.scalars(EXPECT, dict(zip(names, map(list, columns), strict=True))))
    by_id = {row.session_id: row for row in rows}
    for each in told:
        if each.session_id in written:
            row = by_id[each.session_id]
            set_committed_value(row, "departs_at", each.departs_at)
            set_committed_value(row, "need_wh", each.need_wh)
            set_committed_value(row, "intent_source", "learnt")
            set_committed_value(row, "intent_basis", each.basis)


def _values(row: LearntStaysRow) -> dict[str, Any]:
    return {
        "site_id": row.site_id,
        "learnt_id": row.learnt_id,
        "learnt_at": row.learnt_at,
        "method": row.method,
        "stays_count": row.stays_count,
        "body": row.body,
    }
