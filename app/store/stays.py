"""What was seen of people's stays, and what was learnt from it."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base


class PastStayRow(Base):
    """A stay that is over (see `app.domain.stays.PastStay`); whose it was goes with the driver."""

    __tablename__ = "past_stay"
    __table_args__ = (
        CheckConstraint("left_at >= arrived_at", name="order"),
        CheckConstraint("asked_wh >= 0 AND taken_wh >= 0", name="energy"),
        Index("ix_past_stay_site", "site_id", "left_at"),
        Index("ix_past_stay_driver", "driver_id"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("charging_session.session_id", ondelete="CASCADE"), primary_key=True
    )
    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"))
    driver_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("driver.driver_id", ondelete="SET NULL"))
    arrived_at: Mapped[datetime]
    left_at: Mapped[datetime]
    declared_at: Mapped[datetime | None]
    asked_wh: Mapped[float | None]
    taken_wh: Mapped[float]


class LearntStaysRow(Base):
    """What was learnt of a site's stays, in the form that `method` reads; made anew from `past_stay` when it is old.

    Every writing has a `learnt_id` of its own. Where somebody was forgotten `body` is empty until it is learnt again.
    """

    __tablename__ = "learnt_stays"

    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"), primary_key=True)
    learnt_id: Mapped[uuid.UUID]
    learnt_at: Mapped[datetime]
    method: Mapped[str] = mapped_column(String(32))
    stays_count: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)
