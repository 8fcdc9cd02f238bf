"""Meter values of many stations in one transaction: every value once, sessions' energy and EVSEs' power from them.

What OCPP 2.0.1 stations say beside their values, that the session goes on (`SessionUpdated`), is recorded along.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from sqlalchemy import or_, update

from app.bus.subjects import site_changed, site_limits
from app.domain.facts import Fact, Metered, SessionUpdated
from app.domain.session import THOUSANDTH, SessionState, advance, is_a_thousandth
from app.domain.snapshot import EvseSpec
from app.operations import stays
from app.operations.hearing import Hearing, payload_of
from app.operations.session_facts import state_of, write_state
from app.operations.transaction import Tx
from app.store.base import among, stored_key, stored_text
from app.store.session import (
    SessionMessageRow,
    SessionRow,
    evse_numbers_of,
    insert_meter_values,
    metered_sessions,
    remember_messages,
)
from app.store.site import SiteRow
from app.store.specs import evse_spec, places
from app.store.station import EvseRow, StationRow, lock_evses_at, quarantine

LIVE = timedelta(minutes=5)
LEAST_CHANGE_W = 250.0
LEAST_CHANGE_SHARE = 0.05
HIGHEST_EVSE_NUMBER = 64
SEEN_STEP = timedelta(minutes=1)
LONGEST_REF_COUNT = 36
LONGEST_KEY_COUNT = 63

Place = tuple[str, int]
Named = tuple[str, str]
Doubt = tuple[str, str]  # whose, why
Running = Metered | SessionUpdated


def is_running(facts: Sequence[Fact]) -> TypeGuard[Sequence[Running]]:
    """Whether a call says only how a running session goes on, so that it may share a transaction with others'."""
    return bool(facts) and all(
        isinstance(fact, Metered) or (isinstance(fact, SessionUpdated) and fact.token is None) for fact in facts
    )


async def record_together(tx: Tx, calls: Sequence[tuple[str, Sequence[Running]]]) -> list[tuple[str, ...] | None]:
    """Record calls of several stations that are `is_running`; return what of each is not believed.

    None: it was not recorded, as it is about a session unknown to us. Doubts about several calls of one station are
    told with its first. The same as `record_facts` of each, with a fixed number of statements for all.
    """
    updates = {(station_id, _ref(fact)) for station_id, facts in calls for fact in facts if not _is_metered(fact)}
    known = await evse_numbers_of(tx.session, updates) if updates else {}
    taken = [
        all(_is_metered(fact) or (station_id, _ref(fact)) in known for fact in facts) for station_id, facts in calls
    ]
    batch = [(call[0], fact) for call, is_taken in zip(calls, taken, strict=True) if is_taken for fact in call[1]]
    doubts: dict[str, list[str]] = {}
    for station_id, doubt in await _recorded(tx, batch):
        doubts.setdefault(station_id, []).append(doubt)
    return [
        tuple(doubts.pop(station_id, ())) if is_taken else None
        for (station_id, _), is_taken in zip(calls, taken, strict=True)
    ]


async def record_metered(tx: Tx, batch: Sequence[tuple[str, Running]]) -> list[str]:
    """Record meter values of (station_id, values); return what of them is not believed (quarantined, yet stored).

    Registers move their session's energy, power moves the EVSE's live state (newest only, and only while fresh). The
    planner hears of it when power changed materially or a session has what it needs. Updates move the activity of
    sessions that we know, each once. Stations that are not provisioned are ignored.
    """
    return [doubt for _, doubt in await _recorded(tx, batch)]


async def _recorded(tx: Tx, batch: Sequence[tuple[str, Running]]) -> list[Doubt]:
    specs = await places(tx.session, {station_id for station_id, _ in batch})
    known = await _placed(tx, [(station_id, fact) for station_id, fact in batch if station_id in specs])
    updates = await _new_updates(tx, known)
    fresh = await insert_meter_values(
        tx.session, [row for station_id, fact in known for row in _values(station_id, fact)]
    )
    evses = await lock_evses_at(tx.session, {(station_id, fact.evse_number) for station_id, fact in known})
    metering = _Metering(tx, specs, evses, await _sessions(tx, known, evses))
    for station_id, fact in sorted(known, key=lambda pair: pair[1].at):
        if isinstance(fact, Metered):
            if _is_news(station_id, fact, fresh):
                await metering.take(station_id, fact)
        elif (station_id, _key(fact)) in updates:
            updates.remove((station_id, _key(fact)))
            metering.update(station_id, fact)
    await stays.record(tx, metering.write())
    await note_seen(tx, [specs[station_id][0] for station_id in {station_id for station_id, _ in known}])
    return metering.doubts


