"""Rows of sites, EVSEs and limits as the values that the pure rooms take."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.commands import RateUnit
from app.domain.errors import NotFound
from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Feeder, Wiring
from app.scheduling.lateness import APPLY_DELAY, is_usable
from app.store.base import among
from app.store.plan import LimitRow
from app.store.site import SiteRow
from app.store.station import EvseRow, StationRow, evses_of_site


def site_spec(row: SiteRow, feeders: Sequence[Feeder] = ()) -> SiteSpec:
    """Return the site's constants, with its electrical tree."""
    return SiteSpec(
        site_id=row.site_id,
        zone=row.zone,
        limit_w=row.limit_w,
        margin_w=row.margin_w,
        reserve_w=row.reserve_w,
        feeders=tuple(feeders),
        surprised_count=row.surprised_count,
        voltage_v=row.voltage_v,
        low_voltage_share=row.low_voltage_share,
        rise_w=row.rise_w,
        demand_target_w=row.demand_target_w,
        miss_cost_ratio=row.miss_cost_ratio,
    )


def evse_spec(evse: EvseRow, station: StationRow, site: SiteRow) -> EvseSpec:
    """Return an EVSE's electrical facts at the site's nominal voltage."""
    w_per_a = site.voltage_v * evse.phase_count
    nameplate_w = evse.max_current_a * w_per_a
    min_current_a = site.min_current_a if evse.min_current_a is None else evse.min_current_a
    return EvseSpec(
        evse_id=evse.evse_id,
        station_id=evse.station_id,
        evse_number=evse.evse_number,
        nameplate_w=nameplate_w,
        min_power_w=min(min_current_a * w_per_a, nameplate_w),
        safe_power_w=min(site.safe_current_a * w_per_a, nameplate_w),
        w_per_a=w_per_a,
        phase_count=evse.phase_count,
        is_verified=evse.default_verified_at is not None and evse.distrusted_at is None,
        is_online=station.connection_id is not None,
        is_controllable=station.takes_leases and evse.distrusted_at is None and is_usable(station.lease_slack),
        verified_at=evse.default_verified_at,
        feeder_id=evse.feeder_id,
        wiring=Wiring(evse.wiring),
        rate_unit=RateUnit(station.rate_unit),
        least_phase_count=evse.phase_count if evse.is_dc else 1,
        lease_slack=APPLY_DELAY if station.lease_slack is None else max(APPLY_DELAY, station.lease_slack),
    )


def entry_of(row: LimitRow) -> LimitEntry:
    """Return an entry of the ledger as a value. One that provably never left counts as refused."""
    return LimitEntry(
        order_no=row.order_no,
        evse_id=row.evse_id,
        power_w=row.power_w,
        intended_at=row.intended_at,
        ends_at=row.ends_at,
        accepted_at=row.outcome_at if row.outcome == "accepted" else None,
        is_refused=row.outcome in {"refused", "unsent"},
        session_id=str(row.session_id),
        lease_ends_at=row.lease_ends_at,
        taken_at=row.taken_at,
        failed_at=row.outcome_at if row.outcome == "unknown" else None,
        refused_at=row.outcome_at if row.outcome == "refused" else None,
        switched_at=row.switched_at,
    )


async def read_site(session: AsyncSession, site_id: str) -> tuple[SiteRow, Sequence[tuple[EvseRow, EvseSpec]]]:
    """Return the site and its EVSEs as rows and values, by evse_id; raises NotFound."""
    site = await session.get(SiteRow, site_id, populate_existing=True)
    if site is None:
        raise NotFound("there is no such site", field="site_id")
    rows = await evses_of_site(session, site_id)
    return site, [(evse, evse_spec(evse, station, site)) for evse, station in rows]


async def places(session: AsyncSession, station_ids: Collection[str]) -> dict[str, tuple[StationRow, SiteRow]]:
    """Return these stations with their sites, as far as they are provisioned."""
    query = select(StationRow, SiteRow).join(SiteRow, SiteRow.site_id == StationRow.site_id)
    query = query.where(among(StationRow.station_id, station_ids)).execution_options(populate_existing=True)
    return {station.station_id: (station, site) for station, site in await session.execute(query)}
