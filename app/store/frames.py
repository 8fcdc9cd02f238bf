"""The raw message log of every station (bounded, secrets redacted), and how often which repair was needed."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base


class FrameRow(Base):
    """One frame as it went over the wire. `direction` is in (from the station) or out.

    No foreign key: the log is written behind the messages, and may outlive its station for a while.
    """

    __tablename__ = "frame"
    __table_args__ = (
        CheckConstraint("direction IN ('in', 'out')", name="direction"),
        Index("ix_frame_station", "station_id", "frame_id"),
    )

    frame_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    station_id: Mapped[str] = mapped_column(String(48))
    at: Mapped[datetime]
    direction: Mapped[str] = mapped_column(String(3))
    kind: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(64))
    message_id: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)


class RepairRow(Base):
    """How often messages of one model and firmware needed a repair or an allowance, since `first_at`."""

    __tablename__ = "repair"

    vendor: Mapped[str] = mapped_column(String(100), primary_key=True)
    model: Mapped[str] = mapped_column(String(100), primary_key=True)
    firmware: Mapped[str] = mapped_column(String(100), primary_key=True)
    repair: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
