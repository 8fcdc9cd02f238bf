"""What a station can do, as far as it says so."""

from dataclasses import dataclass

from app.domain.commands import RateUnit

LEAST_LEASE_PERIODS_COUNT = 2


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Everything is None while the station has not said it, or has said something that nobody can believe.

    `rate_units` are what limits may be in; `highest_stack_level` and the counts are the most that it takes (periods of
    one schedule, installed profiles, entries of its local list). `phase_rotation` is in its own words,
    `can_switch_phases` whether it can go from three phases to one. `charges_offline` says whether known cards may
    charge without us. `oddities` are what it said and is not believed.
    """

    rate_units: tuple[RateUnit, ...] | None = None
    has_smart_charging: bool | None = None
    highest_stack_level: int | None = None
    period_count: int | None = None
    profile_count: int | None = None
    evse_count: int | None = None
    phase_count: int | None = None
    phase_rotation: str | None = None
    can_switch_phases: bool | None = None
    feature_profiles: tuple[str, ...] | None = None
    local_list_count: int | None = None
    charges_offline: bool | None = None
    oddities: tuple[str, ...] = ()

    @property
    def takes_leases(self) -> bool:
        """Whether it can hold a lease: a session's profile of two periods (site-limit rule R6); unknown counts as yes.

        A station that turns out not to refuses its orders, which frees nothing and raises nothing.
        """
        has_room = self.period_count is None or self.period_count >= LEAST_LEASE_PERIODS_COUNT
        return has_room and self.has_smart_charging is not False

    def rate_unit(self, current: RateUnit) -> RateUnit:
        """Return what its limits are spelled in: what was used so far if that is not ruled out."""
        return current if not self.rate_units or current in self.rate_units else self.rate_units[0]
