"""Commands: what we tell stations, in one shape for both dialects, and the union of how they can end."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.domain.upkeep import Upkeep


class ProfilePurpose(StrEnum):
    """Which of a station's profiles: the standing default of an EVSE, the station's maximum, or a running session's."""

    DEFAULT = "default"
    STATION_MAX = "station_max"
    SESSION = "session"


class RateUnit(StrEnum):
    """What a profile's limits are in."""

    A = "A"
    W = "W"


@dataclass(frozen=True, slots=True)
class ProfilePeriod:
    """From `offset_s` after the schedule's start the limit is `limit`: A per phase or W, as the profile's unit says."""

    offset_s: int
    limit: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A charging profile (OCPP 1.6 §7.8, 2.0.1 K01). `start_at` None means relative to nothing: a standing limit.

    `profile_id` is unique per station and purpose+EVSE, so that a renewal replaces its predecessor.
    `station_ref` is set for, and only for, SESSION profiles. `phase_count` None leaves numberPhases out.
    """

    profile_id: int
    purpose: ProfilePurpose
    stack_level: int
    unit: RateUnit
    periods: tuple[ProfilePeriod, ...]
    start_at: datetime | None = None
    station_ref: str | None = None
    phase_count: int | None = None


@dataclass(frozen=True, slots=True)
class ApplyProfile:
    """SetChargingProfile on one EVSE (0: the whole station)."""

    evse_number: int
    profile: Profile


@dataclass(frozen=True, slots=True)
class ClearProfile:
    """ClearChargingProfile by id, or by purpose and EVSE where the id is None."""

    evse_number: int | None = None
    profile_id: int | None = None
    purpose: ProfilePurpose | None = None


@dataclass(frozen=True, slots=True)
class ReadComposite:
    """GetCompositeSchedule; Accepted.detail: {"start_at", "unit", "periods": [[offset_s, limit], …]} where given."""

    evse_number: int
    duration_s: int
    unit: RateUnit = RateUnit.A


@dataclass(frozen=True, slots=True)
class StartSession:
    """RemoteStartTransaction / RequestStartTransaction."""

    evse_number: int
    token: str
    remote_start_id: int


@dataclass(frozen=True, slots=True)
class StopSession:
    """RemoteStopTransaction / RequestStopTransaction."""

    station_ref: str


@dataclass(frozen=True, slots=True)
class Reboot:
    """Reset: soft (2.0.1 OnIdle) or hard (2.0.1 Immediate)."""

    hard: bool = False


@dataclass(frozen=True, slots=True)
class Trigger:
    """TriggerMessage, ExtendedTriggerMessage: have a message sent now.

    `message` is one of boot, heartbeat, status, meter_values, firmware_status, log_status, diagnostics_status (1.6
    only), sign_certificate (1.6 says it by ExtendedTriggerMessage).
    """

    message: str
    evse_number: int | None = None


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """GetConfiguration / GetVariables. Names are the station's own (2.0.1: "Component.Variable"); empty = all (1.6).

    Accepted.detail: {"values": {name: value | None}, "unknown": [name, …]}.
    """

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteSetting:
    """ChangeConfiguration / SetVariables, one at a time. Accepted.detail: {"reboot_required": bool}."""

    name: str
    value: str


Command = (
    ApplyProfile
    | ClearProfile
    | ReadComposite
    | StartSession
    | StopSession
    | Reboot
    | Trigger
    | ReadSettings
    | WriteSetting
    | Upkeep
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The station did it (or will)."""

    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The station understood and refused; `reason` is its own word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsupported:
    """The station, or its dialect, does not know this."""

    reason: str = ""


Outcome = Accepted | Rejected | Unsupported
