"""How much a driver wants, as bookings and intents both say it."""

from uuid import UUID

from app.api.models import EnergyKwh, In, RangeKm
from app.domain.booking import EnergyWish
from app.domain.units import wh_from_kwh


class WishIn(In):
    """Energy counted from plug-in: `energy_kwh`, or `range_km` with the car `vehicle_id`."""

    energy_kwh: EnergyKwh | None = None
    range_km: RangeKm | None = None
    vehicle_id: UUID | None = None

    def wish(self) -> EnergyWish:
        """Return it in Wh."""
        return EnergyWish(
            need_wh=None if self.energy_kwh is None else wh_from_kwh(self.energy_kwh),
            range_km=self.range_km,
            vehicle_id=None if self.vehicle_id is None else str(self.vehicle_id),
        )

    def says_something(self) -> bool:
        """Return whether any of it was given."""
        return self.energy_kwh is not None or self.range_km is not None or self.vehicle_id is not None
