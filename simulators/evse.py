"""The electrical side of one EVSE: pilot, contactor, ramp, register; one call of `tick` is one second."""

from dataclasses import dataclass
from enum import StrEnum

from simulators.car import MIN_CURRENT_A, Car

RAMP_S = 5


class Activity(StrEnum):
    """What goes on at an EVSE, in words that both dialects can spell."""

    FREE = "free"
    CONNECTED = "connected"
    CHARGING = "charging"
    PAUSED_BY_STATION = "paused_by_station"
    PAUSED_BY_CAR = "paused_by_car"
    FINISHED = "finished"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"


AT_REST = {Activity.FREE, Activity.RESERVED, Activity.UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Reading:
    """What the EVSE's meter shows: the register in whole Wh, as it is sent."""

    at_s: int
    register_wh: int
    power_w: float
    current_a: float
    voltage_v: float


class Evse:
    """One EVSE with its meter, and the car at its cable.

    `offered_a` is what the pilot signals: 0, or 6 A up to the rated current (IEC 61851-1: nothing between 0 and 6 A).
    The car follows within `RAMP_S` seconds. `is_closed` says whether the contactor is closed (a transaction runs).
    """

    __slots__ = (
        "_power_per_a_w",
        "_ramp_a",
        "car",
        "current_a",
        "is_closed",
        "number",
        "offered_a",
        "phase_count",
        "power_w",
        "rated_a",
        "register_wh",
        "voltage_v",
    )

    def __init__(
        self, number: int, rated_a: float = 30.0, phase_count: int = 1, voltage_v: float = 200.0, register_wh: float = 0
    ) -> None:
        self.number = number
        self.rated_a = rated_a
        self.phase_count = phase_count
        self.voltage_v = voltage_v
        self.register_wh = float(register_wh)
        self.car: Car | None = None
        self.is_closed = False
        self.offered_a = 0.0
        self.current_a = 0.0
        self.power_w = 0.0
        self._ramp_a = rated_a / RAMP_S
        self._power_per_a_w = voltage_v * phase_count

    @property
    def nameplate_w(self) -> float:
        """The most that it can deliver."""
        return self.rated_a * self._power_per_a_w

    @property
    def offered_w(self) -> float:
        """What the pilot signals, as power."""
        return self.offered_a * self._power_per_a_w

    @property
    def is_live(self) -> bool:
        """Whether current flows, or will with the next second."""
        if self.current_a > 0 or self.power_w > 0:
            return True
        return self.is_closed and self.offered_a > 0 and self.car is not None and not self.car.is_full

    def offer(self, limit_a: float) -> None:
        """Signal a limit to the car: below 6 A it means nothing at all, above the rated current the rated current."""
        self.offered_a = 0.0 if limit_a < MIN_CURRENT_A else min(limit_a, self.rated_a)

    def open(self) -> None:
        """Open the contactor: the current is gone at once."""
        self.is_closed = False
        self.current_a = self.power_w = 0.0

    def _target_a(self) -> float:
        car = self.car
        if car is None or not self.is_closed or self.offered_a <= 0:
            return 0.0
        wanted_w = car.acceptable_w()
        if wanted_w <= 0:
            return 0.0
        return min(self.offered_a, max(MIN_CURRENT_A, wanted_w / self._power_per_a_w))

    def tick(self) -> float:
        """Let one second pass; return the mean power drawn in it, in W."""
        before_a, target_a = self.current_a, self._target_a()
        if target_a >= before_a:
            after_a = min(target_a, before_a + self._ramp_a)
        else:
            after_a = max(target_a, before_a - self._ramp_a)
        self.current_a = after_a
        power_w = (before_a + after_a) / 2 * self._power_per_a_w
        car = self.car
        if power_w > 0 and car is not None:
            energy_wh = power_w / 3600
            left_wh = car.need_wh - car.delivered_wh
            if energy_wh >= left_wh:
                energy_wh, self.current_a = left_wh, 0.0
                car.delivered_wh = car.need_wh
            else:
                car.delivered_wh += energy_wh
            power_w = energy_wh * 3600
            self.register_wh += energy_wh
        self.power_w = power_w
        return power_w

    def reading(self, at_s: int) -> Reading:
        """Return what the meter shows."""
        current_a = self.power_w / self._power_per_a_w
        return Reading(at_s, int(self.register_wh + 1e-6), round(self.power_w, 1), round(current_a, 2), self.voltage_v)
