"""A site as an electrician describes it: its tree, where every EVSE is wired, and what is wrong with a description."""

from dataclasses import dataclass

from app.domain.commands import RateUnit
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Wiring


@dataclass(frozen=True, slots=True)
class EvsePlace:
    """Where an EVSE is wired and what it can draw: `max_current_a` on each of `phase_count` line conductors.

    `feeder_id` None: it hangs at the site itself. `min_current_a` None: the site's, which is for AC; a DC connector
    (`is_dc`) names its own. `rate_unit` is what its limits are sent in, as far as its station has told; at a DC
    connector they are in W, as A would be of its output, and it loads all its phases alike.
    """

    station_id: str
    evse_number: int
    max_current_a: float
    phase_count: int = 1
    feeder_id: str | None = None
    wiring: Wiring = Wiring.UNKNOWN
    min_current_a: float | None = None
    is_dc: bool = False
    rate_unit: RateUnit = RateUnit.A


@dataclass(frozen=True, slots=True)
class SiteModel:
    """A whole site: its root with the feeders, its EVSEs, and the currents of stations without a controller (A)."""

    site: SiteSpec
    places: tuple[EvsePlace, ...] = ()
    safe_current_a: float = 6.0
    min_current_a: float = 6.0

    def planned(self) -> tuple[EvseSpec, ...]:
        """Return the EVSEs as they are meant to be: every default proven; ids count from 1."""
        return tuple(self._planned(number, place) for number, place in enumerate(self.places, start=1))

    def _planned(self, evse_id: int, place: EvsePlace) -> EvseSpec:
        w_per_a = self.site.voltage_v * place.phase_count
        nameplate_w = place.max_current_a * w_per_a
        min_current_a = self.min_current_a if place.min_current_a is None else place.min_current_a
        return EvseSpec(
            evse_id=evse_id,
            station_id=place.station_id,
            evse_number=place.evse_number,
            nameplate_w=nameplate_w,
            min_power_w=min(min_current_a * w_per_a, nameplate_w),
            safe_power_w=min(self.safe_current_a * w_per_a, nameplate_w),
            w_per_a=w_per_a,
            phase_count=place.phase_count,
            is_verified=True,
            is_online=True,
            feeder_id=place.feeder_id,
            wiring=place.wiring,
            rate_unit=RateUnit.W if place.is_dc else place.rate_unit,
            least_phase_count=place.phase_count if place.is_dc else 1,
        )


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at a node, and what would be right. `feeder_id` or an EVSE names the node; neither: the site.

    `field` is the node's, in the words of the API and the site file. A warning may be meant.
    """

    reason: str
    field: str = ""
    feeder_id: str | None = None
    station_id: str | None = None
    evse_number: int | None = None
    is_warning: bool = False

    @property
    def path(self) -> str:
        """Where it stands in a site file or a request: `feeders.panel-a.rating_a`, `stations.cp-1.evses[0].wiring`."""
        if self.feeder_id is not None:
            node = f"feeders.{self.feeder_id}"
        elif self.station_id is not None:
            place = "" if self.evse_number is None else f".evses[{self.evse_number - 1}]"
            node = f"stations.{self.station_id}{place}"
        else:
            node = "site" if self.field else "feeders"
        return f"{node}.{self.field}" if self.field else node
