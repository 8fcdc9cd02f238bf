"""Whether EVSEs do what they were told: judged in the limit loop's cycle, with what follows for the ledger and people.

One query per cycle (what is noted; a second one only while somebody draws too much). An EVSE above everything that may
be in force counts at nameplate at once, so that the others come down; with the next such value it is distrusted, until
an operator trusts it again or metered power has shown that its default holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select

from app.bus.subjects import site_changed, site_limits, station_orders
from app.domain.commands import Command, StartSession, StopSession, Trigger
from app.domain.errors import Invalid, NotFound
from app.domain.facts import Activity, Occupancy
from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.units import kw_from_w
from app.operations import alarms, proofs
from app.operations.numbers import remote_start_id
from app.operations.proofs import BOOTED
from app.operations.transaction import Tx
from app.scheduling import obedience
from app.scheduling.lateness import is_usable
from app.scheduling.ledger import possible_w
from app.scheduling.obedience import BLANK, Ignored, Judgement, Sight, Step, Watch
from app.scheduling.orders import ledger_of
from app.store import station_queries, watches
from app.store.session import SessionRow
from app.store.specs import entry_of
from app.store.station import EvseRow, StationRow, lock_evses
from app.store.watches import EvseWatchRow

log = structlog.get_logger()

KINDS = ("unproven", "uncontrollable", "disobeys", "ignores", "surprised")
JUST_BOOTED = timedelta(minutes=2)
START_WITHIN = timedelta(minutes=10)
NEVER_CAME = "it has never connected"
ASK = "ask"
REMEDIES = {Step.STOP: "stop", Step.START: "start"}


@dataclass(frozen=True, slots=True)
class Watched:
    """What the cycle goes on with: EVSEs that draw too much count as unproven, and what was judged of whom."""

    evses: tuple[EvseSpec, ...]
    judgements: Mapping[int, Judgement]


async def watch(
    tx: Tx, site: SiteSpec, pairs: Sequence[tuple[EvseRow, EvseSpec]], entries: Sequence[LimitEntry]
) -> Watched:
    """Judge the site's EVSEs by their newest metered power; call with the site locked."""
    noted = await watches.watches_of(tx.session, site.site_id)
    by_evse: dict[int, list[LimitEntry]] = {}
    for entry in entries:
        by_evse.setdefault(entry.evse_id, []).append(entry)
    sights: dict[int, Sight] = {}
    for row, spec in pairs:
        seen = _sight(row, spec, by_evse.get(row.evse_id, []), tx.now)
        if row.evse_id in noted or obedience.is_notable(seen):
            sights[row.evse_id] = replace(seen, possible_w=_possible_w(seen, by_evse.get(row.evse_id, []), tx, site))
    await _look_back(tx, site, sights)
    judgements: dict[int, Judgement] = {}
    for row, _ in pairs:
        if (sight := sights.get(row.evse_id)) is not None:
            note = noted.get(row.evse_id)
            judged = judgements[row.evse_id] = obedience.judge(sight, _watch_of(note), tx.now)
            is_new = judged.is_above and (note is None or note.above_at is None)
            await _conclude(tx, site, row, sight, judged, is_new_above=is_new)
            _note(tx, row, judged, note)
    doubted = {evse_id for evse_id, judged in judgements.items() if judged.is_above}
    specs = tuple(replace(spec, is_verified=False) if spec.evse_id in doubted else spec for _, spec in pairs)
    return Watched(specs, judgements)


async def doubted(tx: Tx, site_id: str, evses: Sequence[EvseSpec]) -> list[EvseSpec]:
    """Return a site's EVSEs as the limit loop's last cycle counted them: those that drew too much as unproven."""
    noted = await watches.watches_of(tx.session, site_id)
    above = {evse_id for evse_id, note in noted.items() if note.above_at is not None}
    return [replace(spec, is_verified=False) if spec.evse_id in above else spec for spec in evses]


def _sight(row: EvseRow, spec: EvseSpec, entries: Sequence[LimitEntry], now: datetime) -> Sight:
    """Return an EVSE as it is seen; what may be in force is not reckoned yet."""
    accepted = [entry for entry in entries if entry.accepted_at is not None]
    newest = max(accepted, key=lambda entry: entry.order_no, default=None)
    return Sight(
        evse=spec,
        possible_w=spec.safe_power_w,
        power_w=row.power_w,
        metered_at=row.metered_at,
        told=newest if newest is not None and newest.is_in_force_at(now) else None,
        is_car_pausing=row.activity == Activity.PAUSED_BY_EV,
        is_installed=row.installed_at is not None and row.default_verified_at is None,
        is_covered=bool(entries),
        distrusted_at=row.distrusted_at,
    )


def _possible_w(seen: Sight, entries: Sequence[LimitEntry], tx: Tx, site: SiteSpec) -> float:
    """Return what may have been in force when the value was metered; what was sent since only adds to it."""
    at = (seen.metered_at or tx.now) - obedience.LAG
    return possible_w(ledger_of(seen.evse, entries, at, site.settle), at, site.settle)


