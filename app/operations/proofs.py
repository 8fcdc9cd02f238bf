"""Proofs of default profiles (rule R8): which are due, what came of them, and for what they were given.

A proof belongs to one station as it is: make, serial number, firmware, and the configuration that its default follows
from. A reconnect and a restart of ours keep it. After a boot it is read again, and an EVSE counts at nameplate until
then; where anything of this has changed, it is a new station.
"""

import hashlib
from datetime import datetime, timedelta

import orjson
from sqlalchemy import select

from app.bus.subjects import site_changed, site_limits
from app.domain.commands import RateUnit
from app.domain.errors import NotFound
from app.domain.snapshot import EvseSpec
from app.operations import onboarding
from app.operations.transaction import Tx
from app.scheduling.proving import DefaultDue, Proof, Verdict
from app.store.base import stored_text
from app.store.plan import covered_evses
from app.store.site import SiteRow
from app.store.specs import evse_spec
from app.store.station import EvseRow, StationRow, lock_evses

LONGEST_REASON_COUNT = 200
FORGOTTEN = "its default profile was gone"
BOOTED = "it has booted"


async def place(tx: Tx, station_id: str) -> tuple[SiteRow, StationRow]:
    """Return the station's site and the station; raises NotFound."""
    station = await tx.session.get(StationRow, station_id)
    if station is None:
        raise NotFound("there is no such station", field="station_id")
    site = await tx.session.get_one(SiteRow, station.site_id)
    tx.keep(site, station)
    return site, station


async def due(tx: Tx, station_id: str) -> tuple[DefaultDue, ...]:
    """Return the station's EVSEs whose default profile is not proven, by number; raises NotFound."""
    site, station = await place(tx, station_id)
    query = select(EvseRow).where(EvseRow.station_id == station_id, EvseRow.default_verified_at.is_(None))
    rows = (await tx.session.scalars(query.order_by(EvseRow.evse_number))).all()
    if not rows:
        return ()
    covered = await covered_evses(tx.session, [row.evse_id for row in rows], tx.now)
    is_told = await onboarding.has_told_rate_units(tx, station_id)
    return tuple(
        _due(row, station, evse_spec(row, station, site), is_told=is_told, is_covered=row.evse_id in covered)
        for row in rows
    )


def _due(row: EvseRow, station: StationRow, spec: EvseSpec, *, is_told: bool, is_covered: bool) -> DefaultDue:
    return DefaultDue(
        evse_number=row.evse_number,
        safe_power_w=spec.safe_power_w,
        w_per_a=spec.w_per_a,
        phase_count=spec.phase_count,
        rate_unit=spec.rate_unit,
        is_unit_told=is_told,
        is_expected=row.verified_as == made_for(station, spec) and not is_covered,
    )


async def record(tx: Tx, station_id: str, evse_number: int, proof: Proof) -> None:
    """Keep how the proof of an EVSE's default ended; raises NotFound."""
    site, station = await place(tx, station_id)
    evse = (await lock_evses(tx.session, station_id)).get(evse_number)
    if evse is None:
        raise NotFound("the station has no such EVSE", field="evse_number")
    if proof.verdict is not Verdict.UNPROVEN:
        station.rate_unit = proof.rate_unit
    if proof.is_forgotten:
        surprise(evse, FORGOTTEN, tx.now)
    is_proven = proof.verdict is Verdict.PROVEN
    evse.default_verified_at = tx.now if is_proven else None
    evse.installed_at = (evse.installed_at or tx.now) if proof.verdict is Verdict.INSTALLED else None
    evse.unproven_for = None if is_proven else stored_text(proof.reason, LONGEST_REASON_COUNT)
    if is_proven:
        evse.verified_as = made_for(station, evse_spec(evse, station, site))
    elif proof.is_forgotten:
        evse.verified_as = None
    tx.ring(site_limits(station.site_id))
    tx.ring(site_changed(station.site_id))


async def shown(tx: Tx, evse: EvseRow) -> None:
    """Metered power has shown that a default that cannot be read back holds."""
    site, station = await place(tx, evse.station_id)
    evse.default_verified_at, evse.installed_at, evse.unproven_for = tx.now, None, None
    evse.verified_as = made_for(station, evse_spec(evse, station, site))


def unprove(evse: EvseRow) -> None:
    """Count the EVSE at nameplate until its default is proven again."""
    evse.default_verified_at = evse.installed_at = evse.unproven_for = None


def booted(evse: EvseRow, now: datetime, *, is_new: bool) -> None:
    """A (re)started station may hold other profiles than before; one `is_new` that was changed is not distrusted."""
    if evse.default_verified_at is not None:
        surprise(evse, BOOTED, now)
    if is_new:
        evse.distrusted_at = evse.distrusted_for = evse.verified_as = None
    unprove(evse)


def surprise(evse: EvseRow, reason: str, now: datetime) -> None:
    """Note that the EVSE may draw more than was counted so far, until the limit loop has made room for it."""
    if evse.surprised_at is None:
        evse.surprised_at, evse.surprised_for = now, stored_text(reason, LONGEST_REASON_COUNT)


def make_of(station: StationRow) -> tuple[str | None, ...]:
    """Return what a station says it is."""
    return (station.vendor, station.model, station.serial, station.firmware)


def made_for(station: StationRow, spec: EvseSpec) -> str:
    """Return what a proof of this EVSE's default is good for: its make and all that the default follows from."""
    shape = [spec.safe_power_w, spec.nameplate_w, spec.w_per_a, spec.phase_count, spec.rate_unit, spec.wiring]
    return hashlib.sha256(orjson.dumps([*make_of(station), spec.evse_number, *shape])).hexdigest()


async def note_slack(tx: Tx, station_id: str, slack: timedelta) -> None:
    """Keep how much later than meant the station's leases may end (rule R6); raises NotFound."""
    _, station = await place(tx, station_id)
    station.lease_slack = slack
    tx.ring(site_limits(station.site_id))
    tx.ring(site_changed(station.site_id))


async def rate_unit(tx: Tx, station_id: str) -> RateUnit:
    """Return what the station's profiles are spelled in; raises NotFound."""
    _, station = await place(tx, station_id)
    return RateUnit(station.rate_unit)
