"""What stations report beside sessions, the jobs they were given, and who commanded what."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base


class StationEventRow(Base):
    """One `StationReported` fact; bounded per station. `kind` is a `ReportKind`, `name` the station's own word."""

    __tablename__ = "station_event"
    __table_args__ = (Index("ix_station_event_kind", "station_id", "kind", "event_id"),)

    event_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    request_id: Mapped[int | None]
    evse_number: Mapped[int | None]
    detail: Mapped[Any] = mapped_column(JSONB)


class StationJobRow(Base):
    """Something a station was asked to do that takes a while. `request_id` is what the station knows it by.

    `kind` is log, firmware, report, profiles, monitors or customer_information; `status` is `sent` until the station
    answers, then its own word for the progress; `ended_at` is set once it says that it is done or has failed.
    """

    __tablename__ = "station_job"
    __table_args__ = (
        CheckConstraint("request_id BETWEEN 1 AND 2147483647", name="request_id"),
        Index("ix_station_job_station", "station_id", "kind", "request_id"),
    )

    request_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(50))
    detail: Mapped[Any] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class CommandRow(Base):
    """The audit of commands: who asked which station for what, and how it ended. Secrets are left out of `payload`.

    `outcome` is None while nothing is known, else accepted, rejected, unsupported, refused (by the gate), or the code
    of the error.
    """

    __tablename__ = "station_command"
    __table_args__ = (Index("ix_station_command_station", "station_id", "command_id"),)

    command_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    station_id: Mapped[str] = mapped_column(String(48))
    asked_at: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(64))
    is_raw: Mapped[bool]
    payload: Mapped[Any] = mapped_column(JSONB)
    outcome: Mapped[str | None] = mapped_column(String(32))
    answer: Mapped[Any | None] = mapped_column(JSONB)
    ended_at: Mapped[datetime | None]


class ReservationRow(Base):
    """A reservation at a station (OCPP 1.6 §5.13, 2.0.1 H01). `evse_number` 0: any EVSE.

    `state` is asked, accepted, refused, cancelled, used, expired or removed.
    """

    __tablename__ = "station_reservation"
    __table_args__ = (Index("ix_station_reservation_station", "station_id", "reservation_id"),)

    reservation_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"))
    evse_number: Mapped[int]
    token: Mapped[str] = mapped_column(String(36))
    expires_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