async def _look_back(tx: Tx, site: SiteSpec, sights: dict[int, Sight]) -> None:
    """Add to those that seem to draw too much what may have been in force and is closed by now."""
    suspects = [evse_id for evse_id, seen in sights.items() if obedience.is_too_high(seen)]
    if not suspects:
        return
    since_at = tx.now - obedience.FRESH - site.settle - obedience.LAG
    rows = await watches.limits_since(tx.session, suspects, since_at)
    for evse_id in suspects:
        entries = [entry_of(row) for row in rows if row.evse_id == evse_id]
        then_w = _possible_w(sights[evse_id], entries, tx, site)
        sights[evse_id] = replace(sights[evse_id], possible_w=max(sights[evse_id].possible_w, then_w))


async def _conclude(
    tx: Tx, site: SiteSpec, row: EvseRow, seen: Sight, judged: Judgement, *, is_new_above: bool
) -> None:
    """Draw what follows from a judgement for the EVSE: it is distrusted, or its default was shown to hold.

    Only the first value above everything is a surprise: from then on the EVSE counts at nameplate.
    """
    if is_new_above and row.distrusted_at is None:
        proofs.surprise(row, _excess(seen), tx.now)
    if not judged.is_shown and (not judged.is_disobeying or row.distrusted_at is not None):
        return
    locked = await tx.session.get_one(EvseRow, row.evse_id, with_for_update={"key_share": True}, populate_existing=True)
    if judged.is_disobeying:
        locked.distrusted_at, locked.distrusted_for = tx.now, _excess(seen)
    elif locked.distrusted_at is not None:
        await _trust_again(tx, locked)
    elif locked.installed_at is not None:
        await proofs.shown(tx, locked)
    tx.ring(site_changed(site.site_id))
    tx.ring(site_limits(site.site_id))


async def _trust_again(tx: Tx, evse: EvseRow) -> None:
    """Have the EVSE's default proven again; until then it counts at nameplate."""
    evse.distrusted_at = evse.distrusted_for = None
    evse.default_verified_at = evse.installed_at = None
    await tx.session.flush()
    tx.ring(station_orders(evse.station_id))


def _excess(seen: Sight) -> str:
    drawn_kw, possible_kw = kw_from_w(seen.power_w or 0.0), kw_from_w(seen.possible_w)
    return f"it drew {drawn_kw} kW where at most {possible_kw} kW may be in force"


def _watch_of(row: EvseWatchRow | None) -> Watch:
    if row is None:
        return BLANK
    return Watch(
        above_at=row.above_at,
        steady_at=row.steady_at,
        paused_at=row.paused_at,
        ignored=None if row.ignored is None else Ignored(row.ignored),
        ignored_at=row.ignored_at,
        step_count=row.step_count,
        stepped_at=row.stepped_at,
        restarted_at=row.restarted_at,
    )


def _note(tx: Tx, evse: EvseRow, judged: Judgement, row: EvseWatchRow | None) -> None:
    """Keep what is noted of an EVSE, and have its station's task do what is to be done there."""
    if row is None:
        if judged.watch == BLANK:
            return
        row = EvseWatchRow(evse_id=evse.evse_id)
        tx.session.add(row)
    is_new_above = judged.is_above and row.above_at is None
    for each in fields(Watch):
        setattr(row, each.name, getattr(judged.watch, each.name))
    remedy = ASK if is_new_above else None if judged.step is None else REMEDIES.get(judged.step)
    if remedy is not None:
        row.remedy = remedy
        tx.ring(station_orders(evse.station_id))
    if judged.step is not None:
        log.warning("remedy", station_id=evse.station_id, evse_number=evse.evse_number, step=judged.step)


async def remedies(tx: Tx, station_id: str) -> tuple[Command, ...]:
    """Take what the station's own task is to do against what is noted; each is done once, whatever comes of it."""
    commands: list[Command] = []
    for note, evse in await watches.remedies_of(tx.session, station_id):
        remedy, note.remedy = note.remedy, None
        query = select(SessionRow).where(SessionRow.evse_id == evse.evse_id).order_by(SessionRow.started_at.desc())
        charging = await tx.session.scalar(query.limit(1))
        if remedy == ASK:
            commands.append(Trigger("meter_values", evse.evse_number))
        elif charging is not None and remedy == REMEDIES[Step.STOP] and charging.ended_at is None:
            commands.append(StopSession(charging.station_ref))
        elif charging is not None and charging.token is not None and _is_startable(charging, tx.now):
            commands.append(StartSession(evse.evse_number, charging.token, remote_start_id()))
    return tuple(commands)


def _is_startable(charging: SessionRow, now: datetime) -> bool:
    return charging.ended_at is not None and charging.ended_at > now - START_WITHIN


