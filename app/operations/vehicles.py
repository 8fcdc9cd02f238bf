"""Drivers' cars, and what a wish for energy or range means with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from app.domain.booking import EnergyWish
from app.domain.errors import Invalid, NotFound
from app.operations import drivers
from app.operations.transaction import Tx
from app.store import driver_queries
from app.store.driver import VehicleRow


@dataclass(frozen=True, slots=True)
class Need:
    """A wish in energy. `vehicle_id` is None where no car was named, `max_charge_w` where its AC bound is unknown."""

    need_wh: float
    vehicle_id: UUID | None = None
    max_charge_w: float | None = None


async def add(tx: Tx, driver_id: UUID, values: Mapping[str, Any], owner_id: UUID | None = None) -> VehicleRow:
    """Add a car (`values` are columns of the row) to a driver; raises NotFound."""
    await drivers.get(tx, driver_id, owner_id)
    row = VehicleRow(vehicle_id=uuid4(), driver_id=driver_id, **values)
    tx.session.add(row)
    await tx.session.flush()
    return row


async def vehicles(tx: Tx, driver_id: UUID, owner_id: UUID | None = None) -> Sequence[VehicleRow]:
    """Return a driver's cars by name; raises NotFound."""
    await drivers.get(tx, driver_id, owner_id)
    return await driver_queries.vehicles(tx.session, driver_id)


async def remove(tx: Tx, driver_id: UUID, vehicle_id: UUID, owner_id: UUID | None = None) -> None:
    """Take a car from a driver; raises NotFound."""
    await drivers.get(tx, driver_id, owner_id)
    row = await driver_queries.vehicle(tx.session, driver_id, vehicle_id)
    if row is None:
        raise NotFound("the driver has no such vehicle")
    await tx.session.delete(row)
    await tx.session.flush()


async def need_of(tx: Tx, driver_id: UUID | None, wish: EnergyWish) -> Need:
    """Return what a wish means in energy; raises Invalid naming the field that is missing, doubled or unknown."""
    if wish.need_wh is not None and wish.range_km is not None:
        raise Invalid("cannot be given together with energy_kwh", field="range_km")
    if wish.need_wh is None and wish.range_km is None:
        raise Invalid("is needed, or range_km with vehicle_id", field="energy_kwh")
    if wish.vehicle_id is None:
        if wish.range_km is not None:
            raise Invalid("is needed with range_km", field="vehicle_id")
        return Need(wish.wanted_wh(None))
    row = None
    if driver_id is not None:
        row = await driver_queries.vehicle(tx.session, driver_id, UUID(wish.vehicle_id))
    if row is None:
        raise Invalid("is not a vehicle of this driver", field="vehicle_id")
    return Need(wish.wanted_wh(row.consumption_wh_per_km), row.vehicle_id, row.max_charge_w)
