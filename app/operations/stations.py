"""Stations: what is expected of them, and how they look right now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.bus.subjects import site_changed, site_limits, station_dismissed
from app.domain.errors import Conflict, NotFound
from app.domain.pages import Page, PageAsked
from app.domain.units import power_w
from app.operations import sites
from app.operations.adoption import CERTIFIED, check_serial
from app.operations.transaction import Tx
from app.scheduling.lateness import is_usable
from app.store import station_queries
from app.store.session import SessionRow
from app.store.site import SiteRow
from app.store.station import EvseRow, QuarantineRow, StationRow, StrangerRow, lock_evses


@dataclass(frozen=True, slots=True)
class EvseState:
    """An EVSE as it is now.

    `limit_w` is what may be drawn: the acknowledged lease, else the proven default, None while neither is known.
    `is_controllable` says whether the EVSE can be given more than its safe current (rule R6); one that is known not to
    do what it is told is distrusted since `distrusted_at`, for a reason. `power_w` is the last metered power;
    `session_id` the running session.
    """

    evse_id: int
    evse_number: int
    max_current_a: float
    phase_count: int
    feeder_id: str | None
    wiring: str
    min_current_a: float | None
    is_dc: bool
    nameplate_w: float
    occupancy: str | None
    activity: str | None
    fault: str | None
    status_at: datetime | None
    power_w: float | None
    metered_at: datetime | None
    is_verified: bool
    is_controllable: bool
    distrusted_at: datetime | None
    distrusted_for: str | None
    limit_w: float | None
    session_id: UUID | None


@dataclass(frozen=True, slots=True)
class StationState:
    """A station as it is now; never carries its key."""

    station_id: str
    site_id: str
    security_profile: int
    target_profile: int | None
    expected_serial: str | None
    is_key_pending: bool
    dialect: str | None
    is_online: bool
    is_commissioned: bool
    needs_boot: bool
    vendor: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    booted_at: datetime | None
    connected_at: datetime | None
    last_seen_at: datetime | None
    created_at: datetime
    evses: tuple[EvseState, ...]


async def change(tx: Tx, station_id: str, values: Mapping[str, Any]) -> None:
    """Change what is expected of a station; raises NotFound, Invalid, Conflict.

    A station that is no longer commissioned has to boot again and is told to wait; not while a session runs.
    """
    row = await station_queries.locked_station(tx.session, station_id)
    if row is None:
        raise NotFound(f"there is no station {station_id}")
    if "expected_serial" in values:
        if values["expected_serial"] is None and CERTIFIED in {row.security_profile, row.target_profile}:
            raise Conflict("profile 3 compares the certificate with it", field="expected_serial")
        await check_serial(tx, station_id, values["expected_serial"])
        row.expected_serial = values["expected_serial"]
    is_commissioned = values.get("is_commissioned", row.is_commissioned)
    if is_commissioned != row.is_commissioned:
        if not is_commissioned and (await station_queries.history_of(tx.session, station_id))[0]:
            raise Conflict("a session runs at this station", field="is_commissioned")
        row.is_commissioned = is_commissioned
        row.needs_boot = True
        tx.ring(site_changed(row.site_id))
        if not is_commissioned:
            tx.ring(station_dismissed(station_id))


async def remove(tx: Tx, station_id: str) -> None:
    """Take a station out and hang up on it; raises NotFound, and Conflict while anything refers to it.

    Sessions are energy records and bookings are promises: they need their station, so one that ever charged stays (it
    can be decommissioned). The audit of its commands is kept in any case.
    """
    await lock_evses(tx.session, station_id)
    row = await station_queries.locked_station(tx.session, station_id)
    if row is None:
        raise NotFound(f"there is no station {station_id}")
    is_running, is_needed = await station_queries.history_of(tx.session, station_id)
    if is_running:
        raise Conflict("a session runs at this station")
    if is_needed:
        raise Conflict("sessions or bookings refer to this station; it can be decommissioned instead")
    try:
        async with tx.session.begin_nested():
            await tx.session.delete(row)
    except IntegrityError:
        raise Conflict("something refers to this station since a moment ago; try again") from None
    tx.ring(station_dismissed(station_id))
    tx.ring(site_changed(row.site_id))
    tx.ring(site_limits(row.site_id))


async def get(tx: Tx, station_id: str) -> StationState:
    """Return a station; raises NotFound."""
    row = await station_queries.station(tx.session, station_id)
    if row is None:
        raise NotFound(f"there is no station {station_id}")
    return (await _states(tx, [row]))[0]


async def stations(tx: Tx, site_id: str | None, asked: PageAsked) -> Page[StationState]:
    """Return stations by id, of one site or (None) of all."""
    page = await station_queries.stations(tx.session, site_id, asked)
    return Page(tuple(await _states(tx, page.items)), page.next_cursor)


async def strangers(tx: Tx, asked: PageAsked) -> Page[StrangerRow]:
    """Return identities that knocked and are not provisioned."""
    return await station_queries.strangers(tx.session, asked)


async def quarantine(tx: Tx, station_id: str, asked: PageAsked) -> Page[QuarantineRow]:
    """Return the station's messages that were answered but not believed, newest first; raises NotFound."""
    await get(tx, station_id)
    return await station_queries.quarantine(tx.session, station_id, asked)


