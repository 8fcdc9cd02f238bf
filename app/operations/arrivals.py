"""Who a presented token is, and what an arriving car wants: from the booking, else the site's default (`assumed`)."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.domain.facts import TokenStatus
from app.domain.snapshot import IntentSource
from app.operations import bookings
from app.operations.transaction import Tx
from app.store.base import stored_text
from app.store.driver import TokenRow, VehicleRow
from app.store.site import SiteRow


@dataclass(frozen=True, slots=True)
class Presented:
    """What a presented token says: whether it may charge, and whose it is (None: unknown)."""

    status: TokenStatus
    driver_id: uuid.UUID | None = None

    @property
    def charging_driver_id(self) -> uuid.UUID | None:
        """The driver, if the token may charge."""
        return self.driver_id if self.status is TokenStatus.ACCEPTED else None


@dataclass(frozen=True, slots=True)
class Intent:
    """When the car leaves and what it needs, counted from plug-in. `max_charge_w` None: only the EVSE limits it."""

    departs_at: datetime
    need_wh: float
    source: IntentSource
    booking_id: uuid.UUID | None = None
    max_charge_w: float | None = None


async def present(tx: Tx, token: str) -> Presented:
    """Look a token up, case-insensitively (OCPP 1.6 CiString, 2.0.1 identifierString)."""
    query = select(TokenRow).where(func.upper(TokenRow.token) == stored_text(token, 255).upper())
    row = (await tx.session.scalars(query)).one_or_none()
    if row is None:
        return Presented(TokenStatus.INVALID)
    if row.is_blocked:
        return Presented(TokenStatus.BLOCKED, row.driver_id)
    if row.expires_at is not None and row.expires_at <= tx.now:
        return Presented(TokenStatus.EXPIRED, row.driver_id)
    return Presented(TokenStatus.ACCEPTED, row.driver_id)


async def intent_at(tx: Tx, site: SiteRow, evse_id: int, presented: Presented | None, at: datetime) -> Intent:
    """Return what the car that arrives at `at` wants; a matching booking becomes arrived.

    A token that may not charge wants nothing: its car gets no more than what the EVSE allows by itself.
    """
    departs_at = at + site.default_stay
    if presented is not None and presented.status is not TokenStatus.ACCEPTED:
        return Intent(departs_at, 0.0, IntentSource.ASSUMED)
    driver_id = None if presented is None else presented.driver_id
    max_charge_w = None if driver_id is None else await _only_car_w(tx, driver_id)
    if driver_id is not None:
        booking = await bookings.claim(tx, site_id=site.site_id, evse_id=evse_id, driver_id=driver_id, at=at)
        if booking is not None and booking.period.upper is not None:
            if booking.vehicle_id is not None:
                car = await tx.session.get(VehicleRow, booking.vehicle_id)
                max_charge_w = max_charge_w if car is None else car.max_charge_w
            return Intent(booking.period.upper, booking.need_wh, IntentSource.BOOKING, booking.booking_id, max_charge_w)
    return Intent(departs_at, site.default_need_wh, IntentSource.ASSUMED, None, max_charge_w)


async def _only_car_w(tx: Tx, driver_id: uuid.UUID) -> float | None:
    """Return how fast the driver's car charges, if there is exactly one and it says."""
    query = select(VehicleRow.max_charge_w).where(VehicleRow.driver_id == driver_id).limit(2)
    cars = (await tx.session.scalars(query)).all()
    return cars[0] if len(cars) == 1 else None
