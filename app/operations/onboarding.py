"""Onboarding: how far a station was read and set, when that is done again, and what came of it.

The `fingerprint` names what a station was set up as: its make, serial number and firmware, its dialect, and what we
want of it. The same one is not set up twice; what was cut short or went unanswered is tried again after growing pauses,
a bounded number of times.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson

from app.bus.subjects import site_changed, site_limits, station_onboarding, station_orders
from app.domain.capabilities import Capabilities
from app.domain.commands import RateUnit
from app.domain.errors import NotFound
from app.operations import device_model, proofs
from app.operations.hearing import clean
from app.operations.standing import Standing
from app.operations.transaction import Tx
from app.store import device_queries, station_queries
from app.store.device import OnboardingRow
from app.store.station import StationRow

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=4)
MOST_ATTEMPTS_COUNT = 6
LONGEST_REASON_COUNT = 300
NEEDS_REBOOT = "needs a reboot"
WHOLE = "onboarding"
EVSES = "EVSEs"


class State(StrEnum):
    """How far it is. WAITING: not begun; PARTLY: something is unmet; FAILED: the station let nothing be done."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    PARTLY = "partly"
    FAILED = "failed"


class Task(StrEnum):
    """What is to be done at a station now."""

    NOTHING = "nothing"
    SET_UP = "set_up"
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class Due:
    """A task; `names` are the settings to check, `look_at` is when to look again if nobody rings before."""

    task: Task
    names: tuple[str, ...] = ()
    look_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Onboarding:
    """How a station was set up."""

    state: State
    capabilities: dict[str, Any]
    wanted: dict[str, str]
    unmet: dict[str, str]
    attempt_count: int = 0
    retry_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