async def _states(tx: Tx, rows: Sequence[StationRow]) -> list[StationState]:
    evses = await station_queries.evses(tx.session, [row.station_id for row in rows])
    evse_ids = [evse.evse_id for evse in evses]
    limits_w = await station_queries.limits_in_force(tx.session, evse_ids, tx.now)
    running = await station_queries.running_sessions(tx.session, evse_ids)
    by_site = {site_id: await sites.get(tx, site_id) for site_id in sorted({row.site_id for row in rows})}
    return [
        _state(
            row,
            tuple(
                _evse_state(evse, row, by_site[row.site_id], limits_w.get(evse.evse_id), running.get(evse.evse_id))
                for evse in evses
                if evse.station_id == row.station_id
            ),
        )
        for row in rows
    ]


def _state(row: StationRow, evses: tuple[EvseState, ...]) -> StationState:
    return StationState(
        station_id=row.station_id,
        site_id=row.site_id,
        security_profile=row.security_profile,
        target_profile=row.target_profile,
        expected_serial=row.expected_serial,
        is_key_pending=row.pending_hash is not None,
        dialect=row.dialect,
        is_online=row.connection_id is not None,
        is_commissioned=row.is_commissioned,
        needs_boot=row.needs_boot,
        vendor=row.vendor,
        model=row.model,
        serial=row.serial,
        firmware=row.firmware,
        booted_at=row.booted_at,
        connected_at=row.connected_at,
        last_seen_at=row.last_seen_at,
        created_at=row.created_at,
        evses=evses,
    )


def _evse_state(
    evse: EvseRow, station: StationRow, site: SiteRow, lease_w: float | None, session: SessionRow | None
) -> EvseState:
    safe_w = power_w(min(site.safe_current_a, evse.max_current_a), site.voltage_v, evse.phase_count)
    is_verified = evse.default_verified_at is not None and evse.distrusted_at is None
    return EvseState(
        evse_id=evse.evse_id,
        evse_number=evse.evse_number,
        max_current_a=evse.max_current_a,
        phase_count=evse.phase_count,
        feeder_id=evse.feeder_id,
        wiring=evse.wiring,
        min_current_a=evse.min_current_a,
        is_dc=evse.is_dc,
        nameplate_w=power_w(evse.max_current_a, site.voltage_v, evse.phase_count),
        occupancy=evse.occupancy,
        activity=evse.activity,
        fault=evse.fault,
        status_at=evse.status_at,
        power_w=evse.power_w,
        metered_at=evse.metered_at,
        is_verified=is_verified,
        is_controllable=station.takes_leases and evse.distrusted_at is None and is_usable(station.lease_slack),
        distrusted_at=evse.distrusted_at,
        distrusted_for=evse.distrusted_for,
        limit_w=lease_w if lease_w is not None else safe_w if is_verified else None,
        session_id=None if session is None else session.session_id,
    )
