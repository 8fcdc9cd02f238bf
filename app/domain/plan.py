"""A charging plan: for every plugged-in session the mean power in every slot, and what could not be promised."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.intervals import Interval


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One session's part. `power_w[k]` is the mean power in `slots[k]` of the plan.

    `target_w` is the limit wanted right now: 0, or at least the EVSE's minimum. `must_w` is the part of the first
    slot's power on which the departure depends, whatever the sun does, `most_w` what the car can take (0: it needs no
    more). `unmet_wh` is what cannot be delivered by departure (0 when all can); `reason` says why in words when it
    is not 0, and where all can be delivered, but the car will probably leave before that could be done.
    """

    session_id: str
    evse_id: int
    power_w: tuple[float, ...]
    target_w: float
    unmet_wh: float
    reason: str = ""
    must_w: float = 0.0
    most_w: float = 0.0


@dataclass(frozen=True, slots=True)
class ExpectedLine:
    """A booking's share of the plan, while its car is not there yet."""

    booking_id: str
    evse_id: int
    power_w: tuple[float, ...]
    unmet_wh: float


@dataclass(frozen=True, slots=True)
class ChargingPlan:
    """The result of `plan(snapshot, now)`. `slots[0]` starts at `made_at`, maybe cut short; then the 15-min grid."""

    site_id: str
    made_at: datetime
    slots: tuple[Interval, ...]
    surplus_w: tuple[float, ...]
    lines: tuple[PlanLine, ...]
    expected: tuple[ExpectedLine, ...] = ()
