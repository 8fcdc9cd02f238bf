"""What a plan is made of: one consistent reading of a site's rows, as values (aware UTC, Wh, W)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.intervals import Interval


class IntentSource(StrEnum):
    """Where a session's departure and energy come from, most trusted first."""

    DRIVER = "driver"
    BOOKING = "booking"
    LEARNT = "learnt"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """The site's constants. All cars together stay under `limit_w` − `margin_w` − `reserve_w` (uncontrolled load).

    `lease` is how long a limit holds without renewal, `settle` how long after an acknowledgement headroom is freed,
    `departure_buffer` how early the planner wants cars done where that is free.
    """

    site_id: str
    zone: str
    limit_w: float
    margin_w: float
    reserve_w: float
    lease: timedelta = timedelta(minutes=10)
    settle: timedelta = timedelta(seconds=12)
    departure_buffer: timedelta = timedelta(minutes=30)

    @property
    def available_w(self) -> float:
        """What all EVSEs together may be allowed."""
        return max(0.0, self.limit_w - self.margin_w - self.reserve_w)


@dataclass(frozen=True, slots=True)
class EvseSpec:
    """One EVSE.

    `w_per_a` is the power of one ampere per phase; `min_power_w` the smallest usable power (6 A for AC);
    `safe_power_w` what its default profile allows without a controller; `is_verified` whether that is proven, and
    `verified_at` since when (the car may need SETTLE to come down to it); `is_online` whether a socket of its station
    is up; `is_controllable` whether it can hold a lease, without which it gets nothing above its safe power (site-limit
    rule R6).
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
    `switched_at` is when its limit last went from or to zero.
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
class SurplusSlot:
    """Expected surplus (PV − building load, never negative) over an interval of the planning grid."""

    interval: Interval
    surplus_w: float


@dataclass(frozen=True, slots=True)
class SiteSnapshot:
    """Everything `plan()` may look at. Tuples are sorted by evse_id / start; `surplus` covers the horizon without gaps.

    `measured_surplus_w` is the newest site reading (None when stale).
    """

    site: SiteSpec
    evses: tuple[EvseSpec, ...]
    demands: tuple[Demand, ...]
    expected: tuple[ExpectedDemand, ...] = ()
    surplus: tuple[SurplusSlot, ...] = ()
    measured_surplus_w: float | None = None
    meta: dict[str, str] = field(default_factory=dict)
