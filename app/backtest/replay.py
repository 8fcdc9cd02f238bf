"""Days replayed slot by slot under a policy, and what came of it in the yardstick's terms."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.backtest.days import SLOT_HOURS, SLOTS_PER_DAY, Car, Day, Powers
from app.backtest.policies import Policy, View

NEARLY = (0.95, 0.99)
FULL_WH = 1.0


@dataclass(slots=True)
class Tally:
    """Sums over all days: energies in Wh, sessions, grid peaks in W, decisions and their CPU time."""

    need_wh: float = 0.0
    delivered_wh: float = 0.0
    solar_wh: float = 0.0
    stayers_need_wh: float = 0.0
    stayers_wh: float = 0.0
    leavers_need_wh: float = 0.0
    leavers_wh: float = 0.0
    session_count: int = 0
    nearly_count: int = 0
    full_count: int = 0
    peak_sum_w: float = 0.0
    day_count: int = 0
    decision_count: int = 0
    decision_s: float = 0.0

    @property
    def grid_wh(self) -> float:
        """What did not come from the sun."""
        return self.delivered_wh - self.solar_wh


@dataclass(frozen=True, slots=True)
class Rules:
    """What an EVSE can do, and what policies are told.

    `departures` are true, declared, or none (the end of the day). With `is_need_declared` they see what the driver
    asked for instead of what the car will take; a car that is full stops, which they see.
    """

    evse_w: float
    least_w: float
    departures: str
    is_need_declared: bool = False

    def end(self, car: Car, now: int) -> int:
        """Return by when the car is thought to leave."""
        known = {"true": car.last, "declared": car.declared, "none": SLOTS_PER_DAY}[self.departures]
        return max(known, now + 1)

    def seen_wh(self, car: Car, left_wh: float) -> float:
        """Return what the car seems to want still, from what it really still wants."""
        if not self.is_need_declared or car.asked_wh is None or left_wh <= FULL_WH:
            return left_wh
        return max(0.0, car.asked_wh - (car.need_wh - left_wh))


def replay(
    days: Sequence[Day],
    before: Sequence[Sequence[Powers]],
    policy: Policy,
    rules: Rules,
    progress: Callable[[], None] = lambda: None,
) -> Tally:
    """Replay all days; `before[n]` are the PV powers of the days before day n. `progress` is called after each day."""
    tally = Tally()
    for day, days_before in zip(days, before, strict=True):
        left_wh = np.array([car.need_wh for car in day.cars])
        powers_w = np.zeros(SLOTS_PER_DAY)
        for now in range(SLOTS_PER_DAY):
            present = [number for number, car in enumerate(day.cars) if car.first <= now < car.last]
            if not present:
                continue
            cars = [day.cars[number] for number in present]
            ends = [rules.end(car, now) for car in cars]
            seen_wh = np.array([rules.seen_wh(day.cars[number], float(left_wh[number])) for number in present])
            view = View(day, now, cars, seen_wh, ends, rules.evse_w, rules.least_w, days_before)
            began_s = time.process_time()
            given_wh = np.clip(policy(view), 0.0, np.minimum(left_wh[present], rules.evse_w * SLOT_HOURS))
            tally.decision_s += time.process_time() - began_s
            tally.decision_count += 1
            left_wh[present] -= given_wh
            powers_w[now] = given_wh.sum() / SLOT_HOURS
        _count(tally, day, left_wh, powers_w)
        progress()
    return tally


def _count(tally: Tally, day: Day, left_wh: Powers, powers_w: Powers) -> None:
    tally.day_count += 1
    tally.solar_wh += float(np.minimum(powers_w, day.surplus_w).sum()) * SLOT_HOURS
    tally.peak_sum_w += float(np.maximum(powers_w - day.surplus_w, 0.0).max())
    for car, missing_wh in zip(day.cars, left_wh, strict=True):
        got_wh = car.need_wh - float(missing_wh)
        tally.session_count += 1
        tally.need_wh += car.need_wh
        tally.delivered_wh += got_wh
        tally.nearly_count += got_wh >= NEARLY[0] * car.need_wh
        tally.full_count += got_wh >= NEARLY[1] * car.need_wh
        if car.stays:
            tally.stayers_need_wh += car.need_wh
            tally.stayers_wh += got_wh
        else:
            tally.leavers_need_wh += car.need_wh
            tally.leavers_wh += got_wh
