"""Stations, their EVSEs, strangers that knocked, quarantined messages."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

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
    bindparam,
    delete,
    false,
    func,
    literal,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, UtcDateTime, among, pair_among, stored_text

LONGEST_STRANGERS_COUNT = 1000
LONGEST_QUARANTINE_COUNT = 500


class StationRow(Base):
    """A provisioned station. Its row key is its OCPP identity (case-sensitive, at most 48 characters).

    `key_salt`/`key_hash`: salted SHA-256 of its AuthorizationKey. `connection_id` is the newest socket's id, None when
    offline, `connected_dialect` what the newest socket speaks. `needs_boot` holds until the first BootNotification was
    accepted; a reconnect does not bring it back. `rate_unit` is what its profiles are spelled in; a station that
    `takes_leases` can hold a profile of two periods, others get nothing above their safe current (rule R6).

    `local_list_version` is the version of the list of tokens that it took last (None: we sent none).

    `security_profile` is the lowest that is let in, `target_profile` the one it is being raised to (None: none). The
    `pending_` key is one that was sent to the station and not used by it yet. `expected_serial` is the serial number
    that its certificate has to carry (profile 3). `lease_slack` is how much later than meant its leases were seen to
    end (its clock's offset and the delay of applying), None while it was not measured.
    """

    __tablename__ = "station"
    __table_args__ = (
        CheckConstraint("security_profile BETWEEN 0 AND 3", name="security_profile"),
        CheckConstraint("target_profile BETWEEN 0 AND 3", name="target_profile"),
        CheckConstraint("security_profile IN (0, 3) OR key_hash IS NOT NULL", name="has_key"),
        CheckConstraint("dialect IS NULL OR dialect IN ('ocpp1.6', 'ocpp2.0.1')", name="dialect"),
        CheckConstraint("rate_unit IN ('A', 'W')", name="rate_unit"),
    )

    station_id: Mapped[str] = mapped_column(String(48), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id"), index=True)
    security_profile: Mapped[int] = mapped_column(default=1)
    key_salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    key_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    pending_salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    pending_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    target_profile: Mapped[int | None]
    expected_serial: Mapped[str | None] = mapped_column(String(50))
    dialect: Mapped[str | None] = mapped_column(String(16))
    is_commissioned: Mapped[bool] = mapped_column(default=True)
    needs_boot: Mapped[bool] = mapped_column(default=True)
    rate_unit: Mapped[str] = mapped_column(String(1), default="A")
    takes_leases: Mapped[bool] = mapped_column(default=True, server_default=true())
    lease_slack: Mapped[timedelta | None] = mapped_column(INTERVAL)
    local_list_version: Mapped[int | None]
    vendor: Mapped[str | None] = mapped_column(String(100))
    model: Mapped[str | None] = mapped_column(String(100))
    serial: Mapped[str | None] = mapped_column(String(100))
    firmware: Mapped[str | None] = mapped_column(String(100))
    booted_at: Mapped[datetime | None]
    connection_id: Mapped[str | None] = mapped_column(String(36))
    connected_dialect: Mapped[str | None] = mapped_column(String(16))
    connected_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class EvseRow(Base):
    """One EVSE: electrical facts, what it last reported and whether its default profile is verified.

    `feeder_id` is the site's feeder that it hangs at (None: the site), `wiring` a `Wiring`, `min_current_a` the
    smallest usable current (None: the site's), of a DC connector (`is_dc`) its own. `verified_as` is what the default
    was proven for: serial, firmware and configuration. `installed_at` is since when it has a default that cannot be
    read back (None: not so), and `unproven_for` why it is not verified. `distrusted_at` is since when it is known not
    to do what it is told, and `distrusted_for` why. `surprised_at` is since when it may draw more than was counted
    before, until room is made.
    """

    __tablename__ = "evse"
    __table_args__ = (
        UniqueConstraint("station_id", "evse_number"),
        CheckConstraint("evse_number BETWEEN 1 AND 64", name="number"),
        CheckConstraint("max_current_a > 0 AND phase_count IN (1, 3)", name="electrical"),
    )

    evse_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"))
    evse_number: Mapped[int]
    max_current_a: Mapped[float]
    phase_count: Mapped[int] = mapped_column(default=1)
    occupancy: Mapped[str | None] = mapped_column(String(16))
    activity: Mapped[str | None] = mapped_column(String(20))
    fault: Mapped[str | None] = mapped_column(String(100))
    status_at: Mapped[datetime | None]
    power_w: Mapped[float | None]
    metered_at: Mapped[datetime | None]
    default_verified_at: Mapped[datetime | None]
    feeder_id: Mapped[str | None] = mapped_column(String(48))
    wiring: Mapped[str] = mapped_column(String(16), default="unknown", server_default=text("'unknown'"))
    min_current_a: Mapped[float | None]
    is_dc: Mapped[bool] = mapped_column(default=False, server_default=false())
    verified_as: Mapped[str | None] = mapped_column(String(64))
    distrusted_at: Mapped[datetime | None]
    distrusted_for: Mapped[str | None] = mapped_column(String(200))
    installed_at: Mapped[datetime | None]
    unproven_for: Mapped[str | None] = mapped_column(String(200))
    surprised_at: Mapped[datetime | None]
    surprised_for: Mapped[str | None] = mapped_column(String(200))


class StrangerRow(Base):
    """An unknown identity that tried to connect: listed, bounded, for adoption."""

    __tablename__ = "stranger"

    identity: Mapped[str] = mapped_column(String(48), primary_key=True)
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    attempt_count: Mapped[int] = mapped_column(default=1)
    address: Mapped[str] = mapped_column(String(64))


class QuarantineRow(Base):
    """A message (part) that was answered but not believed, with its reason; bounded per station."""

    __tablename__ = "quarantine"
    __table_args__ = (Index("ix_quarantine_station", "station_id", "received_at"),)

    quarantine_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"))
    received_at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    payload: Mapped[Any] = mapped_column(JSONB)


async def lock_evses(session: AsyncSession, station_id: str) -> dict[int, EvseRow]:
    """Return the station's EVSEs by number, their rows locked against other changes, in one order for everybody."""
    return {row.evse_number: row for row in await _lock(session, EvseRow.station_id == station_id)}


async def lock_evses_at(session: AsyncSession, places: Collection[tuple[str, int]]) -> dict[tuple[str, int], EvseRow]:
    """Return the EVSEs at these (station_id, evse_number) that exist, locked as `lock_evses` does."""
    rows = await _lock(session, pair_among((EvseRow.station_id, EvseRow.evse_number), places))
    return {(row.station_id, row.evse_number): row for row in rows}


async def _lock(session: AsyncSession, which: ColumnElement[bool]) -> Sequence[EvseRow]:
    query = select(EvseRow).where(which).order_by(EvseRow.evse_id)
    query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return (await session.scalars(query)).all()


async def lock_connections(session: AsyncSession, station_ids: Collection[str]) -> dict[str, str | None]:
    """Return the newest connection (None: offline) of those of these stations that exist, locked, in one order."""
    query = select(StationRow.station_id, StationRow.connection_id).where(among(StationRow.station_id, station_ids))
    query = query.order_by(StationRow.station_id).with_for_update(key_share=True)
    return {row.station_id: row.connection_id for row in await session.execute(query)}


WRITE_ARRIVALS = text(
    "UPDATE station SET connection_id = new.connection_id, connected_dialect = new.dialect, connected_at = :now, "
    "last_seen_at = :now FROM unnest(CAST(:station_ids AS text[]), CAST(:connection_ids AS text[]), "
    "CAST(:dialects AS text[])) AS new (station_id, connection_id, dialect) WHERE station.station_id = new.station_id"
).bindparams(bindparam("now", type_=UtcDateTime()))


async def write_connections(
    session: AsyncSession, news: Mapping[str, tuple[str | None, str | None]], now: datetime
) -> None:
    """Write (connection, dialect) of stations, or that they are offline (None)."""
    up = [(station_id, *new) for station_id, new in news.items() if new[0] is not None]
    down = [station_id for station_id, new in news.items() if new[0] is None]
    if up:
        names = ("station_ids", "connection_ids", "dialects")
        columns = dict(zip(names, map(list, zip(*up, strict=True)), strict=True))
        await session.execute(WRITE_ARRIVALS, {**columns, "now": now})
    if down:
        gone = update(StationRow).where(among(StationRow.station_id, down)).values(connection_id=None)
        await session.execute(gone.execution_options(synchronize_session=False))


async def evses_of_site(session: AsyncSession, site_id: str) -> Sequence[tuple[EvseRow, StationRow]]:
    """Return the site's EVSEs with their stations, by evse_id."""
    query = select(EvseRow, StationRow).join(StationRow, StationRow.station_id == EvseRow.station_id)
    rows = await session.execute(query.where(StationRow.site_id == site_id).order_by(EvseRow.evse_id))
    return [(evse, station) for evse, station in rows]


async def note_stranger(session: AsyncSession, identity: str, address: str, now: datetime, count: int = 1) -> None:
    """List an unknown identity that knocked, or count its attempts; beyond 1,000 the longest silent ones go."""
    statement = insert(StrangerRow).values(
        identity=identity, address=stored_text(address, 64), first_seen_at=now, last_seen_at=now, attempt_count=count
    )
    statement = statement.on_conflict_do_update(
        index_elements=[StrangerRow.identity],
        set_={
            "last_seen_at": now,
            "attempt_count": func.least(StrangerRow.attempt_count + count, 1_000_000),
            "address": statement.excluded.address,
        },
    )
    await session.execute(statement)
    newest = select(StrangerRow.identity).order_by(StrangerRow.last_seen_at.desc(), StrangerRow.identity)
    surplus = newest.offset(LONGEST_STRANGERS_COUNT)
    await session.execute(delete(StrangerRow).where(StrangerRow.identity.in_(surplus)))


async def quarantine(
    session: AsyncSession, station_id: str, now: datetime, action: str, reason: str, payload: Any
) -> None:
    """Keep a message (part) that is not believed; the same one again only moves its time.

    The newest 500 of a station stay. `payload` is JSON without NUL characters.
    """
    action, reason = stored_text(action, 64), stored_text(reason, 2000)
    same = (
        update(QuarantineRow)
        .where(QuarantineRow.station_id == station_id, QuarantineRow.action == action)
        .where(QuarantineRow.reason == reason, QuarantineRow.payload == literal(payload, JSONB))
        .values(received_at=now)
        .returning(QuarantineRow.quarantine_id)
    )
    if (await session.scalars(same)).first() is not None:
        return
    row = QuarantineRow(station_id=station_id, received_at=now, action=action, reason=reason, payload=payload)
    session.add(row)
    await session.flush()
    newest = select(QuarantineRow.quarantine_id).where(QuarantineRow.station_id == station_id)
    surplus = newest.order_by(QuarantineRow.quarantine_id.desc()).offset(LONGEST_QUARANTINE_COUNT)
    await session.execute(delete(QuarantineRow).where(QuarantineRow.quarantine_id.in_(surplus)))
