"""Charging sessions, the business keys of their messages, and meter values."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    func,
    select,
    text,
    union,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, among, pair_among
from app.store.station import EvseRow


class SessionRow(Base):
    """One stay of one car at one EVSE. `station_ref` is what the station knows it by.

    `delivered_wh` follows the register (never runs backwards). `departs_at`/`need_wh`/`intent_source` are the intent in
    force, `intent_basis` what a learnt one is taken from, in words; `need_wh` counts from plug-in. `max_charge_w` is
    what the car's owner says, `learnt_cap_w` what its metered power showed, both None where only the EVSE limits it.
    `start_key` makes a replayed start find its session again.
    """

    __tablename__ = "charging_session"
    __table_args__ = (
        UniqueConstraint("station_id", "station_ref", name="uq_charging_session_ref"),
        UniqueConstraint("station_id", "start_key", name="uq_charging_session_start"),
        Index(
            "uq_charging_session_running",
            "evse_id",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
        CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="order"),
        CheckConstraint("delivered_wh >= 0 AND need_wh >= 0", name="energy"),
        CheckConstraint("intent_source IN ('driver', 'booking', 'learnt', 'assumed')", name="intent_source"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id"), index=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id"))
    evse_id: Mapped[int] = mapped_column(ForeignKey("evse.evse_id"), index=True)
    station_ref: Mapped[str] = mapped_column(String(36))
    start_key: Mapped[str] = mapped_column(String(64))
    token: Mapped[str | None] = mapped_column(String(255))
    driver_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("driver.driver_id", ondelete="SET NULL"))
    booking_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("booking.booking_id", ondelete="SET NULL"))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(64))
    meter_start_wh: Mapped[float | None]
    meter_last_wh: Mapped[float | None]
    delivered_wh: Mapped[float] = mapped_column(default=0.0)
    departs_at: Mapped[datetime]
    need_wh: Mapped[float]
    intent_source: Mapped[str] = mapped_column(String(16))
    intent_basis: Mapped[str | None] = mapped_column(String(200))
    max_charge_w: Mapped[float | None]
    learnt_cap_w: Mapped[float | None]
    is_offline_replay: Mapped[bool] = mapped_column(default=False)


class SessionMessageRow(Base):
    """The business key of a recorded transaction message: recording it again changes nothing."""

    __tablename__ = "session_message"
    __table_args__ = (Index("ix_session_message_ref", "station_id", "station_ref"),)

    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"), primary_key=True)
    business_key: Mapped[str] = mapped_column(String(128), primary_key=True)
    received_at: Mapped[datetime]
    station_ref: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(16))


class MeterValueRow(Base):
    """One sampled value; its primary key is the business key that makes replays harmless."""

    __tablename__ = "meter_value"

    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"), primary_key=True)
    evse_number: Mapped[int] = mapped_column(primary_key=True)
    station_ref: Mapped[str] = mapped_column(String(36), primary_key=True, default="")
    at: Mapped[datetime] = mapped_column(primary_key=True)
    measurand: Mapped[str] = mapped_column(String(64), primary_key=True)
    phase: Mapped[str] = mapped_column(String(8), primary_key=True, default="")
    location: Mapped[str] = mapped_column(String(16), primary_key=True, default="")
    context: Mapped[str] = mapped_column(String(32), primary_key=True, default="")
    value: Mapped[float]
    unit: Mapped[str] = mapped_column(String(16))
    received_at: Mapped[datetime]


async def session_by_ref(session: AsyncSession, station_id: str, station_ref: str) -> SessionRow | None:
    """Return the session that the station knows by this reference."""
    query = select(SessionRow).where(SessionRow.station_id == station_id, SessionRow.station_ref == station_ref)
    return (await session.scalars(query)).one_or_none()


async def session_by_start(session: AsyncSession, station_id: str, start_key: str) -> SessionRow | None:
    """Return the session that a start with this business key created."""
    query = select(SessionRow).where(SessionRow.station_id == station_id, SessionRow.start_key == start_key)
    return (await session.scalars(query)).one_or_none()


async def running_session(session: AsyncSession, evse_id: int) -> SessionRow | None:
    """Return the session that runs at the EVSE."""
    query = select(SessionRow).where(SessionRow.evse_id == evse_id, SessionRow.ended_at.is_(None))
    return (await session.scalars(query)).one_or_none()


async def running_sessions_of_site(session: AsyncSession, site_id: str) -> Sequence[SessionRow]:
    """Return the site's running sessions by evse_id."""
    query = select(SessionRow).where(SessionRow.site_id == site_id, SessionRow.ended_at.is_(None))
    return (await session.scalars(query.order_by(SessionRow.evse_id))).all()


