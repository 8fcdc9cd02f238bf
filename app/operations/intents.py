"""Intents: when a plugged-in car leaves and how much energy it wants by then, counted from plug-in."""

from datetime import datetime, timedelta
from uuid import UUID

from app.bus.subjects import site_changed
from app.domain.booking import EnergyWish
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.snapshot import IntentSource
from app.operations import sessions, vehicles
from app.operations.transaction import Tx
from app.store import booking_queries, session_queries, site_queries
from app.store.driver import BookingRow

FARTHEST = timedelta(hours=48)


async def put(
    tx: Tx, session_id: UUID, *, departs_at: datetime, wish: EnergyWish, owner_id: UUID | None = None
) -> None:
    """Set a running session's intent as its driver (`owner_id`), or an operator (None), says.

    Raises NotFound, Conflict when the session has ended, Invalid naming the field.
    """
    row = await session_queries.locked_session(tx.session, session_id, owner_id)
    if row is None:
        raise NotFound("there is no such session")
    if row.ended_at is not None:
        raise Conflict("the session has ended")
    if departs_at <= tx.now:
        raise Invalid("lies in the past", field="departs_at")
    if departs_at > tx.now + FARTHEST:
        raise Invalid("is more than 48 hours ahead", field="departs_at")
    need = await vehicles.need_of(tx, row.driver_id, wish)
    row.departs_at, row.need_wh, row.intent_source = departs_at, need.need_wh, IntentSource.DRIVER.value
    if need.max_charge_w is not None:
        row.max_charge_w = need.max_charge_w
    await tx.session.flush()
    tx.ring(site_changed(row.site_id))


async def follow_booking(tx: Tx, booking: BookingRow) -> None:
    """Give a booking's new times and energy to the session that arrived with it, if one runs."""
    row = await booking_queries.session_of_booking(tx.session, booking.booking_id)
    if row is None:
        return
    row.departs_at = booking_queries.interval_of(booking).end_at
    row.need_wh = booking.need_wh
    row.intent_source = IntentSource.BOOKING.value
    await tx.session.flush()
    tx.ring(site_changed(row.site_id))


async def assume(tx: Tx, booking: BookingRow) -> None:
    """Fall back to the site's default where a cancelled booking was the intent of a running session."""
    row = await booking_queries.session_of_booking(tx.session, booking.booking_id)
    if row is None or row.intent_source != IntentSource.BOOKING.value:
        return
    site = await site_queries.site(tx.session, row.site_id)
    if site is None:
        raise NotFound(f"there is no site {row.site_id}")
    sessions.assume_default(row, site, tx.now)
    await tx.session.flush()
    tx.ring(site_changed(row.site_id))
