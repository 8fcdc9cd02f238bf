"""Charging sessions, the business keys of their messages, and meter values."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base


class SessionRow(Base):
    """One stay of one car at one EVSE. `station_ref` is what the station knows it by.

    `delivered_wh` follows the register (never runs backwards). `departs_at`/`need_wh`/`intent_source` are the intent in
    force; `need_wh` counts from plug-in. `start_key` makes a replayed start find its session again.
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
    max_charge_w: Mapped[float | None]
    is_offline_replay: Mapped[bool] = mapped_column(default=False)


class SessionMessageRow(Base):
    """The business key of a recorded transaction message: recording it again changes nothing. `answer` is what we said."""

    __tablename__ = "session_message"

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
