"""The production planner as a policy: the same pure `plan(snapshot, now)` that runs in the service, once a slot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

import numpy as np

from app.backtest.days import SLOT, SLOT_HOURS, SLOTS_PER_DAY, Day, Powers
from app.backtest.forecasts import naive_surplus_w
from app.backtest.policies import View, served
from app.domain.intervals import Interval
from app.domain.plan import ChargingPlan
from app.domain.snapshot import Demand, EvseSpec, IntentSource, SiteSnapshot, SiteSpec, SurplusSlot
from app.domain.stays import Guest, StayOutlook
from app.scheduling.planner import plan

DEPARTURE_BUFFER = timedelta(minutes=30)
CERTAIN_SHARE = 1.0
ZONE = "UTC"  # the site's own clock, in UTC's clothes


class Lessons(Protocol):
    """What is learnt of stays that are over."""

    def outlooks(self, guests: Sequence[Guest], day: date, now: datetime, count: int) -> Sequence[StayOutlook]:
        """Return what is thought of cars that are there, for `count` slots, from the stays before this day."""
        ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What Sunslot is told in a replay; see `Rules`. `miss_cost_ratio` None leaves the site's default."""

    departures: str
    site_w: float = 1e9
    is_need_declared: bool = False
    miss_cost_ratio: float | None = None
    surprised_count: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit that a car has: its power (None: only the default holds), when it last went from or to zero."""

    power_w: float | None = None
    switched_at: datetime | None = None


class Sunslot:
    """Plans every slot anew from what is known. Remembers only the limits given before, and what was learnt of stays.

    `lessons` is what is learnt from stays that are over (None: what was said counts).
    """

    def __init__(self, setting: Setting, lessons: Lessons | None = None) -> None:
        self.setting = setting
        self._lessons = lessons
        self._day: Day | None = None
        self._limits: dict[int, Limit] = {}

    def __call__(self, view: View) -> Powers:
        """Return the energies of this slot under the limits of a fresh plan."""
        if self._day is not view.day:
            self._day, self._limits = view.day, {}
        at = slot_at(view)
        made = self.plan(view, [self._limits.get(number, Limit()) for number in view.numbers], evses_of(view))
        lines = {line.session_id: line for line in made.lines}
        own = [lines.get(session_name(number)) for number in view.numbers]
        wanted_wh = np.array([0.0 if line is None else line.target_w * SLOT_HOURS for line in own])
        must_w = np.array([0.0 if line is None else line.must_w for line in own])
        # What a plan wants may lie above the site's limit: in the service the ledger's allocator cuts it.
        given_wh = served(wanted_wh, np.argsort(-must_w, kind="stable"), view.room_wh)
        for number, energy_wh in zip(view.numbers, given_wh.tolist(), strict=True):
            self._remember(number, energy_wh / SLOT_HOURS, at)
        return given_wh

    def plan(self, view: View, limits: Sequence[Limit], evses: Sequence[EvseSpec]) -> ChargingPlan:
        """Return a fresh plan for the slot; `limits[i]` and `evses[i]` are those of the i-th car (then empty EVSEs)."""
        return plan(self._snapshot(view, limits, evses), slot_at(view))

    def site(self) -> SiteSpec:
        """Return the site that is planned for."""
        setting = self.setting
        site = SiteSpec(
            "backtest", ZONE, setting.site_w, 0.0, 0.0,
            departure_buffer=DEPARTURE_BUFFER, surprised_count=setting.surprised_count,
        )  # fmt: skip
        return site if setting.miss_cost_ratio is None else replace(site, miss_cost_ratio=setting.miss_cost_ratio)

    def _remember(self, number: int, limit_w: float, at: datetime) -> None:
        before = self._limits.get(number, Limit(0.0))
        has_switched = ((before.power_w or 0.0) > 0) != (limit_w > 0)
        self._limits[number] = Limit(limit_w, at if has_switched else before.switched_at)

    def _snapshot(self, view: View, limits: Sequence[Limit], evses: Sequence[EvseSpec]) -> SiteSnapshot:
        outlooks = self._outlooks(view)
        demands = [
            Demand(
                session_id=session_name(number),
                evse_id=evses[place].evse_id,
                arrived_at=slot_at(view, view.cars[place].first),
                departs_at=slot_at(view, view.ends[place]),
                need_wh=float(view.left_wh[place]),
                max_power_w=view.evse_w,
                min_power_w=view.least_w,
                source=IntentSource.DRIVER if self.setting.departures != "none" else IntentSource.LEARNT,
                limit_w=limits[place].power_w,
                switched_at=limits[place].switched_at,
                outlook=outlooks[place],
            )
            for place, number in enumerate(view.numbers)
            if view.left_wh[place] > 0
        ]
        return SiteSnapshot(
            self.site(), tuple(sorted(evses, key=lambda each: each.evse_id)),
            tuple(sorted(demands, key=lambda each: each.evse_id)), (), _surplus(view),
            float(view.day.surplus_w[view.now]),
        )  # fmt: skip

    def _outlooks(self, view: View) -> list[StayOutlook | None]:
        """Return what is thought of each car; a departure that is truly known is certain."""
        learnt: list[StayOutlook | None] = [None] * len(view.cars)
        if self._lessons is not None and (self.setting.departures != "true" or self.setting.is_need_declared):
            guests = [self._guest(view, place) for place in range(len(view.cars))]
            learnt = list(self._lessons.outlooks(guests, view.day.date, slot_at(view), SLOTS_PER_DAY - view.now))
        if self.setting.departures != "true":
            return learnt
        return [
            StayOutlook(
                (CERTAIN_SHARE,) * (end - view.now), () if each is None else each.needs, "the departure is known"
            )
            for end, each in zip(view.ends, learnt, strict=True)
        ]

    def _guest(self, view: View, place: int) -> Guest:
        car, is_asked = view.cars[place], self.setting.is_need_declared
        declared_at = {
            "true": slot_at(view, car.last),
            "declared": None if car.declared_at is None else car.declared_at.replace(tzinfo=UTC),
            "none": None,
        }[self.setting.departures]
        return Guest(
            key=session_name(view.numbers[place]),
            driver=car.user or None,
            arrived_at=slot_at(view, car.first) if car.arrived_at is None else car.arrived_at.replace(tzinfo=UTC),
            declared_at=declared_at,
            asked_wh=car.asked_wh if is_asked else float(view.left_wh[place] + view.got_wh[place]),
            taken_wh=float(view.got_wh[place]),
            max_power_w=view.evse_w,
            is_need_known=not is_asked,
        )


def slot_at(view: View, slot: int | None = None) -> datetime:
    """Return when a slot of the view's day begins (the one at hand by default)."""
    return datetime.combine(view.day.date, time(), tzinfo=UTC) + (view.now if slot is None else slot) * SLOT


