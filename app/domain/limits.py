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
    `accepted_at` is when the station's acknowledgement came back, None while unknown. An intent that the station
    refused with a proper answer is `refused`, and never was in force; errors and timeouts leave it unknown (rule R5).
    """

    order_no: int
    evse_id: int
    power_w: float
    intended_at: datetime
    ends_at: datetime
    accepted_at: datetime | None = None
    is_refused: bool = False


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
    ends_at: datetime
    reason: str


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
