"""Drivers, their tokens and vehicles, their bookings, and the API's access tokens."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import column, func, literal_column, text

from app.store.base import Base


class DriverRow(Base):
    """An employee who charges.

    `is_learnt_from` is whether stays are kept as this driver's; those that ended before `habits_since_at` (None: none)
    are forgotten and not taken in again.
    """

    __tablename__ = "driver"

    driver_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    is_learnt_from: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    habits_since_at: Mapped[datetime | None]


class TokenRow(Base):
    """What a driver presents at a station (RFID UID and the like), compared case-insensitively (OCPP 1.6 CiString)."""

    __tablename__ = "token"
    __table_args__ = (Index("uq_token_upper", text("upper(token)"), unique=True),)

    token: Mapped[str] = mapped_column(String(255), primary_key=True)
    driver_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("driver.driver_id", ondelete="CASCADE"), index=True)
    is_blocked: Mapped[bool] = mapped_column(default=False)
    expires_at: Mapped[datetime | None]


class VehicleRow(Base):
    """A car: what range in km costs in energy, and how fast it can charge on AC."""

    __tablename__ = "vehicle"
    __table_args__ = (
        CheckConstraint("battery_wh > 0 AND consumption_wh_per_km > 0", name="positive"),
        CheckConstraint("max_charge_w IS NULL OR max_charge_w > 0", name="max_charge"),
    )

    vehicle_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    driver_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("driver.driver_id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    battery_wh: Mapped[float]
    consumption_wh_per_km: Mapped[float]
    max_charge_w: Mapped[float | None]


class BookingRow(Base):
    """A reserved stay at an EVSE. `is_pinned` means that the driver chose the EVSE; else it may be reassigned.

    Overlapping live bookings of one EVSE are impossible in the database.
    """

    __tablename__ = "booking"
    __table_args__ = (
        ExcludeConstraint(
            (func.int8range(column("evse_id"), column("evse_id"), literal_column("'[]'")), "&&"),
            (column("period"), "&&"),
            name="ex_booking_overlap",
            using="gist",
            where=text("state IN ('booked', 'arrived')"),
        ),
        CheckConstraint("state IN ('booked', 'arrived', 'done', 'missed', 'cancelled')", name="state"),
        CheckConstraint("need_wh > 0", name="need"),
        CheckConstraint("NOT isempty(period)", name="period"),
        Index("ix_booking_driver", "driver_id"),
        Index("ix_booking_site", "site_id"),
    )

    booking_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id"))
    evse_id: Mapped[int] = mapped_column(ForeignKey("evse.evse_id"))
    is_pinned: Mapped[bool]
    driver_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("driver.driver_id", ondelete="CASCADE"))
    vehicle_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("vehicle.vehicle_id", ondelete="SET NULL"))
    period: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    need_wh: Mapped[float]
    state: Mapped[str] = mapped_column(String(16), default="booked")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class ApiTokenRow(Base):
    """A bearer token of the API; only its SHA-256 is stored (the token is 256 random bits)."""

    __tablename__ = "api_token"
    __table_args__ = (
        CheckConstraint("role IN ('driver', 'operator', 'grid', 'station_admin')", name="role"),
        CheckConstraint("(role = 'driver') = (driver_id IS NOT NULL)", name="driver"),
    )

    token_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))
    driver_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("driver.driver_id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class IdempotencyRow(Base):
    """The answer given to an Idempotency-Key, per caller: the same request again gets the same answer."""

    __tablename__ = "idempotency"

    token_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("api_token.token_id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
