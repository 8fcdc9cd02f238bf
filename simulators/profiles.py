"""Charging profiles: what a station holds, which limit follows from it at an instant, and its composite schedule.

OCPP 1.6 §3.13 and OCPP 2.0.1 K01: of each purpose the highest stack level that is active wins; a TxProfile replaces the
TxDefaultProfile while it is active; the station's maximum caps both.
"""

from dataclasses import dataclass
from enum import StrEnum

MAX_STACK_LEVEL = 10
MAX_PERIODS = 24
MAX_PROFILES = 24
DAY_S, WEEK_S = 86_400, 604_800


class Purpose(StrEnum):
    """The three purposes, in one spelling for both dialects."""

    STATION_MAX = "station_max"
    TX_DEFAULT = "tx_default"
    TX = "tx"


@dataclass(frozen=True, slots=True)
class Electrical:
    """What turns W into A per phase, and what an EVSE can give at most."""

    rated_a: float
    voltage_v: float
    phase_count: int


@dataclass(frozen=True, slots=True)
class Period:
    """From `offset_s` on, `limit` (A per phase or W, as the profile's unit says) on `phase_count` phases (None: 3)."""

    offset_s: int
    limit: float
    phase_count: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One charging profile with one schedule. `start_s` None: relative to the start of the transaction.

    `repeat_s` is the period of a recurring schedule, None for the others. `tx_ref` binds a TxProfile.
    """

    profile_id: int
    evse_number: int
    purpose: Purpose
    stack_level: int
    unit: str
    periods: tuple[Period, ...]
    start_s: int | None = None
    duration_s: int | None = None
    repeat_s: int | None = None
    valid_from_s: int | None = None
    valid_to_s: int | None = None
    tx_ref: str | None = None

    def _began_s(self, at_s: int, anchor_s: int) -> int:
        if self.start_s is None:
            return anchor_s
        if self.repeat_s is None:
            return self.start_s
        return at_s - (at_s - self.start_s) % self.repeat_s

    def period_at(self, at_s: int, anchor_s: int) -> Period | None:
        """Return the period in force; None while the profile says nothing."""
        if self.valid_from_s is not None and at_s < self.valid_from_s:
            return None
        if self.valid_to_s is not None and at_s >= self.valid_to_s:
            return None
        offset_s = at_s - self._began_s(at_s, anchor_s)
        if offset_s < 0 or (self.duration_s is not None and offset_s >= self.duration_s):
            return None
        return next((period for period in reversed(self.periods) if period.offset_s <= offset_s), None)

    def changes_after(self, at_s: int, anchor_s: int) -> list[int]:
        """Return the seconds after `at_s` at which it may say something else."""
        began_s = self._began_s(at_s, anchor_s)
        marks = [began_s + period.offset_s for period in self.periods]
        if self.duration_s is not None:
            marks.append(began_s + self.duration_s)
        if self.repeat_s is not None:
            marks.append(began_s + self.repeat_s)
        marks += [bound_s for bound_s in (self.valid_from_s, self.valid_to_s) if bound_s is not None]
        return [mark_s for mark_s in marks if mark_s > at_s]


def period_limit_a(period: Period, unit: str, electrical: Electrical) -> float:
    """Return a period's limit in A per phase; W are spread over the phases that are used."""
    if unit == "A":
        return period.limit
    phases = min(electrical.phase_count, period.phase_count or electrical.phase_count)
    return period.limit / (electrical.voltage_v * phases)


