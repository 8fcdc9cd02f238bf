"""Cars as slow as they may be: told to come down they do so after 5 s, told to go up they do so at once.

IEC 61851-1 gives a car 5 s to follow the pilot. Also the two ways in which a station may surprise: a deaf one answers
everything and draws what it can; an amnesiac one loses power and with it every profile that it had.
"""

from collections import deque
from collections.abc import Callable

from simulators.car import MIN_CURRENT_A
from simulators.evse import Evse

LAG_S = 5.0


class LateEvse(Evse):
    """An EVSE that is stepped from outside, many times a second (`step_a`); the fleet's own seconds do nothing here.

    `catch_up` is called before anything changes, so that what was measured until then is of the time before.
    """

    __slots__ = ("_catch_up", "_recent", "is_deaf")

    def __init__(self, number: int, rated_a: float, step_s: float, catch_up: Callable[[], None]) -> None:
        super().__init__(number, rated_a)
        self.is_deaf = False
        self._catch_up = catch_up
        self._recent: deque[float] = deque([0.0], maxlen=round(LAG_S / step_s))

    def tick(self) -> float:
        """Return the power that is drawn."""
        return self.power_w

    def offer(self, limit_a: float) -> None:
        """Signal a limit to the car."""
        self._catch_up()
        super().offer(limit_a)

    def open(self) -> None:
        """Open the contactor: the current is gone at once."""
        self._catch_up()
        super().open()
        self._recent.clear()

    def step_a(self, step_s: float) -> float:
        """Let a fraction of a second pass; return the current in A: the highest that was signalled within the lag."""
        target_a = self._signalled_a()
        self._recent.append(target_a)
        car = self.car
        current_a = 0.0 if car is None or not self.is_closed else max(self._recent)
        if car is not None and current_a > 0:
            energy_wh = min(current_a * self.voltage_v * step_s / 3600, car.need_wh - car.delivered_wh)
            car.delivered_wh += energy_wh
            self.register_wh += energy_wh
            if car.is_full:
                self._recent.clear()
                current_a = 0.0
        self.current_a, self.power_w = current_a, current_a * self.voltage_v
        return current_a

    def _signalled_a(self) -> float:
        car = self.car
        if car is None or not self.is_closed or car.is_full:
            return 0.0
        offered_a = self.rated_a if self.is_deaf else self.offered_a
        return min(offered_a, max(MIN_CURRENT_A, car.acceptable_w() / self.voltage_v)) if offered_a > 0 else 0.0