class _Metering:
    """One batch at work: sessions' states advance in memory and are written once."""

    def __init__(
        self,
        tx: Tx,
        sites: Mapping[str, tuple[StationRow, SiteRow]],
        evses: Mapping[Place, EvseRow],
        sessions: Sequence[SessionRow],
    ) -> None:
        self._tx = tx
        self._sites = sites
        self._evses = evses
        self._by_ref = {(row.station_id, row.station_ref): row for row in sessions}
        self._running = {row.evse_id: row for row in sessions if row.ended_at is None}
        self._states: dict[str, tuple[SessionRow, SessionState]] = {}
        self.doubts: list[Doubt] = []

    async def take(self, station_id: str, fact: Metered) -> None:
        """Move energy and power by one message."""
        if fact.evse_number == 0:
            return
        evse = self._evses.get((station_id, fact.evse_number))
        if evse is None:
            await self._doubt(station_id, fact, f"the station has no EVSE {fact.evse_number}")
            return
        station, site = self._sites[station_id]
        spec = evse_spec(evse, station, site)
        row = self._session(station_id, fact, evse)
        if row is not None:
            await self._advance(row, evse, spec, fact)
        is_material = self._move_power(evse, spec, fact)
        if is_material:
            self._tx.ring(site_changed(site.site_id))
        if _is_watched(evse, spec, is_material=is_material):
            self._tx.ring(site_limits(site.site_id))

    def update(self, station_id: str, fact: SessionUpdated) -> None:
        """Show what the car of a running session does; nothing that is older than what we know."""
        row, evse = self._by_ref.get((station_id, _ref(fact))), self._evses.get((station_id, fact.evse_number))
        if row is None or evse is None or row.ended_at is not None or evse.evse_id != row.evse_id:
            return
        if fact.offline or fact.activity is None or not Hearing.show(evse, fact) or evse.activity == fact.activity:
            return
        evse.activity = fact.activity
        self._tx.ring(site_changed(row.site_id))

    def _session(self, station_id: str, fact: Metered, evse: EvseRow) -> SessionRow | None:
        """Return the session that the station named, else the one that runs at the EVSE."""
        if fact.station_ref is not None:
            named = self._by_ref.get((station_id, _ref(fact)))
            if named is not None and named.evse_id == evse.evse_id:
                return named
        running = self._running.get(evse.evse_id)
        return running if running is not None and fact.at >= running.started_at else None

    async def _advance(self, row: SessionRow, evse: EvseRow, spec: EvseSpec, fact: Metered) -> None:
        key = str(row.session_id)
        if key not in self._states:
            state = state_of(row, spec.nameplate_w)
            is_known = evse.metered_at is not None and evse.metered_at >= row.started_at
            self._states[key] = row, replace(state, metered_at=evse.metered_at if is_known else None)
        _, before = self._states[key]
        advanced = advance(before, fact)
        self._states[key] = row, advanced.state
        if before.delivered_wh < row.need_wh <= advanced.state.delivered_wh:
            self._tx.ring(site_changed(row.site_id))
        is_slow = is_a_thousandth(before, advanced.state, evse.power_w, fact.power_w)
        for doubt in (*advanced.doubts, *([THOUSANDTH] if is_slow else [])):
            await self._doubt(row.station_id, fact, doubt)

    def _move_power(self, evse: EvseRow, spec: EvseSpec, fact: Metered) -> bool:
        """Take a newer power reading and return whether it is material."""
        at = min(fact.at, fact.received_at)
        if fact.power_w is None or at < self._tx.now - LIVE or (evse.metered_at is not None and at <= evse.metered_at):
            return False
        before_w, evse.power_w, evse.metered_at = evse.power_w, max(0.0, fact.power_w), at
        least_w = max(LEAST_CHANGE_W, LEAST_CHANGE_SHARE * spec.nameplate_w)
        return before_w is None or abs(evse.power_w - before_w) >= least_w

    def write(self) -> list[SessionRow]:
        """Write the sessions' new states to their rows; return the sessions."""
        for row, state in self._states.values():
            write_state(row, state)
        return [row for row, _ in self._states.values()]

    async def _doubt(self, station_id: str, fact: Metered, reason: str) -> None:
        self.doubts.append((station_id, reason))
        await quarantine(self._tx.session, station_id, self._tx.now, "Metered", reason, payload_of(fact))


