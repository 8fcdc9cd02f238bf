"""Stations, their EVSEs, strangers that knocked, quarantined messages."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base


class StationRow(Base):
    """A provisioned station. Its row key is its OCPP identity (case-sensitive, at most 48 characters).

    `key_salt`/`key_hash`: salted SHA-256 of its AuthorizationKey. `connection_id` is the newest socket's id, None when
    offline. `needs_boot` holds until the first BootNotification was accepted; a reconnect does not bring it back.
    `rate_unit` is what its profiles are spelled in.
    """

    __tablename__ = "station"
    __table_args__ = (
        CheckConstraint("security_profile IN (0, 1)", name="security_profile"),
        CheckConstraint("security_profile = 0 OR key_hash IS NOT NULL", name="has_key"),
        CheckConstraint("dialect IS NULL OR dialect IN ('ocpp1.6', 'ocpp2.0.1')", name="dialect"),
        CheckConstraint("rate_unit IN ('A', 'W')", name="rate_unit"),
    )

    station_id: Mapped[str] = mapped_column(String(48), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id"), index=True)
    security_profile: Mapped[int] = mapped_column(default=1)
    key_salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    key_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    dialect: Mapped[str | None] = mapped_column(String(16))
    is_commissioned: Mapped[bool] = mapped_column(default=True)
    needs_boot: Mapped[bool] = mapped_column(default=True)
    rate_unit: Mapped[str] = mapped_column(String(1), default="A")
    vendor: Mapped[str | None] = mapped_column(String(100))
    model: Mapped[str | None] = mapped_column(String(100))
    serial: Mapped[str | None] = mapped_column(String(100))
    firmware: Mapped[str | None] = mapped_column(String(100))
    booted_at: Mapped[datetime | None]
    connection_id: Mapped[str | None] = mapped_column(String(36))
    connected_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class EvseRow(Base):
    """One EVSE: electrical facts, what it last reported and whether its default profile is verified."""

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
