"""Sessions as stations report them: started, updated, ended; each message once, late ones without moving live state."""

import secrets
import uuid

from app.bus.subjects import site_limits
from app.domain.facts import Activity, SessionEnded, SessionStarted, SessionUpdated
from app.domain.session import SUPERSEDED, SessionState, advance
from app.domain.snapshot import IntentSource
from app.operations import stays
from app.operations.arrivals import Presented, intent_at
from app.operations.hearing import Hearing
from app.store.base import stored_key, stored_text
from app.store.plan import end_leases, forget_desired
from app.store.session import (
    SessionRow,
    end_message,
    message,
    running_session,
    session_by_ref,
    session_by_start,
)
from app.store.site_queries import lock_bookings
from app.store.station import EvseRow

LONGEST_KEY_COUNT = 63
LONGEST_REF_COUNT = 36
WITHOUT_START = "~"
HIGHEST_REF = 2**31 - 1
UNSAID = (IntentSource.ASSUMED, IntentSource.LEARNT)
BEFORE_PLUG_IN = (None, Activity.NONE, Activity.PAUSED_BY_EV)


async def started(hearing: Hearing, fact: SessionStarted) -> None:
    """Create the session, unless this start is a repetition: then only its reference is told again."""
    presented = await hearing.present(fact.token)
    key = stored_key(fact.business_key, LONGEST_KEY_COUNT)
    ref = None if fact.station_ref is None else stored_key(fact.station_ref, LONGEST_REF_COUNT)
    known = await _known(hearing, key, ref)
    if known is not None:
        hearing.station_ref = known.station_ref
        await _complete(hearing, known, fact, key)
        return
    told = await message(hearing.tx.session, hearing.station.station_id, key)
    ref = told.station_ref if told is not None else ref or await _free_ref(hearing)
    hearing.station_ref = ref
    is_new = await hearing.remember(fact, key, ref)
    evse = hearing.evses.get(fact.evse_number)
    if evse is None:
        await hearing.doubt(fact, f"the station has no EVSE {fact.evse_number}")
    elif not is_new:
        await hearing.doubt(fact, "the start of a session that ended before it was known")
    else:
        await _open(hearing, fact, evse, presented, (key, ref))


async def _known(hearing: Hearing, key: str, ref: str | None) -> SessionRow | None:
    station_id = hearing.station.station_id
    known = await session_by_start(hearing.tx.session, station_id, key)
    if known is None and ref is not None:
        known = await session_by_ref(hearing.tx.session, station_id, ref)
    return known


async def _complete(hearing: Hearing, row: SessionRow, fact: SessionStarted, key: str) -> None:
    """Give a session that we know from a later message its lost start; any other repetition changes nothing."""
    await hearing.remember(fact, key, row.station_ref)
    if row.start_key == key:
        return
    if not row.start_key.startswith(WITHOUT_START):
        await hearing.doubt(fact, "another start of a session that is known already")
        return
    row.start_key = key
    row.started_at = min(row.started_at, fact.at)
    start_wh = fact.meter_start_wh
    if start_wh is not None and 0 <= start_wh <= (row.meter_start_wh if row.meter_start_wh is not None else start_wh):
        row.meter_start_wh = start_wh
        row.meter_last_wh = start_wh if row.meter_last_wh is None else row.meter_last_wh
        row.delivered_wh = row.meter_last_wh - start_wh
    await stays.record(hearing.tx, [row])


async def _open(
    hearing: Hearing,
    fact: SessionStarted | SessionUpdated,
    evse: EvseRow,
    presented: Presented | None,
    names: tuple[str, str],
) -> None:
    """Insert the session (names: its start's key, its reference), closing the one that still runs at its EVSE.

    Bookings are locked before any session's row is written: the order that changing a booking has, too.
    """
    session = hearing.tx.session
    end = await end_message(session, hearing.station.station_id, names[1])
    running = await running_session(session, evse.evse_id)
    is_older = end is not None or (running is not None and fact.offline and fact.at < running.started_at)
    if presented is not None:
        await lock_bookings(session, hearing.site.site_id)
    if running is not None and not is_older:
        await _supersede(hearing, running, fact)
    row = await _arrived(hearing, fact, evse, presented, names)
    await _start_register(hearing, row, fact)
    if end is not None:
        row.ended_at, row.end_reason = max(fact.at, end.received_at), "its end came before its start"
    elif running is not None and is_older:
        row.ended_at, row.end_reason = running.started_at, SUPERSEDED
    session.add(row)
    await session.flush()
    await stays.record(hearing.tx, [row])
    if row.ended_at is None:
        _show_start(hearing, fact, evse)
        hearing.ring()