def _is_watched(evse: EvseRow, spec: EvseSpec, *, is_material: bool) -> bool:
    """Whether the limit loop should see the value at once: the EVSE is on trial, or draws more than its safe power."""
    is_on_trial = evse.installed_at is not None or evse.distrusted_at is not None
    return is_on_trial or (is_material and (evse.power_w or 0.0) > spec.safe_power_w)


async def note_seen(tx: Tx, stations: Collection[StationRow]) -> None:
    """Note that the stations are alive, to the minute."""
    is_stale = or_(StationRow.last_seen_at.is_(None), StationRow.last_seen_at < tx.now - SEEN_STEP)
    station_ids = [row.station_id for row in stations if _is_stale(row, tx.now)]
    if station_ids:
        statement = update(StationRow).where(among(StationRow.station_id, station_ids), is_stale)
        await tx.session.execute(statement.values(last_seen_at=tx.now).execution_options(synchronize_session=False))


def _is_stale(row: StationRow, now: datetime) -> bool:
    return row.last_seen_at is None or row.last_seen_at < now - SEEN_STEP


async def _placed(tx: Tx, batch: Sequence[tuple[str, Running]]) -> list[tuple[str, Running]]:
    """Put values that name a session but no EVSE (OCPP 2.0.1 sends it only once) where that session is."""
    refs = {(station_id, _ref(fact)) for station_id, fact in batch if fact.evse_number == 0 and fact.station_ref}
    places = await evse_numbers_of(tx.session, refs) if refs else {}
    return [
        (station_id, replace(fact, evse_number=places.get((station_id, _ref(fact)), 0)))
        if fact.evse_number == 0
        else (station_id, fact)
        for station_id, fact in batch
    ]


async def _new_updates(tx: Tx, batch: Sequence[tuple[str, Running]]) -> set[Named]:
    """Remember the updates by their business keys; return those that are new to us."""
    rows = [
        SessionMessageRow(
            station_id=station_id,
            business_key=_key(fact),
            received_at=fact.received_at,
            station_ref=_ref(fact),
            kind="update",
        )
        for station_id, fact in batch
        if isinstance(fact, SessionUpdated)
    ]
    return await remember_messages(tx.session, rows) if rows else set()


async def _sessions(
    tx: Tx, batch: Sequence[tuple[str, Running]], evses: Mapping[Place, EvseRow]
) -> Sequence[SessionRow]:
    refs = {(station_id, _ref(fact)) for station_id, fact in batch if fact.station_ref is not None}
    return await metered_sessions(tx.session, refs, {row.evse_id for row in evses.values()})


def _is_news(station_id: str, fact: Metered, fresh: Collection[tuple[Any, ...]]) -> bool:
    """Whether anything of it was not told before; what cannot be kept is looked at whenever it comes."""
    is_kept = bool(_values(station_id, fact))
    return not is_kept or (station_id, fact.evse_number, _ref(fact), fact.at) in fresh


def _values(station_id: str, fact: Running) -> list[tuple[Any, ...]]:
    if not isinstance(fact, Metered) or not 0 <= fact.evse_number <= HIGHEST_EVSE_NUMBER:
        return []
    return [
        (
            station_id,
            fact.evse_number,
            _ref(fact),
            fact.at,
            stored_text(sample.measurand, 64),
            stored_text(sample.phase, 8),
            stored_text(sample.location, 16),
            stored_text(sample.context, 32),
            float(sample.value),
            stored_text(sample.unit, 16),
            fact.received_at,
        )
        for sample in fact.samples
    ]


def _is_metered(fact: Running) -> bool:
    return isinstance(fact, Metered)


def _key(fact: SessionUpdated) -> str:
    return stored_key(fact.business_key, LONGEST_KEY_COUNT)


def _ref(fact: Running) -> str:
    return "" if fact.station_ref is None else stored_key(fact.station_ref, LONGEST_REF_COUNT)
