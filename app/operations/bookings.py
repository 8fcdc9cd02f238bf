"""Bookings: a reserved stay at an EVSE, chosen by the driver (pinned) or by the site (may be reassigned).

Whoever changes bookings of a site takes its booking lock first; the database's exclusion constraint is the last word.
`booking_desk` reads what admission looks at. Start with `book`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.exc import IntegrityError

from app.bus.subjects import site_changed
from app.domain import booking as admission
from app.domain.booking import Admitted, EnergyWish, Refused, Stay
from app.domain.errors import BookingRefused, Conflict, Invalid, NotFound
from app.domain.intervals import Interval
from app.domain.pages import Page, PageAsked
from app.operations import intents, vehicles
from app.operations.booking_desk import BookingState, Desk, open_desk, refuse, state_of
from app.operations.transaction import Tx
from app.store import booking_queries, driver_queries, site_queries, station_queries
from app.store.booking_queries import PARKED, BookingFilter
from app.store.driver import BookingRow

EARLIEST_CLAIM = timedelta(minutes=60)
LEAVE_PATIENCE = timedelta(minutes=15)
ATTEMPT_COUNT = 3


@dataclass(frozen=True, slots=True)
class NewBooking:
    """What is asked for. The EVSE is `evse_id`, or `station_id` + `evse_number`, or (all None) the site's choice."""

    driver_id: UUID
    site_id: str
    arrives_at: datetime
    departs_at: datetime
    wish: EnergyWish
    evse_id: int | None = None
    station_id: str | None = None
    evse_number: int | None = None


@dataclass(frozen=True, slots=True)
class BookingChange:
    """What is to change; None keeps."""

    arrives_at: datetime | None = None
    departs_at: datetime | None = None
    wish: EnergyWish | None = None


async def book(tx: Tx, wanted: NewBooking) -> BookingState:
    """Book a stay; raises Invalid naming the field, or BookingRefused with alternatives."""
    if await driver_queries.locked_driver(tx.session, wanted.driver_id) is None:
        raise Invalid("there is no such driver", field="driver_id")
    if await site_queries.site(tx.session, wanted.site_id) is None:
        raise Invalid("there is no such site", field="site_id")
    evse_id = await _pinned_evse(tx, wanted)
    need = await vehicles.need_of(tx, wanted.driver_id, wanted.wish)
    stay = Stay(wanted.arrives_at, wanted.departs_at, need.need_wh, need.max_charge_w, evse_id)
    wrong = admission.check_times(stay, tx.now)
    if wrong is not None:
        raise refuse(wrong, None, wanted.wish.field)
    await site_queries.lock_bookings(tx.session, wanted.site_id)
    row = BookingRow(
        booking_id=uuid4(),
        site_id=wanted.site_id,
        is_pinned=evse_id is not None,
        driver_id=wanted.driver_id,
        vehicle_id=need.vehicle_id,
        state=PARKED,
        created_at=tx.now,
    )
    await _seat(tx, row, stay, wanted.wish.field, to_state="booked")
    tx.ring(site_changed(wanted.site_id))
    return await get(tx, row.booking_id)


async def get(tx: Tx, booking_id: UUID, owner_id: UUID | None = None) -> BookingState:
    """Return a booking; raises NotFound, also for another driver's (`owner_id`; None sees all)."""
    found = await booking_queries.booking(tx.session, booking_id, owner_id)
    if found is None:
        raise NotFound("there is no such booking")
    return state_of(*found)


async def bookings(
    tx: Tx, asked: PageAsked, *, driver_id: UUID | None = None, site_id: str | None = None, state: str | None = None
) -> Page[BookingState]:
    """Return bookings by arrival; None does not filter."""
    page = await booking_queries.bookings(tx.session, BookingFilter(driver_id, site_id, state), asked)
    return page.map(lambda found: state_of(*found))


