"""Plans, what they want at each EVSE right now, and the limit ledger."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, among
from app.store.session import SessionRow
from app.store.station import EvseRow, StationRow

LONGEST_ON_THE_WAY = timedelta(minutes=15)


class PlanRow(Base):
    """One plan of one site. `body` is the plan as JSON, `inputs_zip` the snapshot it was made from, as compressed JSON.

    `inputs` is that snapshot as text, of plans that are older than `inputs_zip` (else empty).
    `surplus_w` is the surplus that it reckoned with in its first slot. `planner` names the code that made it (None: it
    is older than this note).
    """

    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("site_id", "revision"),)

    plan_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"))
    revision: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)
    inputs: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    inputs_zip: Mapped[bytes | None] = mapped_column(LargeBinary)
    surplus_w: Mapped[float] = mapped_column(default=0.0, server_default=text("0"))
    planner: Mapped[str | None] = mapped_column(String(64))


class DesiredLimitRow(Base):
    """What the newest plan wants at an EVSE right now; the limit loop follows the sun from there.

    `planned_w`, `must_w` and `most_w` are the plan line's (None: only `target_w` counts); `need_wh` and `departs_at`
    say how much is still wanted by when.
    """

    __tablename__ = "desired_limit"

    evse_id: Mapped[int] = mapped_column(ForeignKey("evse.evse_id", ondelete="CASCADE"), primary_key=True)
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("charging_session.session_id", ondelete="CASCADE"))
    plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("plan.plan_id", ondelete="CASCADE"))
    target_w: Mapped[float]
    planned_w: Mapped[float | None]
    must_w: Mapped[float | None]
    most_w: Mapped[float | None]
    need_wh: Mapped[float | None]
    departs_at: Mapped[datetime | None]


class LimitRow(Base):
    """The limit ledger: one intent to set one limit, written before its bytes leave (site-limit rule R1).

    `outcome` is None while nothing is known, else accepted, refused, unknown (error, timeout, hang-up) or unsent (never
    handed to a socket, provably). `is_closed` marks entries that can no longer be in force (kept as history).
    `lease_ends_at` is when the lease ends by the station's clock (None: of the raw door), `ends_at` until when the
    ledger counts it. `term` is the leadership under which it was written (rule R9). `switched_at` is when, with it, the
    session's limit last went from or to zero.
    """

    __tablename__ = "limit_entry"
    __table_args__ = (
        CheckConstraint("power_w >= 0", name="power"),
        CheckConstraint("outcome IS NULL OR outcome IN ('accepted', 'refused', 'unknown', 'unsent')", name="outcome"),
        Index("ix_limit_entry_open", "evse_id", "order_no", postgresql_where="NOT is_closed"),
        Index("ix_limit_entry_session", "session_id", "order_no"),
    )

    order_no: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    evse_id: Mapped[int] = mapped_column(ForeignKey("evse.evse_id", ondelete="CASCADE"))
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("charging_session.session_id", ondelete="CASCADE"))
    power_w: Mapped[float]
    reason: Mapped[str] = mapped_column(String(64))
    intended_at: Mapped[datetime]
    lease_ends_at: Mapped[datetime | None]
    ends_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    outcome_detail: Mapped[str | None] = mapped_column(String(200))
    outcome_at: Mapped[datetime | None]
    is_closed: Mapped[bool] = mapped_column(default=False)
    term: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    switched_at: Mapped[datetime | None]


async def open_limits(session: AsyncSession, site_id: str) -> Sequence[LimitRow]:
    """Return the site's entries that may still be in force, in the order of their numbers."""
    query = (
        select(LimitRow)
        .join(EvseRow, EvseRow.evse_id == LimitRow.evse_id)
        .join(StationRow, StationRow.station_id == EvseRow.station_id)
        .where(StationRow.site_id == site_id, ~LimitRow.is_closed)
        .order_by(LimitRow.order_no)
    )
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def sites_with_limits(session: AsyncSession, station_ids: Collection[str]) -> dict[str, str]:
    """Return the sites of those of these stations where a limit is wanted or may be in force."""
    if not station_ids:
        return {}
    is_wanted = exists().where(DesiredLimitRow.evse_id == EvseRow.evse_id)
    is_open = exists().where(LimitRow.evse_id == EvseRow.evse_id, ~LimitRow.is_closed)
    query = select(StationRow.station_id, StationRow.site_id).join(EvseRow, EvseRow.station_id == StationRow.station_id)
    query = query.where(among(StationRow.station_id, station_ids), or_(is_wanted, is_open)).distinct()
    return {row.station_id: row.site_id for row in await session.execute(query)}


async def newest_limits(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, LimitRow]:
    """Return the entry intended last of each session, closed or not."""
    newest = select(func.max(LimitRow.order_no)).where(among(LimitRow.session_id, session_ids))
    query = select(LimitRow).where(LimitRow.order_no.in_(newest.group_by(LimitRow.session_id)))
    return {row.session_id: row for row in await session.scalars(query)}


