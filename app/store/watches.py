"""What is noted of EVSEs whose metered power does not fit what they were told (see `app.scheduling.obedience`)."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, among
from app.store.plan import LimitRow
from app.store.station import EvseRow, StationRow


class EvseWatchRow(Base):
    """What is noted of one EVSE; most have none. `remedy` is what its station's own task is to do, None: nothing."""

    __tablename__ = "evse_watch"
    __table_args__ = (
        CheckConstraint("ignored IN ('pause', 'resume')", name="ignored"),
        CheckConstraint("remedy IN ('ask', 'stop', 'start')", name="remedy"),
        CheckConstraint("step_count >= 0", name="step_count"),
    )

    evse_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("evse.evse_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    above_at: Mapped[datetime | None]
    steady_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    ignored: Mapped[str | None] = mapped_column(String(8))
    ignored_at: Mapped[datetime | None]
    step_count: Mapped[int] = mapped_column(default=0)
    stepped_at: Mapped[datetime | None]
    restarted_at: Mapped[datetime | None]
    remedy: Mapped[str | None] = mapped_column(String(8))


async def watches_of(session: AsyncSession, site_id: str) -> dict[int, EvseWatchRow]:
    """Return what is noted of a site's EVSEs, by evse_id."""
    query = (
        select(EvseWatchRow)
        .join(EvseRow, EvseRow.evse_id == EvseWatchRow.evse_id)
        .join(StationRow, StationRow.station_id == EvseRow.station_id)
        .where(StationRow.site_id == site_id)
    )
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {row.evse_id: row for row in rows}


async def remedies_of(session: AsyncSession, station_id: str) -> Sequence[tuple[EvseWatchRow, EvseRow]]:
    """Return what the station's own task is to do against what is noted, locked, by EVSE."""
    query = (
        select(EvseWatchRow, EvseRow)
        .join(EvseRow, EvseRow.evse_id == EvseWatchRow.evse_id)
        .where(EvseRow.station_id == station_id, EvseWatchRow.remedy.is_not(None))
        .order_by(EvseRow.evse_number)
        .with_for_update(of=EvseWatchRow)
    )
    rows = await session.execute(query.execution_options(populate_existing=True))
    return [(watch, evse) for watch, evse in rows]


async def forget_watches(session: AsyncSession, evse_ids: Collection[int]) -> None:
    """Note nothing of these EVSEs any longer."""
    if evse_ids:
        await session.execute(delete(EvseWatchRow).where(among(EvseWatchRow.evse_id, evse_ids)))


async def limits_since(session: AsyncSession, evse_ids: Collection[int], since_at: datetime) -> Sequence[LimitRow]:
    """Return all entries of these EVSEs, closed or not, that may have been in force after `since_at`."""
    query = select(LimitRow).where(among(LimitRow.evse_id, evse_ids), LimitRow.ends_at > since_at)
    return (await session.scalars(query.order_by(LimitRow.order_no))).all()
