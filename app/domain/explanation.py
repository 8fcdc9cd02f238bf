"""Why a plan is as it is, per session and slot: stable codes for programs, sentences for people."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.intervals import Interval


class Why(StrEnum):
    """The reason that decides. In a slot in which it charges, why there; in another, why not (or not more)."""

    SUN = "sun"
    """It charges from the sun; or it does not, because sun is expected at another time."""
    PROMISE = "promise"
    """The grid gives what the sun cannot give until the departure that was said, as late as is safe."""
    RISK = "risk"
    """It may have left later: now is surer than a better time that may come too late."""
    PRICE = "price"
    """The grid is cheaper at one time than at another."""
    CO2 = "co2"
    """The grid is cleaner at one time than at another."""
    DEMAND = "demand"
    """More would count towards the contract's 30-minute demand."""
    MARGIN = "margin"
    """It is to be done some time before it leaves, where that is free."""
    LATE = "late"
    """Other times are as good: the sun is used as early and the grid as late as is safe, with few changes."""
    DONE = "done"
    """It has everything by then."""
    FULL = "full"
    """Nothing more is wanted."""
    CAR = "car"
    """The car, its cable or its EVSE takes no more than that."""
    SITE_LIMIT = "site_limit"
    """The site's limit leaves no room: others need it then."""
    FEEDER_LIMIT = "feeder_limit"
    """A feeder's limit leaves no room: others need it then."""
    BOOKING = "booking"
    """The room is kept for a car that has booked."""
    LEAVES = "leaves"
    """It leaves in this slot, or soon: it gets all it can take."""
    TURN = "turn"
    """Less than the least usable power is planned: cars take turns."""
    RESTING = "resting"
    """It was switched a moment ago, and stays as it is for some minutes."""
    OFFLINE = "offline"
    """Its station is not connected: no limit reaches it."""
    UNVERIFIED = "unverified"
    """Its safe default is not proven: it counts with its nameplate, and no limit is sent."""
    NOT_STEERABLE = "not_steerable"
    """It cannot hold a limit, or does not do what it is told: it gets its safe power only."""
    UNPLANNED = "unplanned"
    """The plan knows no wish of it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and the sentence that says it, with figures and the site's local time."""

    code: Why
    text: str


@dataclass(frozen=True, slots=True)
class SpanReason:
    """Why it charges with `power_w` (a mean) in slots that follow each other, or does not (0).

    `why_not_more` is given where it charges with less than it could take.
    """

    interval: Interval
    power_w: float
    reason: Reason
    why_not_more: Reason | None = None


@dataclass(frozen=True, slots=True)
class NowInstead:
    """What it would cost to take `energy_wh` in the current slot instead of when it is planned last or dearest.

    Wh more from the grid over the whole plan, and what they cost more (in the site's currency and in g of CO2; None:
    not told). All may be negative.
    """

    energy_wh: float
    grid_wh: float
    cost: float | None
    co2_g: float | None


@dataclass(frozen=True, slots=True)
class SessionExplanation:
    """Everything there is to say about one session's part of a plan.

    `now` is why its limit is what it is, most decisive first; `spans` cover the plan's slots up to its departure.
    `sun_wh` and `grid_wh` are where its energy is planned to come from (its share of what all take in a slot).
    `now_instead` is None where it cannot take more now, or nothing is planned later. `done_at` is when it is expected
    to have everything (None: it will not), `missing_wh` what it will not get, and `missing_for` why.
    """

    session_id: str
    evse_id: int
    target_w: float
    now: tuple[Reason, ...]
    spans: tuple[SpanReason, ...]
    planned_wh: float
    sun_wh: float
    grid_wh: float
    now_instead: NowInstead | None
    done_at: datetime | None
    missing_wh: float
    missing_for: str
    stay_basis: str
