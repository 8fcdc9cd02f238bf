"""What stations tell us, recorded in one transaction; the answer leaves after its commit.

Repeating a message changes nothing, odd ones are quarantined and answered: bad station input never raises.
"""

from collections.abc import Sequence

from app.bus.subjects import site_limits, station_onboarding, station_orders
from app.domain.errors import NotFound
from app.domain.facts import (
    BootStatus,
    CertificateRequested,
    Fact,
    Metered,
    Occupancy,
    Recorded,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationReported,
    StationSeen,
    StatusReported,
    Suspicious,
    TokenPresented,
    VariablesReported,
)
from app.operations import device_model, proofs, session_facts, station_events, stays
from app.operations.hearing import Hearing
from app.operations.metering import note_seen, record_metered
from app.operations.proofs import make_of
from app.operations.transaction import Tx
from app.store.base import stored_text
from app.store.specs import places
from app.store.station import lock_evses

LONGEST_FAULT_COUNT = LONGEST_NAME_COUNT = 100


async def record_facts(tx: Tx, station_id: str, facts: Sequence[Fact]) -> Recorded:
    """Record what a station told us, in its order, and return what to answer. Raises NotFound for no such station."""
    evses = await lock_evses(tx.session, station_id)
    place = (await places(tx.session, {station_id})).get(station_id)
    if place is None:
        raise NotFound("there is no such station", field="station_id")
    hearing = Hearing(tx, *place, evses)
    await note_seen(tx, [hearing.station])
    for fact in facts:
        await _record(hearing, fact)
    return hearing.recorded()


async def _record(hearing: Hearing, fact: Fact) -> None:
    match fact:
        case StationBooted():
            _booted(hearing, fact)
        case StationSeen():
            pass
        case StatusReported():
            await _status(hearing, fact)
        case TokenPresented():
            await hearing.present(fact.token)
        case Metered():
            hearing.doubts += await record_metered(hearing.tx, [(hearing.station.station_id, fact)])
        case SessionStarted():
            await session_facts.started(hearing, fact)
        case SessionUpdated():
            await session_facts.updated(hearing, fact)
        case SessionEnded():
            await session_facts.ended(hearing, fact)
        case Suspicious():
            await hearing.doubt(fact, fact.reason)
        case _:
            await _record_upkeep(hearing, fact)


async def _record_upkeep(hearing: Hearing, fact: StationReported | VariablesReported | CertificateRequested) -> None:
    match fact:
        case StationReported():
            await station_events.reported(hearing, fact)
        case VariablesReported():
            await device_model.reported(hearing, fact)
        case CertificateRequested():
            await station_events.certificate_requested(hearing, fact)


def _booted(hearing: Hearing, fact: StationBooted) -> None:
    """A (re)started station may hold other profiles than before: what was verified is read again (rule R8)."""
    station = hearing.station
    before = make_of(station)
    station.vendor = stored_text(fact.vendor, LONGEST_NAME_COUNT)
    station.model = stored_text(fact.model, LONGEST_NAME_COUNT)
    station.serial = None if fact.serial is None else stored_text(fact.serial, LONGEST_NAME_COUNT)
    station.firmware = None if fact.firmware is None else stored_text(fact.firmware, LONGEST_NAME_COUNT)
    station.booted_at = fact.received_at
    hearing.boot_status = BootStatus.PENDING
    if station.is_commissioned:
        station.needs_boot = False
        hearing.boot_status = BootStatus.ACCEPTED
    for evse in hearing.evses.values():
        proofs.booted(evse, hearing.tx.now, is_new=before != make_of(station))
    hearing.ring()
    hearing.tx.ring(site_limits(station.site_id))
    hearing.tx.ring(station_orders(station.station_id))
    hearing.tx.ring(station_onboarding(station.station_id))


async def _status(hearing: Hearing, fact: StatusReported) -> None:
    if fact.evse_number == 0:
        return
    evse = hearing.evses.get(fact.evse_number)
    if evse is None:
        await hearing.doubt(fact, f"the station has no EVSE {fact.evse_number}")
        return
    if not hearing.show(evse, fact):
        return
    evse.fault = None if fact.fault is None else stored_text(fact.fault, LONGEST_FAULT_COUNT)
    if fact.occupancy is not None and evse.occupancy != fact.occupancy:
        evse.occupancy = fact.occupancy
        hearing.ring()
        if fact.occupancy is Occupancy.FREE:
            await stays.see_leave(hearing.tx, evse.evse_id, min(fact.at, fact.received_at))
    if fact.activity is not None:
        hearing.set_activity(evse, fact.activity)
