"""Proofs of default profiles (rule R8): which are due, what came of them, and for what they were given.

A proof belongs to one station as it is: make, serial number, firmware, and the configuration that its default follows
from. A reconnect and a restart of ours keep it. After a boot it is read again, and an EVSE counts at nameplate until
then; where anything of this has changed, it is a new station.
"""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
from sqlalchemy import select

from app.bus.subjects import site_changed, site_limits
from app.domain.commands import RateUnit
from app.domain.errors import NotFound
from app.domain.snapshot import EvseSpec
from app.operations.transaction import Tx
from app.scheduling.proving import DefaultDue, Proof, Verdict
from app.store.base import stored_text
from app.store.device import OnboardingRow
from app.store.plan import LimitRow, covered_evses, drop_untaken, respell_limits, stretch_leases
from app.store.site import SiteRow, lock_site
from app.store.specs import evse_spec
from app.store.station import EvseRow, StationRow, lock_evses

LONGEST_REASON_COUNT = 200
FORGOTTEN = "its default profile was gone"
BOOTED = "it has booted"
IN_DC_AMPERES = "it takes limits in A only, which at a DC connector says nothing of the current that it draws"


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
    is_told = await _has_told_rate_units(tx, station_id)
    return tuple(
        _due(row, station, evse_spec(row, station, site), is_told=is_told, is_covered=row.evse_id in covered)
        for row in rows
    )


async def _has_told_rate_units(tx: Tx, station_id: str) -> bool:
    """Whether the station has said which units it takes limits in."""
    row = await tx.session.get(OnboardingRow, station_id)
    return row is not None and bool(row.capabilities.get("rate_units"))


def _due(row: EvseRow, station: StationRow, spec: EvseSpec, *, is_told: bool, is_covered: bool) -> DefaultDue:
    return DefaultDue(
        evse_number=row.evse_number,
        safe_power_w=spec.safe_power_w,
        w_per_a=spec.w_per_a,
        phase_count=spec.phase_count,
        rate_unit=spec.rate_unit,
        is_unit_told=is_told,
        is_expected=row.verified_as == made_for(station, spec) and not is_covered,
        is_covered=is_covered,
    )


async def record(tx: Tx, station_id: str, evse_number: int, proof: Proof) -> None:
    """Keep how the proof of an EVSE's default ended; raises NotFound."""
    site, station = await place(tx, station_id)
    if proof.verdict is not Verdict.UNPROVEN:
        await spell(tx, station, proof.rate_unit)
    evse = (await lock_evses(tx.session, station_id)).get(evse_number)
    if evse is None:
        raise NotFound("the station has no such EVSE", field="evse_number")
    if proof.is_forgotten:
        surprise(evse, FORGOTTEN, tx.now)
    if evse.is_dc and proof.rate_unit is RateUnit.A:
        proof = replace(proof, verdict=Verdict.UNPROVEN, reason=IN_DC_AMPERES)
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
    """Keep how much later than meant the station's leases may end (rule R6), also those that run; raises NotFound."""
    _, station = await place(tx, station_id)
    await lock_site(tx.session, station.site_id)  # no cycle closes a lease that it still sees end sooner
    station.lease_slack = slack
    await stretch_leases(tx.session, station_id, slack)
    tx.ring(site_limits(station.site_id))
    tx.ring(site_changed(station.site_id))


async def spell(tx: Tx, station: StationRow, unit: RateUnit) -> None:
    """Spell the station's limits in this unit from now on.

    Where it was another one, defaults are proven anew, what no socket has taken is dropped, and what was sent in W
    counts as it may flow: in the fewest phases at the lowest voltage, which its limits in A are not reckoned with.
    """
    if station.rate_unit == unit:
        return
    await lock_site(tx.session, station.site_id)
    site = await tx.session.get_one(SiteRow, station.site_id)
    station.rate_unit = unit.value
    for evse in (await lock_evses(tx.session, station.station_id)).values():
        unprove(evse)
        await drop_untaken(tx.session, LimitRow.evse_id == evse.evse_id, tx.now)
        if unit is RateUnit.A:
            spec = evse_spec(evse, station, site)
            factor = spec.phase_count / (site.low_voltage_share * spec.least_phase_count)
            await respell_limits(tx.session, evse.evse_id, factor, spec.nameplate_w)
    await tx.session.flush()


async def rate_unit(tx: Tx, station_id: str) -> RateUnit:
    """Return what the station's profiles are spelled in; raises NotFound."""
    _, station = await place(tx, station_id)
    return RateUnit(station.rate_unit)
