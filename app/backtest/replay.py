"""Days replayed slot by slot under a policy, and what came of it in the yardstick's terms."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from app.backtest.days import SLOT_HOURS, SLOTS_PER_DAY, Car, Day, Foreseen, Powers
from app.backtest.policies import Policy, View

NEARLY = (0.95, 0.99)
FULL_WH = 1.0


@dataclass(slots=True)
class Tally:
    """Sums over days: energies in Wh, sessions, grid peaks in W, decisions and their CPU time, orders sent."""

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
    highest_w: float = 0.0
    day_count: int = 0
    decision_count: int = 0
    decision_s: float = 0.0
    order_count: int = 0

    @property
    def grid_wh(self) -> float:
        """What did not come from the sun."""
        return self.delivered_wh - self.solar_wh

    def add(self, other: "Tally") -> None:
        """Add what happened on other days."""
        for each in fields(self):
            both = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, max(both) if each.name == "highest_w" else sum(both))


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    sum_of = Tally()
    for each in tallies:
        sum_of.add(each)
    return sum_of


@dataclass(frozen=True, slots=True)
class Rules:
    """What an EVSE and the site can do, and what policies are told.

    `departures` are true, declared, or none (the end of the day). With `is_need_declared` they see what the driver
    asked for instead of what the car will take (where nothing was said: what it will take); a car that is full stops,
    which they see.
    """

    evse_w: float
    least_w: float
    departures: str
    is_need_declared: bool = False
    site_w: float = float("inf")

    def end(self, car: Car, now: int) -> int:
        """Return by when the car is thought to leave."""
        known = {"true": car.last, "declared": car.declared, "none": SLOTS_PER_DAY}[self.departures]
        return max(known, now + 1)

    def seen_wh(self, car: Car, left_wh: float) -> float:
        """Return what the car seems to want still, from what it really still wants."""
        if not self.is_need_declared or car.asked_wh is None or left_wh <= FULL_WH:
            return left_wh
        return max(0.0, car.asked_wh - (car.need_wh - left_wh))


@dataclass(frozen=True, slots=True)
class Given:
    """What the cars that are there took in a slot (Wh), how much of it was sun, and the orders that it took."""

    energy_wh: Powers
    solar_wh: float
    order_count: int = 0


class Delivery(Protocol):
    """What turns a policy's wish for a slot into what the cars take: at once, or over the limit ledger."""

    def __call__(self, view: View, left_wh: Powers) -> Given:
        """Return what the cars of the view take, that really still want `left_wh`."""
        ...


class AtOnce:
    """The cars take what the policy says, as far as they want it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self, view: View, left_wh: Powers) -> Given:
        """Return what the cars take in this slot."""
        energy_wh = np.clip(self._policy(view), 0.0, np.minimum(left_wh, view.evse_w * SLOT_HOURS))
        return Given(energy_wh, min(float(energy_wh.sum()), view.surplus_wh))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One day as it went: what each car got (Wh), the mean power and the part of it from the sun per slot (W)."""

    day: Day
    got_wh: Powers
    powers_w: Powers
    solar_w: Powers
    decision_count: int
    decision_s: float
    order_count: int = 0

    def tally(self) -> Tally:
        """Return the day in the yardstick's terms."""
        tally = Tally(
            solar_wh=float(self.solar_w.sum()) * SLOT_HOURS,
            peak_sum_w=float((self.powers_w - self.solar_w).max()),
            highest_w=float(self.powers_w.max()),
            day_count=1,
            decision_count=self.decision_count,
            decision_s=self.decision_s,
            order_count=self.order_count,
        )
        for car, wh in zip(self.day.cars, self.got_wh, strict=True):
            got_wh = float(wh)
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
        return tally


def replay(
    days: Sequence[Day],
    before: Sequence[Sequence[Powers]],
    policy: Policy,
    rules: Rules,
    progress: Callable[[], None] = lambda: None,
) -> Tally:
    """Replay all days at once; `before[n]` are the PV powers of the days before day n. `progress` after each day."""
    return total(outcome.tally() for outcome in outcomes(days, before, policy, rules, progress=progress))


def outcomes(
    days: Sequence[Day],
    before: Sequence[Sequence[Powers]],
    policy: Policy,
    rules: Rules,
    *,
    delivery: Delivery | None = None,
    foreseen: Sequence[Foreseen] | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """Yield the days as they go, in order."""
    delivery = AtOnce(policy) if delivery is None else delivery
    for number, day in enumerate(days):
        outcome = _day(day, before[number], delivery, rules, None if foreseen is None else foreseen[number])
        progress()
        yield outcome


def _day(day: Day, before: Sequence[Powers], delivery: Delivery, rules: Rules, foreseen: Foreseen | None) -> Outcome:
    need_wh = np.array([car.need_wh for car in day.cars])
    left_wh = need_wh.copy()
    powers_w, solar_w = np.zeros(SLOTS_PER_DAY), np.zeros(SLOTS_PER_DAY)
    decision_count, decision_s, order_count = 0, 0.0, 0
    for now in range(SLOTS_PER_DAY):
        present = [number for number, car in enumerate(day.cars) if car.first <= now < car.last]
        if not present:
            continue
        cars = [day.cars[number] for number in present]
        view = View(
            day=day,
            now=now,
            cars=cars,
            left_wh=np.array([rules.seen_wh(day.cars[number], float(left_wh[number])) for number in present]),
            ends=[rules.end(car, now) for car in cars],
            evse_w=rules.evse_w,
            least_w=rules.least_w,
            before=before,
            numbers=present,
            got_wh=(need_wh - left_wh)[present],
            site_w=rules.site_w,
            foreseen=foreseen,
        )
        began_s = time.process_time()
        given = delivery(view, left_wh[present])
        decision_s += time.process_time() - began_s
        decision_count += 1
        order_count += given.order_count
        left_wh[present] -= given.energy_wh
        powers_w[now] = given.energy_wh.sum() / SLOT_HOURS
        solar_w[now] = given.solar_wh / SLOT_HOURS
    return Outcome(day, need_wh - left_wh, powers_w, solar_w, decision_count, decision_s, order_count)