async def _arrived(
    hearing: Hearing,
    fact: SessionStarted | SessionUpdated,
    evse: EvseRow,
    presented: Presented | None,
    names: tuple[str, str],
) -> SessionRow:
    """Return the new session's row with what its car wants."""
    intent = await intent_at(hearing.tx, hearing.site, evse.evse_id, presented, fact.at)
    return SessionRow(
        session_id=uuid.uuid4(),
        site_id=hearing.site.site_id,
        station_id=hearing.station.station_id,
        evse_id=evse.evse_id,
        station_ref=names[1],
        start_key=names[0],
        token=stored_text(fact.token, 255) if fact.token else None,
        driver_id=None if presented is None else presented.driver_id,
        booking_id=intent.booking_id,
        started_at=fact.at,
        delivered_wh=0.0,
        departs_at=max(intent.departs_at, fact.at),
        need_wh=intent.need_wh,
        intent_source=intent.source,
        max_charge_w=intent.max_charge_w,
        is_offline_replay=fact.offline,
    )


async def _start_register(hearing: Hearing, row: SessionRow, fact: SessionStarted | SessionUpdated) -> None:
    start_wh = fact.meter_start_wh if isinstance(fact, SessionStarted) else None
    if start_wh is not None and start_wh < 0:
        await hearing.doubt(fact, "the register is negative")
    elif start_wh is not None:
        row.meter_start_wh = row.meter_last_wh = start_wh


async def _supersede(hearing: Hearing, old: SessionRow, fact: SessionStarted | SessionUpdated) -> None:
    """Close a session whose end never came. Its limits stay in the ledger until their leases end."""
    old.ended_at = max(old.started_at, fact.at)
    old.end_reason = SUPERSEDED
    await forget_desired(hearing.tx.session, old.session_id)
    await hearing.doubt(fact, f"session {old.station_ref} was still running at EVSE {fact.evse_number}")
    await stays.record(hearing.tx, [old])


def _show_start(hearing: Hearing, fact: SessionStarted | SessionUpdated, evse: EvseRow) -> None:
    is_news = evse.status_at is None or fact.at > evse.status_at
    if fact.offline or not hearing.show(evse, fact):
        return
    if fact.activity is not None:
        hearing.set_activity(evse, fact.activity)
    elif is_news and evse.activity in BEFORE_PLUG_IN:
        hearing.set_activity(evse, Activity.CONNECTED)


async def updated(hearing: Hearing, fact: SessionUpdated) -> None:
    """Take a session's new activity or late token. An unknown session lost its start: it is created from this."""
    presented = await hearing.present(fact.token)
    key, ref = stored_key(fact.business_key, LONGEST_KEY_COUNT), stored_key(fact.station_ref, LONGEST_REF_COUNT)
    if not await hearing.remember(fact, key, ref):
        return
    row = await session_by_ref(hearing.tx.session, hearing.station.station_id, ref)
    evse = hearing.evses.get(fact.evse_number)
    if fact.evse_number == 0 and row is not None:  # OCPP 2.0.1 names the EVSE only once in a transaction
        evse = next((each for each in hearing.evses.values() if each.evse_id == row.evse_id), None)
    if row is None:
        if evse is None or await end_message(hearing.tx.session, hearing.station.station_id, ref) is not None:
            await hearing.doubt(fact, "an update of a session that is over, or at no EVSE of the station")
            return
        await hearing.doubt(fact, "an update of an unknown session: its start was lost")
        await _open(hearing, fact, evse, presented, (f"{WITHOUT_START}{key}"[:64], ref))
        return
    if row.ended_at is not None:
        return
    if presented is not None and row.driver_id is None:
        await _adopt(hearing, row, presented, fact)
    if evse is None or evse.evse_id != row.evse_id or fact.offline or fact.activity is None:
        return
    if hearing.show(evse, fact):
        hearing.set_activity(evse, fact.activity)