async def change(tx: Tx, booking_id: UUID, wanted: BookingChange, owner_id: UUID | None = None) -> BookingState:
    """Change a live booking's times or energy; a car that is plugged in on it follows.

    Raises NotFound, Invalid naming the field, Conflict for a booking that is over, BookingRefused with alternatives;
    then the booking stays as it was.
    """
    row = await _locked(tx, booking_id, owner_id)
    if row.state not in booking_queries.LIVE:
        raise Conflict(f"the booking is {row.state} and cannot be changed")
    period, has_arrived = booking_queries.interval_of(row), row.state == "arrived"
    arrives_at = wanted.arrives_at or period.start_at
    if has_arrived and arrives_at != period.start_at:
        raise Invalid("cannot change any more, the car has arrived", field="arrives_at")
    wish = wanted.wish or EnergyWish(need_wh=row.need_wh, vehicle_id=str(row.vehicle_id) if row.vehicle_id else None)
    need = await vehicles.need_of(tx, row.driver_id, wish)
    stay = Stay(
        arrives_at=arrives_at,
        departs_at=wanted.departs_at or period.end_at,
        need_wh=need.need_wh,
        max_charge_w=need.max_charge_w,
        evse_id=row.evse_id,
        has_begun=arrives_at == period.start_at,
    )
    if not (row.is_pinned or has_arrived):
        stay = await _stay_or_go(tx, row, stay)
    row.vehicle_id = need.vehicle_id or row.vehicle_id
    await _seat(tx, row, stay, wish.field, to_state=row.state)
    if has_arrived:
        await intents.follow_booking(tx, row)
    tx.ring(site_changed(row.site_id))
    return await get(tx, booking_id)


async def cancel(tx: Tx, booking_id: UUID, owner_id: UUID | None = None) -> BookingState:
    """Cancel a booking (again: nothing happens); a car that is plugged in on it falls back to the site's default.

    Raises NotFound, Conflict for a booking that is done or missed.
    """
    row = await _locked(tx, booking_id, owner_id)
    if row.state in booking_queries.LIVE:
        row.state, row.changed_at = "cancelled", tx.now
        await tx.session.flush()
        await intents.assume(tx, row)
        tx.ring(site_changed(row.site_id))
    elif row.state != "cancelled":
        raise Conflict(f"the booking is {row.state} and cannot be cancelled")
    return await get(tx, booking_id)


async def claim(tx: Tx, *, site_id: str, evse_id: int, driver_id: UUID | None, at: datetime) -> BookingRow | None:
    """Turn a driver's live booking into an arrival at `evse_id` and return it; None without driver or booking.

    It counts from 60 minutes before its start until its end, also after a first session on it has ended. It moves to
    the actual EVSE; unpinned bookings there make room. Where they cannot, it keeps its EVSE.
    """
    if driver_id is None:
        return None
    await site_queries.lock_bookings(tx.session, site_id)
    window = Interval(at, at + EARLIEST_CLAIM + timedelta.resolution)
    rows = [
        row
        for row in await booking_queries.driver_bookings(tx.session, driver_id, window, is_locked=True)
        if row.site_id == site_id and await _is_free_for(tx, row, evse_id)
    ]
    if not rows:
        return None
    row = min(rows, key=lambda each: (each.evse_id != evse_id, booking_queries.interval_of(each)))
    if row.evse_id != evse_id:
        await _follow_car(tx, row, evse_id)
    row.state, row.changed_at = "arrived", tx.now
    await tx.session.flush()
    tx.ring(site_changed(site_id))
    return row


async def expire(tx: Tx) -> int:
    """Close bookings whose time is over: missed without a car, done when it has left. Returns how many."""
    closed_count = 0
    for site_id in await booking_queries.sites_to_sweep(tx.session, tx.now):
        await site_queries.lock_bookings(tx.session, site_id)
        count = await booking_queries.mark_missed(tx.session, site_id, tx.now)
        count += await booking_queries.mark_done(tx.session, site_id, tx.now, tx.now - LEAVE_PATIENCE)
        if count:
            tx.ring(site_changed(site_id))
        closed_count += count
    return closed_count


async def _pinned_evse(tx: Tx, wanted: NewBooking) -> int | None:
    if wanted.station_id is None and wanted.evse_number is None:
        return wanted.evse_id
    if wanted.evse_id is not None:
        raise Invalid("cannot be given together with station_id", field="evse_id")
    if wanted.station_id is None:
        raise Invalid("is needed with evse_number", field="station_id")
    evse = await station_queries.evse_of_station(tx.session, wanted.station_id, wanted.evse_number or 1)
    if evse is None:
        raise Invalid("there is no such EVSE", field="station_id" if wanted.evse_number is None else "evse_number")
    return evse.evse_id


