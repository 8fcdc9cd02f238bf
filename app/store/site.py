"""Sites, their readings and forecasts."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION, INTERVAL, JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base


class SiteRow(Base):
    """One car park behind one limit; the root of its electrical tree. See `app.domain.snapshot.SiteSpec`.

    `tariff` is what the grid costs and emits by the clock of the site's zone, as given (None: not told).
    `reading_refused_at` is when a reading last came that cannot be meant, `reading_refused_for` what was wrong with it.
    """

    __tablename__ = "site"
    __table_args__ = (
        CheckConstraint("limit_w > 0 AND margin_w >= 0 AND reserve_w >= 0", name="limits"),
        CheckConstraint("margin_w + reserve_w < limit_w", name="room"),
        CheckConstraint("safe_current_a >= 0 AND voltage_v > 0", name="electrical"),
        CheckConstraint("surprised_count >= 0 AND low_voltage_share > 0 AND low_voltage_share <= 1", name="surprises"),
        CheckConstraint("rise_w >= 0 AND demand_target_w > 0", name="targets"),
        CheckConstraint("abs(latitude_deg) <= 90 AND abs(longitude_deg) <= 180 AND pv_peak_w > 0", name="sun"),
        CheckConstraint("miss_cost_ratio >= 0 AND miss_cost_ratio <= 100", name="miss_cost_ratio"),
    )

    site_id: Mapped[str] = mapped_column(String(48), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    zone: Mapped[str] = mapped_column(String(64))
    limit_w: Mapped[float]
    margin_w: Mapped[float] = mapped_column(default=0.0)
    reserve_w: Mapped[float] = mapped_column(default=0.0)
    voltage_v: Mapped[float] = mapped_column(default=200.0)
    safe_current_a: Mapped[float] = mapped_column(default=6.0)
    min_current_a: Mapped[float] = mapped_column(default=6.0)
    default_need_wh: Mapped[float] = mapped_column(default=12_000.0)
    default_stay: Mapped[timedelta] = mapped_column(INTERVAL, default=timedelta(hours=8))
    created_at: Mapped[datetime]
    surprised_count: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    low_voltage_share: Mapped[float] = mapped_column(default=0.9, server_default=text("0.9"))
    rise_w: Mapped[float | None]
    demand_target_w: Mapped[float | None]
    latitude_deg: Mapped[float | None]
    longitude_deg: Mapped[float | None]
    pv_peak_w: Mapped[float | None]
    pv_tilt_deg: Mapped[float | None]
    pv_azimuth_deg: Mapped[float | None]
    reading_refused_at: Mapped[datetime | None]
    reading_refused_for: Mapped[str | None] = mapped_column(String(200))
    miss_cost_ratio: Mapped[float] = mapped_column(default=6.0, server_default=text("6"))
    tariff: Mapped[Any] = mapped_column(JSONB(none_as_null=True), default=None, nullable=True)


class SiteReadingRow(Base):
    """The site meter: what the sun gave and what the building took, as means until `at`.

    `grid_w` is the power drawn from the grid by everything together, cars included (negative: fed in), None where it
    is not measured. `loads` are uncontrolled loads below the site: `{feeder: {"w": …, "L1": A, "L2": A, "L3": A}}`;
    `totals` are what flows through feeders, cars included, in the same way.
    """

    __tablename__ = "site_reading"
    __table_args__ = (CheckConstraint("pv_w >= 0 AND building_w >= 0", name="positive"),)

    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    pv_w: Mapped[float]
    building_w: Mapped[float]
    received_at: Mapped[datetime]
    grid_w: Mapped[float | None]
    loads: Mapped[Any] = mapped_column(JSONB(none_as_null=True), default=None, nullable=True)
    totals: Mapped[Any] = mapped_column(JSONB(none_as_null=True), default=None, nullable=True)


class ForecastRow(Base):
    """One issued forecast: mean PV power and building load on a regular grid from `starts_at` in `step`s.

    `pv_w` is P50; `pv_p10_w` and `pv_p90_w` are None where no band is given, `arrivals_count` (cars a step) where
    nobody counted. `method` is how it was made, by the issuer's own word (`pushed` where it says nothing).
    """

    __tablename__ = "forecast"
    __table_args__ = (
        CheckConstraint("cardinality(pv_w) = cardinality(building_w) AND cardinality(pv_w) > 0", name="same_length"),
        CheckConstraint(
            "cardinality(pv_p10_w) = cardinality(pv_w) AND cardinality(pv_p90_w) = cardinality(pv_w)", name="bands"
        ),
        Index("ix_forecast_newest", "site_id", "issued_at"),
    )

    forecast_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(String(64))
    issued_at: Mapped[datetime]
    received_at: Mapped[datetime]
    starts_at: Mapped[datetime]
    step: Mapped[timedelta] = mapped_column(INTERVAL)
    pv_w: Mapped[list[float]] = mapped_column(ARRAY(DOUBLE_PRECISION))
    building_w: Mapped[list[float]] = mapped_column(ARRAY(DOUBLE_PRECISION))
    method: Mapped[str] = mapped_column(String(32), default="pushed", server_default=text("'pushed'"))
    pv_p10_w: Mapped[list[float] | None] = mapped_column(ARRAY(DOUBLE_PRECISION))
    pv_p90_w: Mapped[list[float] | None] = mapped_column(ARRAY(DOUBLE_PRECISION))
    arrivals_count: Mapped[list[float] | None] = mapped_column(ARRAY(DOUBLE_PRECISION))


class ForecastFeedRow(Base):
    """Where a site's forecasts are fetched from, and how that went; the key is a secret that is never given out.

    `tried_at` and `failures_count` pace the fetching; `problem` is what was wrong the last time, None when all is well.
    """

    __tablename__ = "forecast_feed"

    site_id: Mapped[str] = mapped_column(ForeignKey("site.site_id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    resource: Mapped[str | None] = mapped_column(String(100))
    key: Mapped[str | None] = mapped_column(String(200))
    every: Mapped[timedelta] = mapped_column(INTERVAL)
    changed_at: Mapped[datetime]
    tried_at: Mapped[datetime | None]
    fetched_at: Mapped[datetime | None]
    failures_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    problem: Mapped[str | None] = mapped_column(String(300))


async def lock_site(session: AsyncSession, site_id: str) -> None:
    """Let one transaction at a time plan or allocate the site's power; held until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"power {site_id}", 0))))


async def newest_forecast_row(session: AsyncSession, site_id: str, now: datetime) -> ForecastRow | None:
    """Return the newest forecast that was issued by now; None if there is none."""
    query = select(ForecastRow).where(ForecastRow.site_id == site_id, ForecastRow.issued_at <= now)
    newest_first = query.order_by(ForecastRow.issued_at.desc(), ForecastRow.forecast_id.desc())
    return (await session.scalars(newest_first.limit(1))).first()


async def readings_since(
    session: AsyncSession, site_id: str, since_at: datetime
) -> list[tuple[datetime, float, float]]:
    """Return the site's readings from `since_at` on, oldest first: (at, pv_w, building_w). There may be thousands."""
    query = select(SiteReadingRow.at, SiteReadingRow.pv_w, SiteReadingRow.building_w)
    query = query.where(SiteReadingRow.site_id == site_id, SiteReadingRow.at >= since_at)
    return [(at, pv_w, building_w) for at, pv_w, building_w in await session.execute(query.order_by(SiteReadingRow.at))]