async def replayed_sessions(session: AsyncSession, site_id: str, since_at: datetime) -> set[uuid.UUID]:
    """Return the site's running sessions whose first message came later than `since_at`, from a station's offline time.

    A session without its start is known by the key of the update that told of it, behind a "~".
    """
    is_first = SessionMessageRow.business_key == func.ltrim(SessionRow.start_key, "~")
    query = select(SessionRow.session_id).join(
        SessionMessageRow, and_(SessionMessageRow.station_id == SessionRow.station_id, is_first)
    )
    is_running = and_(SessionRow.site_id == site_id, SessionRow.ended_at.is_(None), SessionRow.is_offline_replay)
    return set(await session.scalars(query.where(is_running, SessionMessageRow.received_at > since_at)))


async def metered_sessions(
    session: AsyncSession, refs: Collection[tuple[str, str]], evse_ids: Collection[int]
) -> Sequence[SessionRow]:
    """Return the sessions known by these (station_id, station_ref), and those that run at these EVSEs."""
    named = select(SessionRow.session_id).where(pair_among((SessionRow.station_id, SessionRow.station_ref), refs))
    running = select(SessionRow.session_id).where(among(SessionRow.evse_id, evse_ids), SessionRow.ended_at.is_(None))
    query = select(SessionRow).where(SessionRow.session_id.in_(union(named, running))).order_by(SessionRow.session_id)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def remember_message(session: AsyncSession, row: SessionMessageRow) -> bool:
    """Keep a message's business key and return whether it is new to us."""
    statement = insert(SessionMessageRow).values(
        station_id=row.station_id,
        business_key=row.business_key,
        received_at=row.received_at,
        station_ref=row.station_ref,
        kind=row.kind,
    )
    is_new = statement.on_conflict_do_nothing().returning(SessionMessageRow.business_key)
    return (await session.scalars(is_new)).first() is not None


async def remember_messages(session: AsyncSession, rows: Sequence[SessionMessageRow]) -> set[tuple[str, str]]:
    """Keep several messages' business keys; return the (station_id, business_key) that are new to us."""
    columns = [(row.station_id, row.business_key, row.received_at, row.station_ref, row.kind) for row in rows]
    names = ("station_id", "business_key", "received_at", "station_ref", "kind")
    values = dict(zip(names, map(list, zip(*sorted(columns), strict=True)), strict=True))
    return {(station_id, key) for station_id, key in await session.execute(INSERT_MESSAGES, values)}


INSERT_MESSAGES = text(
    "INSERT INTO session_message (station_id, business_key, received_at, station_ref, kind) SELECT * FROM unnest("
    "CAST(:station_id AS text[]), CAST(:business_key AS text[]), CAST(:received_at AS timestamptz[]), "
    "CAST(:station_ref AS text[]), CAST(:kind AS text[])) ON CONFLICT DO NOTHING RETURNING station_id, business_key"
)


async def message(session: AsyncSession, station_id: str, business_key: str) -> SessionMessageRow | None:
    """Return the remembered message with this business key."""
    return await session.get(SessionMessageRow, (station_id, business_key))


async def end_message(session: AsyncSession, station_id: str, station_ref: str) -> SessionMessageRow | None:
    """Return the first recorded end of a session with this reference, maybe of one that we never knew."""
    query = select(SessionMessageRow).where(
        SessionMessageRow.station_id == station_id,
        SessionMessageRow.station_ref == station_ref,
        SessionMessageRow.kind == "end",
    )
    return (await session.scalars(query.order_by(SessionMessageRow.received_at).limit(1))).first()


METER_COLUMNS = {
    "station_id": "text",
    "evse_number": "int",
    "station_ref": "text",
    "at": "timestamptz",
    "measurand": "text",
    "phase": "text",
    "location": "text",
    "context": "text",
    "value": "float8",
    "unit": "text",
    "received_at": "timestamptz",
}
INSTANT = "station_id, evse_number, station_ref, at"
INSERT_METER_VALUES = text(
    f"WITH fresh AS (INSERT INTO meter_value ({', '.join(METER_COLUMNS)}) "  # noqa: S608 - our own column names
    f"SELECT * FROM unnest({', '.join(f'CAST(:{name} AS {kind}[])' for name, kind in METER_COLUMNS.items())}) "
    f"ON CONFLICT DO NOTHING RETURNING {INSTANT}) SELECT DISTINCT {INSTANT} FROM fresh"
)


async def insert_meter_values(session: AsyncSession, rows: Collection[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """Insert sampled values in one statement (columns as in METER_COLUMNS); those that are there already stay.

    Returns the instants (station_id, evse_number, station_ref, at) of which any value was new.
    """
    if not rows:
        return set()
    columns = zip(*sorted(set(rows)), strict=True)
    fresh = await session.execute(INSERT_METER_VALUES, dict(zip(METER_COLUMNS, map(list, columns), strict=True)))
    return {tuple(row) for row in fresh}


async def evse_numbers_of(session: AsyncSession, refs: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the EVSE number of each known (station_id, station_ref)."""
    query = (
        select(SessionRow.station_id, SessionRow.station_ref, EvseRow.evse_number)
        .join(EvseRow, EvseRow.evse_id == SessionRow.evse_id)
        .where(pair_among((SessionRow.station_id, SessionRow.station_ref), refs))
    )
    return {(station_id, ref): number for station_id, ref, number in await session.execute(query)}