async def _locked(tx: Tx, booking_id: UUID, owner_id: UUID | None) -> BookingRow:
    """The booking, with its driver's and its site's bookings locked in the order that `book` takes them."""
    found = await booking_queries.booking(tx.session, booking_id, owner_id)
    if found is None:
        raise NotFound("there is no such booking")
    await driver_queries.locked_driver(tx.session, found[0].driver_id)
    await site_queries.lock_bookings(tx.session, found[0].site_id)
    again = await booking_queries.booking(tx.session, booking_id, owner_id)
    if again is None:
        raise NotFound("there is no such booking")
    return again[0]


async def _stay_or_go(tx: Tx, row: BookingRow, stay: Stay) -> Stay:
    """An unpinned booking keeps its EVSE when nobody has to move for that, else the site chooses again."""
    if admission.check_times(stay, tx.now) is not None:
        return stay
    decided = _decide(await open_desk(tx, row, stay), stay, tx.now)
    if isinstance(decided, Admitted) and not decided.moves:
        return stay
    return replace(stay, evse_id=None)


def _decide(desk: Desk, stay: Stay, now: datetime) -> Admitted | Refused:
    return admission.admit(stay, desk.bays, desk.held, desk.own, now)


async def _seat(tx: Tx, row: BookingRow, stay: Stay, wish_field: str, *, to_state: str) -> None:
    """Admit the stay and write it, with the moves that it needs; tries again where the database saw another overlap."""
    for _ in range(ATTEMPT_COUNT):
        wrong = admission.check_times(stay, tx.now)
        if wrong is not None:
            raise refuse(wrong, None, wish_field)
        desk = await open_desk(tx, row, stay)
        decided = _decide(desk, stay, tx.now)
        if isinstance(decided, Refused):
            raise refuse(decided, desk, wish_field)
        try:
            async with tx.session.begin_nested():
                await _write(tx, row, stay, decided, to_state)
        except IntegrityError as broken:
            if not booking_queries.is_overlap(broken):
                raise
            await _reread(tx, row)
            if not (row.is_pinned or to_state == "arrived"):
                stay = replace(stay, evse_id=None)
        else:
            return
    raise BookingRefused("others are booking the same EVSEs right now, try again")


async def _write(tx: Tx, row: BookingRow, stay: Stay, decided: Admitted, to_state: str) -> None:
    row.state = PARKED
    row.evse_id, row.period, row.need_wh = decided.evse_id, booking_queries.period_range(stay.period), stay.need_wh
    row.changed_at = tx.now
    tx.session.add(row)
    await tx.session.flush()
    moves = {UUID(move.booking_id): move.evse_id for move in decided.moves}
    await booking_queries.relocate(tx.session, moves, tx.now)
    row.state = to_state
    await tx.session.flush()


async def _is_free_for(tx: Tx, row: BookingRow, evse_id: int) -> bool:
    """Whether no other car stands for the booking; one at the same EVSE must be gone, since another has come."""
    running = await booking_queries.session_of_booking(tx.session, row.booking_id, is_locked=False)
    return running is None or running.evse_id == evse_id


async def _follow_car(tx: Tx, row: BookingRow, evse_id: int) -> None:
    period = booking_queries.interval_of(row)
    stay = Stay(period.start_at, period.end_at, row.need_wh, evse_id=evse_id, has_begun=True)
    desk = await open_desk(tx, row, stay, plugged_evse_id=evse_id)
    moves = admission.displace(evse_id, period, desk.bays, desk.held)
    if moves is None:
        return
    places = {UUID(move.booking_id): move.evse_id for move in moves}
    try:
        async with tx.session.begin_nested():
            await booking_queries.relocate(tx.session, places | {row.booking_id: evse_id}, tx.now)
    except IntegrityError as broken:
        if not booking_queries.is_overlap(broken):
            raise
        await _reread(tx, row)


async def _reread(tx: Tx, row: BookingRow) -> None:
    """After a savepoint was rolled back a stored row must be read again; a new one is as it was."""
    if row in tx.session:
        await tx.session.refresh(row)
