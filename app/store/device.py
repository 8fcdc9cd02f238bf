"""What stations are made of (their variables), how far they were set up, and their certificate requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Identity, Index, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base


class VariableRow(Base):
    """One attribute of one variable of a station (`app.domain.device.Variable`); 0 stands for "the whole station"."""

    __tablename__ = "station_variable"

    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"), primary_key=True)
    component: Mapped[str] = mapped_column(String(50), primary_key=True)
    component_instance: Mapped[str] = mapped_column(String(50), primary_key=True)
    evse_number: Mapped[int] = mapped_column(primary_key=True)
    connector_number: Mapped[int] = mapped_column(primary_key=True)
    variable: Mapped[str] = mapped_column(String(50), primary_key=True)
    variable_instance: Mapped[str] = mapped_column(String(50), primary_key=True)
    attribute: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[str | None] = mapped_column(String(2500))
    is_writable: Mapped[bool] = mapped_column(Boolean)
    unit: Mapped[str] = mapped_column(String(16))
    values: Mapped[str] = mapped_column(String(1000))
    reported_at: Mapped[datetime]


class OnboardingRow(Base):
    """How a station was set up. `fingerprint` names what it was set up as: the same one is not set up again.

    `capabilities` is what it said it can do, `wanted` what was to be set (name → value), `unmet` what could not be
    (name → why). `state` is running, done, partly or failed. `retry_at` is when it is tried again (None: not of
    itself), after `attempt_count` attempts.
    """

    __tablename__ = "station_onboarding"
    __table_args__ = (CheckConstraint("state IN ('running', 'done', 'partly', 'failed')", name="state"),)

    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    capabilities: Mapped[Any] = mapped_column(JSONB)
    wanted: Mapped[Any] = mapped_column(JSONB)
    unmet: Mapped[Any] = mapped_column(JSONB)
    attempt_count: Mapped[int]
    retry_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class CertificateRow(Base):
    """A certificate that a station asked for. `state` is asked, signed, delivered, refused or failed.

    `attempt_count` tells how often it was sent to the station.
    """

    __tablename__ = "station_certificate"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'signed', 'delivered', 'refused', 'failed')", name="state"),
        Index("ix_station_certificate_station", "station_id", "certificate_id"),
    )

    certificate_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("station.station_id", ondelete="CASCADE"))
    use: Mapped[str] = mapped_column(String(16))
    csr: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(200))
    chain: Mapped[str | None] = mapped_column(Text)
    serial_number: Mapped[str | None] = mapped_column(String(64))
    expires_at: Mapped[datetime | None]
    attempt_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    asked_at: Mapped[datetime]
    changed_at: Mapped[datetime]