async def tell(
    tx: Tx,
    site: SiteSpec,
    pairs: Sequence[tuple[EvseRow, EvseSpec]],
    watched: Watched,
    *,
    is_contained: bool,
) -> None:
    """Tell people which EVSEs are unproven, cannot be controlled, disobey, or surprise us; call with the site locked.

    `is_contained` is whether INV-1 holds, whatever has surprised us: a surprise lasts until then.
    """
    told: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
    steerless = await _steerless(tx, pairs)
    for row, spec in pairs:
        subject = f"{row.station_id}/{row.evse_number}"
        if row.distrusted_at is not None:
            told["disobeys"][subject] = {"reason": row.distrusted_for}
        elif why := _why_unproven(row, steerless.get(row.station_id), tx.now):
            told["unproven"][subject] = {"reason": why}
        if not spec.is_controllable and row.distrusted_at is None:
            station = steerless[row.station_id]
            if _has_come(station) and not is_steerable(station) and not _is_only_new(station, row):
                told["uncontrollable"][subject] = {"reason": why_steerless(station)}
        judged = watched.judgements.get(row.evse_id)
        if judged is not None and judged.watch.ignored is not None:
            told["ignores"][subject] = {"ignores": judged.watch.ignored, "step": judged.watch.step}
    surprised = {f"{row.station_id}/{row.evse_number}": row for row, _ in pairs if row.surprised_at is not None}
    told["surprised"] = {
        subject: _surprise(row, tx.now, is_contained=is_contained)
        for subject, row in surprised.items()
        if not (is_contained and row.surprised_for == BOOTED)
    }
    await alarms.tell_all(tx, site.site_id, told)
    if is_contained and surprised:
        for row in surprised.values():
            row.surprised_at = row.surprised_for = None
        await alarms.tell(tx, site.site_id, "surprised", {})


def _surprise(row: EvseRow, now: datetime, *, is_contained: bool) -> dict[str, Any]:
    noticed_at = row.surprised_at or now
    contained_s = (now - noticed_at).total_seconds() if is_contained else None
    return {"reason": row.surprised_for, "noticed_at": noticed_at.isoformat(), "contained_s": contained_s}


async def _steerless(tx: Tx, pairs: Sequence[tuple[EvseRow, EvseSpec]]) -> dict[str, StationRow]:
    """Return the stations of EVSEs that are unproven or cannot be controlled: those who know why."""
    odd = {row.station_id for row, spec in pairs if not (spec.is_verified and spec.is_controllable)}
    return await station_queries.stations_among(tx.session, odd)


def _has_come(station: StationRow) -> bool:
    """Whether the station was ever connected: before that nobody can know what it is able to do."""
    return station.connection_id is not None or station.last_seen_at is not None


def _is_only_new(station: StationRow, evse: EvseRow) -> bool:
    """Whether just nothing with a time was heard of the station yet, and no car waits for it."""
    return station.takes_leases and station.lease_slack is None and evse.occupancy == Occupancy.FREE


def is_steerable(station: StationRow) -> bool:
    """Whether the station itself can be controlled (rule R6), whatever its EVSEs do."""
    return station.takes_leases and is_usable(station.lease_slack)


def why_steerless(station: StationRow) -> str:
    """Say why a station cannot be controlled (rule R6), where it is not for what its EVSEs do."""
    if not _has_come(station):
        return NEVER_CAME
    if not station.takes_leases:
        return "it cannot hold a limit that ends by itself"
    return "its clock is unknown" if station.lease_slack is None else "its clock is too far off"


def _why_unproven(row: EvseRow, station: StationRow | None, now: datetime) -> str:
    """Say why an EVSE counts at nameplate; empty: it does not, or its proof is only just under way."""
    if row.default_verified_at is not None or station is None:
        return ""
    if row.unproven_for is not None:
        return f"{row.unproven_for}; metered power has to show it" if row.installed_at is not None else row.unproven_for
    if not _has_come(station):
        return NEVER_CAME
    is_under_way = station.booted_at is not None and now - station.booted_at < JUST_BOOTED
    return "" if is_under_way else "its default profile was not read back yet"


async def trust(tx: Tx, station_id: str, evse_number: int | None) -> None:
    """Trust EVSEs (None: all) of a station again: their defaults are proven anew, until then they count at nameplate.

    Raises NotFound, and Invalid where there is no such EVSE.
    """
    station = await station_queries.station(tx.session, station_id)
    if station is None:
        raise NotFound(f"there is no station {station_id}")
    evses = await lock_evses(tx.session, station_id)
    if evse_number is not None and evse_number not in evses:
        raise Invalid("the station has no such EVSE", field="evse_number")
    touched = [evse for number, evse in evses.items() if evse_number in (None, number)]
    for evse in touched:
        await _trust_again(tx, evse)
    await watches.forget_watches(tx.session, [evse.evse_id for evse in touched])
    tx.ring(site_changed(station.site_id))
    tx.ring(site_limits(station.site_id))