class ProfileStore:
    """All profiles of one station (EVSE number 0: of the station as a whole)."""

    def __init__(self, electrical: Electrical) -> None:
        self.electrical = electrical
        self.profiles: list[Profile] = []

    def install(self, profile: Profile) -> bool:
        """Keep a profile, replacing the one with its id or with its purpose, level and EVSE; False if it is refused."""
        offsets_s = [period.offset_s for period in profile.periods]
        if not 0 < len(offsets_s) <= MAX_PERIODS or offsets_s[0] != 0 or offsets_s != sorted(set(offsets_s)):
            return False
        if not 0 <= profile.stack_level <= MAX_STACK_LEVEL or any(period.limit < 0 for period in profile.periods):
            return False
        if (profile.purpose is Purpose.STATION_MAX) != (profile.evse_number == 0) and (
            profile.purpose is not Purpose.TX_DEFAULT
        ):
            return False
        slot = (profile.purpose, profile.stack_level, profile.evse_number)
        others = [
            held
            for held in self.profiles
            if held.profile_id != profile.profile_id and (held.purpose, held.stack_level, held.evse_number) != slot
        ]
        if len(others) >= MAX_PROFILES:
            return False
        self.profiles = [*others, profile]
        return True

    def clear(
        self,
        *,
        profile_id: int | None = None,
        evse_number: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Forget the profiles that match everything given; return how many."""
        kept = [
            held
            for held in self.profiles
            if (profile_id is not None and held.profile_id != profile_id)
            or (evse_number is not None and held.evse_number != evse_number)
            or (purpose is not None and held.purpose is not purpose)
            or (stack_level is not None and held.stack_level != stack_level)
        ]
        cleared = len(self.profiles) - len(kept)
        self.profiles = kept
        return cleared

    def end_transaction(self, evse_number: int) -> None:
        """Forget the TxProfiles of an EVSE: they live as long as its transaction."""
        self.profiles = [
            held for held in self.profiles if held.purpose is not Purpose.TX or held.evse_number != evse_number
        ]

    def _relevant(self, evse_number: int, has_tx: bool) -> list[Profile]:
        return [
            held
            for held in self.profiles
            if held.evse_number in {0, evse_number} and (has_tx or held.purpose is not Purpose.TX)
        ]

    def limit_a(self, evse_number: int, at_s: int, *, anchor_s: int, has_tx: bool, sharing_count: int = 1) -> float:
        """Return the limit in A per phase, at most the rated current (which is also what no profile at all means).

        `anchor_s` is when the transaction began (without one: now). The station's maximum is shared equally by
        `sharing_count` EVSEs.
        """
        best: dict[Purpose, tuple[tuple[int, int], float]] = {}
        for profile in self._relevant(evse_number, has_tx):
            period = profile.period_at(at_s, anchor_s)
            if period is None:
                continue
            rank = (profile.stack_level, profile.evse_number)
            if profile.purpose not in best or rank > best[profile.purpose][0]:
                best[profile.purpose] = (rank, period_limit_a(period, profile.unit, self.electrical))
        limit_a = self.electrical.rated_a
        session = best.get(Purpose.TX) or best.get(Purpose.TX_DEFAULT)
        if session is not None:
            limit_a = min(limit_a, session[1])
        if Purpose.STATION_MAX in best:
            limit_a = min(limit_a, best[Purpose.STATION_MAX][1] / max(1, sharing_count))
        return limit_a

    def next_change_s(self, evse_number: int, at_s: int, *, anchor_s: int, has_tx: bool) -> int | None:
        """Return the first second after `at_s` at which the limit may change by itself; None if never."""
        marks = [
            mark_s
            for profile in self._relevant(evse_number, has_tx)
            for mark_s in profile.changes_after(at_s, anchor_s)
        ]
        return min(marks, default=None)

    def composite_a(
        self, evse_number: int, at_s: int, duration_s: int, *, anchor_s: int, has_tx: bool
    ) -> list[tuple[int, float]]:
        """Return the composite schedule as (offset in s, limit in A per phase), equal neighbours merged."""
        pieces: list[tuple[int, float]] = []
        mark_s: int | None = at_s
        while mark_s is not None and (mark_s < at_s + duration_s or not pieces):
            limit_a = self.limit_a(evse_number, mark_s, anchor_s=anchor_s, has_tx=has_tx)
            if not pieces or pieces[-1][1] != limit_a:
                pieces.append((mark_s - at_s, limit_a))
            mark_s = self.next_change_s(evse_number, mark_s, anchor_s=anchor_s, has_tx=has_tx)
        return pieces