async def _adopt(hearing: Hearing, row: SessionRow, presented: Presented, fact: SessionUpdated) -> None:
    """Give a session that began without a token its driver, and what that driver wants unless somebody said so."""
    wants_intent = row.intent_source in UNSAID and row.booking_id is None
    if wants_intent:
        intent = await intent_at(hearing.tx, hearing.site, row.evse_id, presented, row.started_at)
        row.booking_id, row.max_charge_w = intent.booking_id, intent.max_charge_w
        row.departs_at, row.need_wh = max(intent.departs_at, row.started_at), intent.need_wh
        row.intent_source = intent.source
    row.driver_id = presented.driver_id
    row.token = stored_text(fact.token, 255) if fact.token else None
    hearing.ring()


async def ended(hearing: Hearing, fact: SessionEnded) -> None:
    """End the session and give its power back. Its booking stays a little: the car may be plugged in again."""
    await hearing.present(fact.token)
    ref = stored_key(fact.station_ref, LONGEST_REF_COUNT)
    row = await session_by_ref(hearing.tx.session, hearing.station.station_id, ref)
    said = fact.issued_key if row is not None and fact.issued_key is not None else fact.business_key
    if not await hearing.remember(fact, stored_key(said, LONGEST_KEY_COUNT), ref):
        return
    if row is None:
        await hearing.doubt(fact, "the end of an unknown session")
        return
    evse = next(evse for evse in hearing.evses.values() if evse.evse_id == row.evse_id)
    before = state_of(row, hearing.spec(evse).nameplate_w)
    if before.is_over:
        await hearing.doubt(fact, "another end of a session that is over")
        return
    was_running = row.ended_at is None
    advanced = advance(before, fact)
    write_state(row, advanced.state)
    for doubt in advanced.doubts:
        await hearing.doubt(fact, doubt)
    await (stays.record(hearing.tx, [row]) if was_running else stays.record_anew(hearing.tx, row))
    await forget_desired(hearing.tx.session, row.session_id)
    await end_leases(hearing.tx.session, row.session_id, hearing.tx.now)
    if was_running and not fact.offline:
        _show_end(hearing, fact, evse)
    hearing.ring()
    hearing.tx.ring(site_limits(row.site_id))


def _show_end(hearing: Hearing, fact: SessionEnded, evse: EvseRow) -> None:
    if evse.metered_at is None or fact.at >= evse.metered_at:
        evse.power_w, evse.metered_at = 0.0, min(fact.at, fact.received_at)
    if hearing.show(evse, fact):
        hearing.set_activity(evse, Activity.NONE)


async def _free_ref(hearing: Hearing) -> str:
    """Return a random positive 31-bit number that no session of the station has (OCPP 1.6 transactionId)."""
    while True:
        ref = str(secrets.randbelow(HIGHEST_REF) + 1)
        if await session_by_ref(hearing.tx.session, hearing.station.station_id, ref) is None:
            return ref


def state_of(row: SessionRow, nameplate_w: float) -> SessionState:
    """Return the row's part that facts change."""
    return SessionState(
        started_at=row.started_at,
        nameplate_w=nameplate_w,
        meter_start_wh=row.meter_start_wh,
        meter_last_wh=row.meter_last_wh,
        delivered_wh=row.delivered_wh,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
    )


def write_state(row: SessionRow, state: SessionState) -> None:
    """Write what facts have changed."""
    row.meter_start_wh, row.meter_last_wh = state.meter_start_wh, state.meter_last_wh
    row.delivered_wh = state.delivered_wh
    row.ended_at = state.ended_at
    row.end_reason = None if state.end_reason is None else stored_text(state.end_reason, 64)