async def get(tx: Tx, station_id: str) -> Onboarding:
    """Return how the station was set up; raises NotFound for no such station."""
    await _station(tx, station_id)
    row = await tx.session.get(OnboardingRow, station_id, populate_existing=True)
    if row is None:
        return Onboarding(State.WAITING, {}, {}, {})
    return Onboarding(
        state=State(row.state) if row.fingerprint else State.WAITING,
        capabilities=row.capabilities,
        wanted=row.wanted,
        unmet=row.unmet,
        attempt_count=row.attempt_count,
        retry_at=row.retry_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


async def begin_again(tx: Tx, station_id: str) -> Onboarding:
    """Have the station set up anew as soon as it is connected; raises NotFound."""
    await _station(tx, station_id)
    row = await device_queries.locked_onboarding(tx.session, station_id)
    if row is not None:
        row.fingerprint = ""
    tx.ring(station_onboarding(station_id))
    return await get(tx, station_id)


async def due(tx: Tx, station_id: str, dialect: str, wanted: Mapping[str, str]) -> Due:
    """Return what is to be done; a set-up counts as begun. Raises NotFound."""
    station = await _station(tx, station_id)
    row = await device_queries.locked_onboarding(tx.session, station_id)
    fingerprint = fingerprint_of(station, dialect, wanted)
    if row is None or row.fingerprint != fingerprint:
        await device_model.forget(tx, station_id)
        await tx.session.merge(_begun(tx, station_id, fingerprint, wanted, 1))
        return Due(Task.SET_UP)
    if row.retry_at is not None:
        return _again(tx, row)
    names = tuple(name for name, reason in row.unmet.items() if reason == NEEDS_REBOOT)
    has_booted = _has_booted(station.booted_at, row.ended_at)
    return Due(Task.CHECK, names) if names and has_booted else Due(Task.NOTHING)


def _again(tx: Tx, row: OnboardingRow) -> Due:
    """Try again what was cut short or not answered, when its pause is over, until it was tried often enough."""
    if row.retry_at is not None and tx.now < row.retry_at:
        return Due(Task.NOTHING, look_at=row.retry_at)
    if row.attempt_count < MOST_ATTEMPTS_COUNT:
        row.attempt_count += 1
        row.state, row.started_at, row.ended_at = State.RUNNING, tx.now, None
        row.retry_at = tx.now + pause_after(row.attempt_count)
        return Due(Task.SET_UP)
    row.retry_at = None
    if row.state == State.RUNNING:
        row.state, row.ended_at = State.FAILED, tx.now
        row.unmet = {**row.unmet, WHOLE: "the connection was lost each time"}
    return Due(Task.NOTHING)


def _begun(tx: Tx, station_id: str, fingerprint: str, wanted: Mapping[str, str], attempt_count: int) -> OnboardingRow:
    return OnboardingRow(
        station_id=station_id,
        fingerprint=fingerprint,
        state=State.RUNNING,
        capabilities={},
        wanted=dict(wanted),
        unmet={},
        attempt_count=attempt_count,
        retry_at=tx.now + pause_after(attempt_count),
        started_at=tx.now,
        ended_at=None,
    )


async def finish(
    tx: Tx,
    station_id: str,
    capabilities: Capabilities,
    unmet: Mapping[str, str],
    *,
    is_failed: bool = False,
    is_repeated: bool = False,
) -> None:
    """Keep what came of a set-up, and use what the station can. `is_repeated`: another attempt may bring more.

    A station that turns out to have another number of EVSEs than provisioned is reported, nothing is created.
    """
    station = await _station(tx, station_id)
    row = await device_queries.locked_onboarding(tx.session, station_id)
    if row is None:
        return
    found = dict(unmet)
    provisioned_count = len(await station_queries.evses(tx.session, [station_id]))
    if capabilities.evse_count is not None and capabilities.evse_count != provisioned_count:
        found[EVSES] = f"the station says {capabilities.evse_count}, provisioned are {provisioned_count}"
    row.capabilities = clean({**asdict(capabilities), "takes_leases": capabilities.takes_leases})
    row.unmet = {name: _kept(reason) for name, reason in found.items()}
    row.state = State.FAILED if is_failed else State.PARTLY if found else State.DONE
    row.ended_at = tx.now
    row.retry_at = tx.now + pause_after(row.attempt_count) if is_repeated else None
    await _use(tx, station, capabilities)


async def _use(tx: Tx, station: StationRow, capabilities: Capabilities) -> None:
    """Spell limits in what the station takes, and give none above the safe current to one that holds no leases (R6)."""
    unit = capabilities.rate_unit(RateUnit(station.rate_unit))
    if (unit, capabilities.takes_leases) == (station.rate_unit, station.takes_leases):
        return
    await proofs.spell(tx, station, unit)
    station.takes_leases = capabilities.takes_leases
    for subject in (station_orders(station.station_id), site_limits(station.site_id), site_changed(station.site_id)):
        tx.ring(subject)


async def checked(tx: Tx, station_id: str, unmet: Mapping[str, str | None]) -> None:
    """Keep what settings say after the boot that they needed: why they are still unmet, or None."""
    row = await device_queries.locked_onboarding(tx.session, station_id)
    if row is None:
        return
    kept = {name: reason for name, reason in row.unmet.items() if name not in unmet}
    row.unmet = kept | {name: _kept(reason) for name, reason in unmet.items() if reason is not None}
    row.ended_at = tx.now
    if row.state == State.PARTLY and not row.unmet:
        row.state = State.DONE


async def overridden(tx: Tx, station_id: str, name: str, value: str) -> None:
    """Note that an operator has set a setting: it is left alone until the next set-up, and shown."""
    row = await device_queries.locked_onboarding(tx.session, station_id)
    wanted = next((each for each in (row.wanted if row else ()) if each.lower() == name.lower()), None)
    if row is None or wanted is None:
        return
    kept = {each: reason for each, reason in row.unmet.items() if each != wanted}
    is_as_wanted = value.strip().lower() == row.wanted[wanted].lower()
    row.unmet = kept if is_as_wanted else {**kept, wanted: _kept(f"an operator has set it to {value}")}
    if row.state in (State.DONE, State.PARTLY):
        row.state = State.PARTLY if row.unmet else State.DONE


def pause_after(attempt_count: int) -> timedelta:
    """Return how long to wait after so many attempts: 1, 4, 16 minutes … 4 hours."""
    return min(FIRST_PAUSE * (1 << 2 * (attempt_count - 1)), LONGEST_PAUSE)


def is_settled(standing: Standing, dialect: str, wanted: Mapping[str, str]) -> bool:
    """Whether `due` would find nothing to do, now and later."""
    if standing.is_set_up_again or standing.set_up_as != _fingerprint(standing.make, dialect, wanted):
        return False
    return NEEDS_REBOOT not in standing.unmet or not _has_booted(standing.booted_at, standing.ended_at)


def _has_booted(booted_at: datetime | None, ended_at: datetime | None) -> bool:
    return booted_at is not None and ended_at is not None and booted_at > ended_at


def fingerprint_of(station: StationRow, dialect: str, wanted: Mapping[str, str]) -> str:
    """Return what names this station, as it is now, with what is wanted of it now."""
    return _fingerprint((station.vendor, station.model, station.serial, station.firmware), dialect, wanted)


def _fingerprint(make: tuple[str | None, ...], dialect: str, wanted: Mapping[str, str]) -> str:
    return hashlib.sha256(orjson.dumps([[*make, dialect], sorted(wanted.items())])).hexdigest()


def _kept(reason: str) -> str:
    return str(clean(reason))[:LONGEST_REASON_COUNT]


async def _station(tx: Tx, station_id: str) -> StationRow:
    station = await tx.session.get(StationRow, station_id, populate_existing=True)
    if station is None:
        raise NotFound(f"there is no station {station_id}")
    return station
