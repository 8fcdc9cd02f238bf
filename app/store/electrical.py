"""The electrical tree below a site, alarms about it, and who leads a site."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, delete, insert, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.wiring import Feeder, FeederKind
from app.store.base import Base


class FeederRow(Base):
    """One node of a site's tree; see `app.domain.wiring.Feeder`."""

    __tablename__ = "feeder"
    __table_args__ = (
        CheckConstraint("rating_a > 0 AND limit_w > 0", name="ratings"),
        CheckConstraint("margin_a >= 0 AND margin_w >= 0 AND reserve_a >= 0 AND reserve_w >= 0", name="margins"),
        CheckConstraint("rise_a >= 0 AND rise_w >= 0", name="rises"),
    )

    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"), primary_key=True)
    feeder_id: Mapped[str] = mapped_column(String(48), primary_key=True)
    parent_id: Mapped[str | None] = mapped_column(String(48))
    kind: Mapped[str] = mapped_column(String(16))
    rating_a: Mapped[float | None]
    limit_w: Mapped[float | None]
    margin_a: Mapped[float] = mapped_column(default=0.0)
    margin_w: Mapped[float] = mapped_column(default=0.0)
    reserve_a: Mapped[float] = mapped_column(default=0.0)
    reserve_w: Mapped[float] = mapped_column(default=0.0)
    rise_a: Mapped[float | None]
    rise_w: Mapped[float | None]


class AlarmRow(Base):
    """Something that the operator must know of, from `began_at` until it `ended_at` (None: still so).

    `subject` is a feeder, station or EVSE (empty: the site); one alarm of a kind and subject is open at a time.
    """

    __tablename__ = "alarm"
    __table_args__ = (
        Index("uq_alarm_open", "site_id", "kind", "subject", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_alarm_site", "site_id", "alarm_id"),
    )

    alarm_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(100))
    detail: Mapped[Any] = mapped_column(JSONB)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SiteLeaderRow(Base):
    """Which process may write limit intents for a site; a new leader raises `term` (site-limit rule R9)."""

    __tablename__ = "site_leader"

    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"), primary_key=True)
    term: Mapped[int] = mapped_column(BigInteger)
    holder: Mapped[str] = mapped_column(String(64))
    ends_at: Mapped[datetime]


async def feeders_of(session: AsyncSession, site_id: str) -> tuple[Feeder, ...]:
    """Return the site's feeders by id."""
    query = select(FeederRow).where(FeederRow.site_id == site_id).order_by(FeederRow.feeder_id)
    rows = (await session.scalars(query.execution_options(populate_existing=True))).all()
    return tuple(_feeder(row) for row in rows)


def _feeder(row: FeederRow) -> Feeder:
    return Feeder(
        feeder_id=row.feeder_id,
        parent_id=row.parent_id,
        kind=FeederKind(row.kind),
        rating_a=row.rating_a,
        limit_w=row.limit_w,
        margin_a=row.margin_a,
        margin_w=row.margin_w,
        reserve_a=row.reserve_a,
        reserve_w=row.reserve_w,
        rise_a=row.rise_a,
        rise_w=row.rise_w,
    )


async def replace_feeders(session: AsyncSession, site_id: str, feeders: Sequence[Feeder]) -> None:
    """Make these the site's feeders."""
    await session.execute(delete(FeederRow).where(FeederRow.site_id == site_id))
    if feeders:
        rows = [{"site_id": site_id, **asdict(feeder), "kind": feeder.kind.value} for feeder in feeders]
        await session.execute(insert(FeederRow), rows)


async def open_alarms(session: AsyncSession, site_id: str) -> Sequence[AlarmRow]:
    """Return what is wrong at the site now, oldest first."""
    query = select(AlarmRow).where(AlarmRow.site_id == site_id, AlarmRow.ended_at.is_(None))
    return (await session.scalars(query.order_by(AlarmRow.alarm_id))).all()
