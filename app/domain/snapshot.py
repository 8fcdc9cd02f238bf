"""What a plan is made of: one consistent reading of a site's rows, as values (aware UTC, Wh, W)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.commands import RateUnit
from app.domain.intervals import Interval
from app.domain.stays import StayOutlook
from app.domain.wiring import Feeder, Wiring


class IntentSource(StrEnum):
    """Where a session's departure and energy come from, most trusted first."""

    DRIVER = "driver"
    BOOKING = "booking"
    LEARNT = "learnt"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """The site's constants. All cars together stay under `limit_w` − `margin_w` − uncontrolled load (`reserve_w`).

    `feeders` is the electrical tree below the site. `surprised_count` is k: at every node so many stations may forget
    or ignore their limits at once without a violation. `low_voltage_share` is the lowest voltage over the nominal one.
    `rise_w` is the site's ΔB (see `Feeder`). `demand_target_w` is the contract's 30-minute mean, None without one.

    `lease` is how long a limit holds without renewal, `settle` how long after an acknowledgement headroom is freed,
    `departure_buffer` how early the planner wants cars done where that is free. `miss_cost_ratio` is how many kWh from
    the grid it is worth to deliver one kWh that a car would miss by leaving early (0: departures are taken as said).
    """

    site_id: str
    zone: str
    limit_w: float
    margin_w: float
    reserve_w: float
    lease: timedelta = timedelta(minutes=10)
    settle: timedelta = timedelta(seconds=12)
    departure_buffer: timedelta = timedelta(minutes=30)
    feeders: tuple[Feeder, ...] = ()
    surprised_count: int = 0
    voltage_v: float = 200.0
    low_voltage_share: float = 0.9
    rise_w: float | None = None
    demand_target_w: float | None = None
    miss_cost_ratio: float = 6.0


@dataclass(frozen=True, slots=True)
class EvseSpec:
    """One EVSE.

    `w_per_a` is the power of one ampere per phase; `min_power_w` the smallest usable power (6 A for AC);
    `safe_power_w` what its default profile allows without a controller; `is_verified` whether that is proven, and
    `verified_at` since when (the car may need SETTLE to come down to it); `is_online` whether a socket of its station
    is up; `is_controllable` whether it can hold a lease and does what it is told, without which it gets nothing above
    its safe power (site-limit rule R6).

    `feeder_id` is the feeder that it hangs at (None: the site), `wiring` the line conductors it uses there. A limit
    sent in W (`rate_unit`) bounds the current of a phase only at the lowest voltage on `least_phase_count` phases.
    `lease_slack` is how much later than meant its leases may end: its clock's offset and the delay of applying.
    """

    evse_id: int
    station_id: str
    evse_number: int
    nameplate_w: float
    min_power_w: float
    safe_power_w: float
    w_per_a: float
    phase_count: int
    is_verified: bool
    is_online: bool
    is_controllable: bool = True
    verified_at: datetime | None = None
    feeder_id: str | None = None
    wiring: Wiring = Wiring.UNKNOWN
    rate_unit: RateUnit = RateUnit.A
    least_phase_count: int = 1
    lease_slack: timedelta = timedelta(seconds=30)

    @property
    def is_ready(self) -> bool:
        """Whether limits may be sent to it now."""
        return self.is_online and self.is_verified and self.is_controllable

    @property
    def usable_w(self) -> float:
        """The most that it may ever be allowed."""
        return self.nameplate_w if self.is_controllable else min(self.safe_power_w, self.nameplate_w)


@dataclass(frozen=True, slots=True)
class Demand:
    """A plugged-in session that still wants energy.

    `need_wh` is what is still to be delivered, `max_power_w` the least of EVSE, car and the cap learnt from metered
    power. `power_w` is the last metered power (None unknown), `limit_w` the limit accepted last (None: default only).
    `switched_at` is when its limit last went from or to zero. `outlook` is what was learnt of how long it may really
    stay and take (None: what was said counts).
    """

    session_id: str
    evse_id: int
    arrived_at: datetime
    departs_at: datetime
    need_wh: float
    max_power_w: float
    min_power_w: float
    source: IntentSource
    power_w: float | None = None
    limit_w: float | None = None
    switched_at: datetime | None = None
    outlook: StayOutlook | None = None


@dataclass(frozen=True, slots=True)
class ExpectedDemand:
    """A booking whose car is not plugged in yet."""

    booking_id: str
    evse_id: int
    period: Interval
    need_wh: float
    max_power_w: float
    min_power_w: float


@dataclass(frozen=True, slots=True)
class ArrivalGroup:
    """Cars that usually come and are not there yet, without a booking: so many (a mean) at about the same time.

    They only claim a share of the sun and of the limits; nothing is promised to them.
    """

    period: Interval
    cars_count: float
    need_wh: float
    max_power_w: float


@dataclass(frozen=True, slots=True)
class SurplusSlot:
    """Expected surplus (PV − building load, never negative) over an interval of the planning grid.

    `low_w` and `high_w` are its P10 and P90 (None: not known). `deficit_w` is building load − PV, never negative: what
    the building takes from the grid, which counts towards the contract's 30-minute mean.
    """

    interval: Interval
    surplus_w: float
    low_w: float | None = None
    high_w: float | None = None
    deficit_w: float = 0.0


@dataclass(frozen=True, slots=True)
class GridSlot:
    """What a kWh from the grid costs over an interval, in the site's currency and in g CO2 (None: not told)."""

    interval: Interval
    price_per_kwh: float | None
    co2_g_per_kwh: float | None


@dataclass(frozen=True, slots=True)
class SiteSnapshot:
    """Everything `plan()` may look at. Tuples are sorted by evse_id / start; `surplus` covers the horizon without gaps.

    `measured_surplus_w` is the newest site reading (None when stale). `grid` is sorted by start too and may be
    empty or have gaps: prices that are not told are alike.
    """

    site: SiteSpec
    evses: tuple[EvseSpec, ...]
    demands: tuple[Demand, ...]
    expected: tuple[ExpectedDemand, ...] = ()
    surplus: tuple[SurplusSlot, ...] = ()
    measured_surplus_w: float | None = None
    arrivals: tuple[ArrivalGroup, ...] = ()
    grid: tuple[GridSlot, ...] = ()
    meta: dict[str, str] = field(default_factory=dict)
