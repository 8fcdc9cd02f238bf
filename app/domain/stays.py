"""How long cars really stay and how much they really take: what was seen, and what is thought of one that is there."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PastStay:
    """One stay that is over. Instants are aware.

    `driver` tells people apart (None: nobody known), `declared_at` is the departure that was said last (None: nothing
    said), `asked_wh` the energy asked for (None: nothing said), `taken_wh` what the car took.
    """

    driver: str | None
    arrived_at: datetime
    left_at: datetime
    declared_at: datetime | None
    asked_wh: float | None
    taken_wh: float


@dataclass(frozen=True, slots=True)
class Guest:
    """A car that is there, as far as learning is concerned; see `PastStay`. `declared_at` may have passed.

    `asked_wh` counts from plug-in, as `taken_wh` (so far) does. `is_need_known`: it will take exactly `asked_wh` if it
    stays long enough.
    """

    key: str
    driver: str | None
    arrived_at: datetime
    declared_at: datetime | None
    asked_wh: float | None
    taken_wh: float
    max_power_w: float
    is_need_known: bool = False


@dataclass(frozen=True, slots=True)
class NeedBlock:
    """A part of what is asked for: `share` is how likely the car, if it stays, takes a Wh of this part (their mean)."""

    energy_wh: float
    share: float


@dataclass(frozen=True, slots=True)
class StayOutlook:
    """What is thought of a car that is there now.

    `stays_share[k]` is the probability that it is still plugged in at the end of the k-th slot of the 15-minute UTC
    grid, the 0th being the one that contains now; never rising; behind the last one the last counts. `needs` are parts
    of what it still wants, the surest first (empty: it takes what it asked for). `basis` says in words what this is
    taken from, without naming anybody.
    """

    stays_share: tuple[float, ...]
    needs: tuple[NeedBlock, ...] = ()
    basis: str = ""
