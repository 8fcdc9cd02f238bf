"""Limits that may be in force at EVSEs: the durable entries of the site-limit ledger, as values.

`Q_i` of an EVSE is its verified default, every entry whose bytes may have left and that is not proven replaced, and the
previous one until SETTLE after its successor's acknowledgement.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LimitEntry:
    """One SetChargingProfile intent. It exists before its bytes leave (rule R1).

    `power_w` holds from `intended_at` until `ends_at` (the lease's end in the ledger), then the EVSE's safe power.
    `lease_ends_at` is when it ends by the station's own clock, as far as that is right (None: with `ends_at`).
    `taken_at` is when a socket took it. `accepted_at` is when the station's acknowledgement came back, None while
    unknown; `failed_at` when waiting for it ended in an error, a timeout or a hang-up, which leaves it unknown (rule
    R5). An intent that the station refused with a proper answer is `is_refused`, and never was in force. `switched_at`
    is when, with it, the session's limit last went from or to zero (None: never yet).
    """

    order_no: int
    evse_id: int
    power_w: float
    intended_at: datetime
    ends_at: datetime
    accepted_at: datetime | None = None
    is_refused: bool = False
    session_id: str = ""
    lease_ends_at: datetime | None = None
    taken_at: datetime | None = None
    failed_at: datetime | None = None
    refused_at: datetime | None = None
    switched_at: datetime | None = None

    def is_in_force_at(self, now: datetime) -> bool:
        """Whether, by what the station said and the time, its lease holds."""
        return self.accepted_at is not None and now < (self.lease_ends_at or self.ends_at)


@dataclass(frozen=True, slots=True)
class EvseLedger:
    """Everything that may be in force at one EVSE.

    `default_w` is the power of its verified default profile, None while unverified: then it counts as `nameplate_w`.
    """

    evse_id: int
    nameplate_w: float
    default_w: float | None
    entries: tuple[LimitEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitIntent:
    """A limit that the allocator wants sent, not yet numbered."""

    evse_id: int
    session_id: str
    power_w: float
    lease_ends_at: datetime
    ends_at: datetime
    reason: str
    switched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """A numbered intent for a station's session to send: what its dialect needs to spell a lease profile."""

    order_no: int
    station_id: str
    evse_number: int
    station_ref: str
    power_w: float
    safe_power_w: float
    intended_at: datetime
    lease_ends_at: datetime
    w_per_a: float
    phase_count: int
