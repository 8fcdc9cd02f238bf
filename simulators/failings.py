"""What is wrong with a station: faults that real ones have, as switches."""

from dataclasses import dataclass

from simulators.car import MIN_CURRENT_A


@dataclass(frozen=True, slots=True)
class Failings:
    """A sound station has none.

    `is_lying`: it accepts every profile, reads it back as it should be, and gives its cars the rated current.
    `ignores_pause`: it goes on with the smallest current where nothing is allowed. `ignores_resume`: once paused, a
    transaction stays so. `is_forgetful`: a restart costs it all charging profiles, as a factory reset does.
    `hides_profiles`: it refuses to tell its composite schedule. `apply_delay_s` passes between a new limit and the
    pilot's change.
    """

    is_lying: bool = False
    ignores_pause: bool = False
    ignores_resume: bool = False
    is_forgetful: bool = False
    hides_profiles: bool = False
    apply_delay_s: int = 0

    def offered_a(self, limit_a: float, rated_a: float, *, has_paused: bool) -> float:
        """Return what the pilot signals instead of the limit that follows from the profiles."""
        if self.is_lying:
            return rated_a
        if self.ignores_resume and has_paused:
            return 0.0
        return max(limit_a, MIN_CURRENT_A) if self.ignores_pause else limit_a


SOUND = Failings()
