"""What admission of a booking looks at, read from the rows, and what it says, as the callers of bookings see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.booking import LONGEST_STAY, SEARCH, Bay, Held, Refused, Stay
from app.domain.errors import BookingRefused, Conflict, Invalid
from app.domain.facts import Occupancy
from app.domain.intervals import Interval
from app.domain.units import power_w
from app.operations import sites
from app.operations.transaction import Tx
from app.store import booking_queries
from app.store.driver import BookingRow
from app.store.session import SessionRow
from app.store.station import EvseRow

REPAIR = timedelta(hours=12)
SHORTEST_HOLD = timedelta(minutes=15)
OUT_OF_ORDER = frozenset({Occupancy.FAULTED.value, Occupancy.UNAVAILABLE.value})


@dataclass(frozen=True, slots=True)
class BookingState:
    """A booking with the place that it has now."""

    booking_id: UUID
    site_id: str
    station_id: str
    evse_id: int
    evse_number: int
    is_pinned: bool
    driver_id: UUID
    vehicle_id: UUID | None
    arrives_at: datetime
    departs_at: datetime
    need_wh: float
    state: str
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class BookingOption:
    """A stay that could be booked instead of a refused one."""

    station_id: str
    evse_id: int
    evse_number: int
    arrives_at: datetime
    departs_at: datetime


@dataclass(frozen=True, slots=True)
class Desk:
    """One view, under the site's booking lock, for `app.domain.booking.admit`; the booking itself is left out."""

    bays: tuple[Bay, ...]
    held: tuple[Held, ...]
    own: tuple[Interval, ...]
    places: Mapping[int, tuple[str, int]]


def state_of(row: BookingRow, station_id: str, evse_number: int) -> BookingState:
    """Return a booking as its callers see it."""
    period = booking_queries.interval_of(row)
    return BookingState(
        booking_id=row.booking_id,
        site_id=row.site_id,
        station_id=station_id,
        evse_id=row.evse_id,
        evse_number=evse_number,
        is_pinned=row.is_pinned,
        driver_id=row.driver_id,
        vehicle_id=row.vehicle_id,
        arrives_at=period.start_at,
        departs_at=period.end_at,
        need_wh=row.need_wh,
        state=row.state,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )


async def open_desk(tx: Tx, row: BookingRow, stay: Stay, *, plugged_evse_id: int | None = None) -> Desk:
    """Read what decides about a stay of this booking. `plugged_evse_id`: its car is there, so nobody else's is."""
    site = await sites.get(tx, row.site_id)
    evses = await booking_queries.evses_of_site(tx.session, row.site_id)
    window = Interval(stay.arrives_at - LONGEST_STAY, stay.departs_at + SEARCH + LONGEST_STAY)
    live = await booking_queries.live_bookings(tx.session, row.site_id, window)
    plugged = await booking_queries.plugged_in(tx.session, row.site_id)
    others = await booking_queries.driver_bookings(tx.session, row.driver_id, window)
    held = [_held(each) for each in live if each.booking_id != row.booking_id]
    held += [
        _held_by_car(each, tx.now)
        for each in plugged
        if each.driver_id != row.driver_id and each.evse_id != plugged_evse_id
    ]
    return Desk(
        bays=tuple(_bay(evse, site.voltage_v, tx.now) for evse in evses),
        held=tuple(held),
        own=tuple(booking_queries.interval_of(each) for each in others if each.booking_id != row.booking_id),
        places={evse.evse_id: (evse.station_id, evse.evse_number) for evse in evses},
    )


def refuse(refused: Refused, desk: Desk | None, wish_field: str) -> Conflict | Invalid:
    """Return the error of a refusal; `wish_field` is what the energy was given in, `desk` names the alternatives."""
    field = wish_field if refused.field == "energy" else refused.field
    if refused.is_impossible:
        return Invalid(refused.reason, field=field)
    options = tuple(
        BookingOption(
            station_id=desk.places[each.evse_id][0],
            evse_id=each.evse_id,
            evse_number=desk.places[each.evse_id][1],
            arrives_at=each.arrives_at,
            departs_at=each.departs_at,
        )
        for each in (refused.alternatives if desk is not None else ())
        if desk is not None
    )
    return BookingRefused(refused.reason, field=field, alternatives=options)


def _bay(evse: EvseRow, voltage_v: float, now: datetime) -> Bay:
    is_out_of_order = evse.occupancy in OUT_OF_ORDER
    nameplate_w = power_w(evse.max_current_a, voltage_v, evse.phase_count)
    return Bay(evse.evse_id, nameplate_w, now + REPAIR if is_out_of_order else None)


def _held(row: BookingRow) -> Held:
    return Held(
        booking_id=str(row.booking_id),
        evse_id=row.evse_id,
        period=booking_queries.interval_of(row),
        need_wh=row.need_wh,
        is_movable=row.state == "booked" and not row.is_pinned,
    )


def _held_by_car(row: SessionRow, now: datetime) -> Held:
    until_at = max(row.departs_at, now + SHORTEST_HOLD)
    return Held(booking_id=None, evse_id=row.evse_id, period=Interval(min(row.started_at, now), until_at))