def session_name(number: int) -> str:
    """Return the session of the day's n-th car."""
    return f"s{number:05d}"


def evses_of(view: View) -> list[EvseSpec]:
    """Return an EVSE for each car that is there, that gives nothing without a limit."""
    return [
        EvseSpec(
            number, session_name(number), 1, view.evse_w, view.least_w, 0.0, 0.0, 1, is_verified=True, is_online=True
        )
        for number in view.numbers
    ]


def _surplus(view: View) -> tuple[SurplusSlot, ...]:
    """Return the surplus of the slots from now on as the house forecasts it, else as the naive forecast does."""
    foreseen = view.foreseen
    if foreseen is None:
        expected_w, low_w, high_w = naive_surplus_w(view.day, view.before, view.now), None, None
    else:
        expected_w = foreseen.expected_w[view.now]
        low_w = None if foreseen.low_w is None else foreseen.low_w[view.now]
        high_w = None if foreseen.high_w is None else foreseen.high_w[view.now]
    return tuple(
        SurplusSlot(
            interval=Interval(slot_at(view, slot), slot_at(view, slot + 1)),
            surplus_w=float(expected_w[slot]),
            low_w=None if low_w is None else float(low_w[slot]),
            high_w=None if high_w is None else float(high_w[slot]),
            deficit_w=max(0.0, float(view.day.load_w[slot] - view.day.pv_w[slot])) if slot == view.now else 0.0,
        )
        for slot in range(view.now, SLOTS_PER_DAY)
    )
