"""Facts: what stations tell us, in one shape for both dialects (the shape is OCPP 2.0.1's).

Every fact carries `at` (the station's clock, already clamped to something believable or replaced by `received_at`)
and `received_at` (ours). EVSE numbers start at 1; 0 is the station as a whole.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from app.domain.device import Variable


class Occupancy(StrEnum):
    """Whether a car could use the EVSE; orthogonal to `Activity`."""

    FREE = "free"
    OCCUPIED = "occupied"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"


class Activity(StrEnum):
    """What the plugged-in car does; orthogonal to `Occupancy`."""

    NONE = "none"
    CONNECTED = "connected"
    CHARGING = "charging"
    PAUSED_BY_EV = "paused_by_ev"
    PAUSED_BY_STATION = "paused_by_station"


class TokenStatus(StrEnum):
    """Whether a presented token may charge."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    INVALID = "invalid"


class BootStatus(StrEnum):
    """Answer to a boot: accepted (commissioned) or pending (known, not commissioned yet)."""

    ACCEPTED = "accepted"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class StationBooted:
    """OCPP 1.6 §4.2, 2.0.1 B01: the station (re)started; what it was verified to hold must be read again."""

    at: datetime
    received_at: datetime
    vendor: str
    model: str
    serial: str | None
    firmware: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class StationSeen:
    """A heartbeat."""

    at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class StatusReported:
    """Occupancy and/or activity of an EVSE; `None` says nothing about that half. `fault` is the station's own word."""

    evse_number: int
    at: datetime
    received_at: datetime
    occupancy: Occupancy | None
    activity: Activity | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class TokenPresented:
    """Authorize: the station asks whether a token may charge."""

    token: str
    at: datetime
    received_at: datetime


class Sample(NamedTuple):
    """One sampled value, normalised: W, Wh, A, V, percent; `value` is finite. A tuple, as there are thousands."""

    measurand: str
    value: float
    unit: str
    phase: str = ""
    location: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class Metered:
    """Meter values of one instant. `station_ref` names the session if the station said so.

    `register_wh` is the import register (None if absent), `power_w` the active import power (None if absent; derived
    from currents where only they are given), both without phase-only duplicates. `samples` holds everything.
    """

    evse_number: int
    at: datetime
    received_at: datetime
    station_ref: str | None
    register_wh: float | None
    power_w: float | None
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A car was plugged in / a transaction began.

    `station_ref` None asks us to issue one (OCPP 1.6: a random positive 31-bit integer as text).
    `business_key` is the idempotency key of the message: replays carry the same one.
    """

    evse_number: int
    at: datetime
    received_at: datetime
    station_ref: str | None
    token: str | None
    meter_start_wh: float | None
    business_key: str
    offline: bool = False
    activity: Activity | None = None


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """OCPP 2.0.1 TransactionEvent Updated: activity and/or a late token of a running session."""

    evse_number: int
    at: datetime
    received_at: datetime
    station_ref: str
    business_key: str
    token: str | None = None
    activity: Activity | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The transaction is over. `station_ref` may be unknown to us: then it is quarantined, and still answered.

    `issued_key`, where given, is the idempotency key instead of `business_key` if the session is one of ours: a station
    may end it twice with other times and registers (OCPP 1.6, after a restart).
    """

    evse_number: int | None
    at: datetime
    received_at: datetime
    station_ref: str
    meter_stop_wh: float | None
    business_key: str
    reason: str | None = None
    token: str | None = None
    offline: bool = False
    issued_key: str | None = None


@dataclass(frozen=True, slots=True)
class Suspicious:
    """A message, or part of one, that we answered but do not believe: stored in quarantine with its reason."""

    at: datetime
    received_at: datetime
    action: str
    reason: str
    payload: str


class ReportKind(StrEnum):
    """What a `StationReported` is about."""

    FIRMWARE = "firmware"
    PUBLISHED_FIRMWARE = "published_firmware"
    LOG = "log"
    SECURITY = "security"
    RESERVATION = "reservation"
    EXTERNAL_LIMIT = "external_limit"
    EXTERNAL_LIMIT_CLEARED = "external_limit_cleared"
    EV_NEEDS = "ev_needs"
    EV_SCHEDULE = "ev_schedule"
    MONITOR_EVENT = "monitor_event"
    MONITORS = "monitors"
    PROFILES = "profiles"
    CUSTOMER_INFORMATION = "customer_information"
    DISPLAY_MESSAGES = "display_messages"
    VENDOR_MESSAGE = "vendor_message"


@dataclass(frozen=True, slots=True)
class StationReported:
    """Something the operator wants to know and the scheduler does not need: kept as an event of the station.

    `name` is the station's own word (a status, a security event's type, a vendor id); `request_id` names the job of
    ours that it reports on (OCPP 1.6 firmware and diagnostics have none: then the newest job of that kind is meant);
    `is_last` is False where further parts of the same report follow. `detail` is JSON without what is said elsewhere.
    """

    kind: ReportKind
    name: str
    at: datetime
    received_at: datetime
    request_id: int | None = None
    evse_number: int | None = None
    is_last: bool = True
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VariablesReported:
    """One part of a report on the device model (OCPP 2.0.1 NotifyReport, B07)."""

    at: datetime
    received_at: datetime
    request_id: int
    seq_no: int
    is_last: bool
    variables: tuple[Variable, ...]


class CertificateUse(StrEnum):
    """What a certificate of a station is for (OCPP 2.0.1 A02, A03)."""

    STATION = "station"
    V2G = "v2g"


@dataclass(frozen=True, slots=True)
class CertificateRequested:
    """SignCertificate: the station wants this PKCS #10 request (PEM) signed."""

    csr: str
    use: CertificateUse
    at: datetime
    received_at: datetime


Fact = (
    StationBooted
    | StationSeen
    | StatusReported
    | TokenPresented
    | Metered
    | SessionStarted
    | SessionUpdated
    | SessionEnded
    | StationReported
    | VariablesReported
    | CertificateRequested
    | Suspicious
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording facts decided, for the dialect to spell as an answer.

    `token_status` is None where no token was presented; `station_ref` is the reference of the session that a
    `SessionStarted` created or had created before; `boot_status` answers a `StationBooted`; `is_taken` says whether a
    `CertificateRequested` will be seen to.
    """

    boot_status: BootStatus | None = None
    token_status: TokenStatus | None = None
    station_ref: str | None = None
    quarantined: tuple[str, ...] = field(default=())
    is_taken: bool = False