async def accepted_limits(
    session: AsyncSession, session_ids: Collection[uuid.UUID], since_at: datetime
) -> Sequence[LimitRow]:
    """Return these sessions' entries that were accepted since `since_at`, in the order of their numbers."""
    query = select(LimitRow).where(among(LimitRow.session_id, session_ids), LimitRow.outcome == "accepted")
    return (await session.scalars(query.where(LimitRow.outcome_at >= since_at).order_by(LimitRow.order_no))).all()


async def untaken_limits(session: AsyncSession, station_id: str) -> Sequence[tuple[LimitRow, EvseRow, SessionRow]]:
    """Return the station's entries that no socket has taken, locked, newest first, with their EVSE and session."""
    query = (
        select(LimitRow, EvseRow, SessionRow)
        .join(EvseRow, EvseRow.evse_id == LimitRow.evse_id)
        .join(SessionRow, SessionRow.session_id == LimitRow.session_id)
        .where(EvseRow.station_id == station_id, ~LimitRow.is_closed, LimitRow.taken_at.is_(None))
        .order_by(LimitRow.order_no.desc())
        .with_for_update(of=LimitRow)
    )
    rows = await session.execute(query.execution_options(populate_existing=True))
    return [(limit, evse, charging) for limit, evse, charging in rows]


async def covered_evses(session: AsyncSession, evse_ids: Collection[int], now: datetime) -> set[int]:
    """Return those of these EVSEs where a session's limit may be in force, which hides what is behind it."""
    query = select(LimitRow.evse_id).where(among(LimitRow.evse_id, evse_ids), ~LimitRow.is_closed)
    return set(await session.scalars(query.where(LimitRow.ends_at > now).distinct()))


async def close_limits(session: AsyncSession, order_nos: Collection[int]) -> None:
    """Mark entries that can no longer be in force."""
    if order_nos:
        await session.execute(update(LimitRow).where(among(LimitRow.order_no, order_nos)).values(is_closed=True))


async def drop_untaken(session: AsyncSession, which: ColumnElement[bool], now: datetime) -> None:
    """Close the entries among `which` that no socket has taken: they provably never left."""
    await session.execute(
        update(LimitRow)
        .where(which, ~LimitRow.is_closed, LimitRow.taken_at.is_(None))
        .values(outcome="unsent", outcome_at=now, is_closed=True)
    )


async def end_leases(session: AsyncSession, session_id: uuid.UUID, now: datetime) -> None:
    """Let the session's accepted limits end now, because the station said that the session is over.

    Entries whose answer is not known keep their lease: their bytes may still be on the way. One without an end (of the
    raw door) keeps `LONGEST_ON_THE_WAY`.
    """
    await drop_untaken(session, LimitRow.session_id == session_id, now)
    running = update(LimitRow).where(LimitRow.session_id == session_id, ~LimitRow.is_closed)
    in_force = running.where(LimitRow.outcome == "accepted", LimitRow.ends_at > now)
    await session.execute(in_force.values(ends_at=now, lease_ends_at=now))
    latest_at = now + LONGEST_ON_THE_WAY
    await session.execute(running.where(LimitRow.ends_at > latest_at).values(ends_at=latest_at))


async def stretch_leases(session: AsyncSession, station_id: str, slack: timedelta) -> None:
    """Count the station's leases for as long as its clock may hold them, now that this is later than was known.

    Not those whose session is over: they ended with it.
    """
    evse_ids = select(EvseRow.evse_id).where(EvseRow.station_id == station_id)
    running = update(LimitRow).where(LimitRow.evse_id.in_(evse_ids), ~LimitRow.is_closed)
    latest_at = LimitRow.lease_ends_at + literal(slack, INTERVAL())
    late = running.where(LimitRow.lease_ends_at < LimitRow.ends_at, latest_at > LimitRow.ends_at)
    await session.execute(late.values(ends_at=latest_at), execution_options={"synchronize_session": False})


async def respell_limits(session: AsyncSession, evse_id: int, factor: float, most_w: float) -> None:
    """Count the EVSE's open limits with so many times their power, at most `most_w`."""
    open_ones = update(LimitRow).where(LimitRow.evse_id == evse_id, ~LimitRow.is_closed)
    more = open_ones.values(power_w=func.least(LimitRow.power_w * factor, most_w))
    await session.execute(more, execution_options={"synchronize_session": False})


async def forget_desired(session: AsyncSession, session_id: uuid.UUID) -> None:
    """Delete what the plan wanted for a session."""
    await session.execute(delete(DesiredLimitRow).where(DesiredLimitRow.session_id == session_id))


async def desired_limits(session: AsyncSession, site_id: str) -> Sequence[tuple[DesiredLimitRow, float]]:
    """Return what the newest plan wants at the EVSEs whose session still runs, by evse_id, with its `surplus_w`."""
    query = (
        select(DesiredLimitRow, PlanRow.surplus_w)
        .join(PlanRow, PlanRow.plan_id == DesiredLimitRow.plan_id)
        .join(SessionRow, SessionRow.session_id == DesiredLimitRow.session_id)
        .where(SessionRow.site_id == site_id, SessionRow.ended_at.is_(None))
        .order_by(DesiredLimitRow.evse_id)
    )
    rows = await session.execute(query.execution_options(populate_existing=True))
    return [(row, surplus_w) for row, surplus_w in rows]
