"""The raw door: a call in the standard's own words, and what it may do to charging limits before it is let through."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.domain.commands import RateUnit

Limit = float  # in the unit that stands beside it


@dataclass(frozen=True, slots=True)
class RawCall:
    """A call to a station as an expert wrote it: the action and the payload in the standard's camelCase."""

    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RawReply:
    """The station's CALLRESULT as it came."""

    payload: dict[str, Any]


class Effect(StrEnum):
    """What a raw call can do to what the site-limit ledger knows (rule R10).

    HARMLESS: nothing. UNVERIFIES: profiles may be lost or bypassed (reset, firmware, vendor messages). LIMITS: profiles
    are set or cleared, see the changes. FORBIDDEN: only Sunslot itself does this (limit-related settings, how the
    station logs in).
    """

    HARMLESS = "harmless"
    UNVERIFIES = "unverifies"
    LIMITS = "limits"
    FORBIDDEN = "forbidden"


class ChangeKind(StrEnum):
    """Which profiles a change is about; CLEARED: profiles of unknown purpose are taken away."""

    SESSION = "session"
    DEFAULT = "default"
    STATION_MAX = "station_max"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class LimitChange:
    """One profile that a call sets, or the profiles that it clears.

    `evse_number` None or 0: all of the station's. `limit` is the highest of all its periods in `unit`, A per
    phase or W; None: unbounded, unknown, or not believable. `is_replaceable`: a lease of ours replaces it (TxProfile at
    our stack level).
    """

    kind: ChangeKind
    evse_number: int | None
    limit: Limit | None = None
    unit: RateUnit = RateUnit.A
    is_replaceable: bool = False


@dataclass(frozen=True, slots=True)
class Impact:
    """How a dialect classifies a raw call; `reason` says why it is forbidden."""

    effect: Effect
    reason: str = ""
    changes: tuple[LimitChange, ...] = ()
