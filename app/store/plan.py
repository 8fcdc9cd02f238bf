"""Plans, what they want at each EVSE right now, and the limit ledger."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base


class PlanRow(Base):
    """One plan of one site. `body` is the plan, `inputs` the snapshot it was made from, both as JSON text."""

    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("site_id", "revision"),)

    plan_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"))
    revision: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)
    inputs: Mapped[str] = mapped_column(Text)


class DesiredLimitRow(Base):
    """What the newest plan wants at an EVSE right now; the limit loop brings the ledger to it."""

    __tablename__ = "desired_limit"

    evse_id: Mapped[int] = mapped_column(ForeignKey("evse.evse_id", ondelete="CASCADE"), primary_key=True)
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("charging_session.session_id", ondelete="CASCADE"))
    plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("plan.plan_id", ondelete="CASCADE"))
    target_w: Mapped[float]


class LimitRow(Base):
    """The limit ledger: one intent to set one limit, written before its bytes leave (site-limit rule R1).

    `outcome` is None while nothing is known, else accepted, refused, unknown (error, timeout, hang-up) or unsent (never
    handed to a socket, provably). `is_closed` marks entries that can no longer be in force (kept as history).
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
    ends_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    outcome_detail: Mapped[str | None] = mapped_column(String(200))
    outcome_at: Mapped[datetime | None]
    is_closed: Mapped[bool] = mapped_column(default=False)
