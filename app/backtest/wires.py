"""Limits that go through the limit ledger within a slot, as in the service, instead of being in force at once.

The planner's lines are followed by the pure steps of the limit loop (`app.scheduling.cycle`): an order counts from
when it is intended, is accepted a little later, holds as a lease, and what it frees is free only SETTLE later; an EVSE
without a lease gives its default. Every station of the records is an EVSE all day long. No database, no faults.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from app.backtest.days import SLOT, Day, Powers
from app.backtest.policies import View
from app.backtest.production import Limit, Sunslot, session_name, slot_at
from app.backtest.replay import Given
from app.domain.limits import LimitEntry, LimitIntent
from app.domain.plan import ChargingPlan
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.units import energy_wh
from app.scheduling.cycle import decide, open_books
from app.scheduling.feeders import Grid, grid_of
from app.scheduling.following import Line, Sun
from app.scheduling.orders import by_session as by_session_of
from app.scheduling.orders import in_force

ANSWER_AFTER = timedelta(seconds=3)
SOONEST = timedelta(seconds=15)
LATEST = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MOST_A = 32.0


@dataclass(slots=True)
class _Yard:
    """A day's EVSEs, each car's EVSE, and the orders that may still be in force."""

    day: Day
    site: SiteSpec
    evses: list[EvseSpec]
    places: list[int]
    grid: Grid
    entries: list[LimitEntry] = field(default_factory=list)
    newest: dict[str, LimitEntry] = field(default_factory=dict)

    def accept(self, sent: Sequence[LimitEntry], closed: Sequence[int], at: datetime) -> None:
        """Take what the stations have accepted into the books, without what can no longer be in force."""
        gone = set(closed)
        accepted = [replace(entry, accepted_at=at) for entry in sent]
        self.entries = [entry for entry in self.entries if entry.order_no not in gone] + accepted
        self.newest.update({entry.session_id: entry for entry in accepted})

    def limit(self, number: int, now: datetime) -> Limit:
        """Return the limit of the day's n-th car."""
        name = session_name(number)
        entry = in_force([each for each in self.entries if each.session_id == name], now)
        return Limit() if entry is None else Limit(entry.power_w, entry.switched_at)

    def drawn_wh(self, view: View, left_wh: Powers, from_at: datetime, span: timedelta) -> Powers:
        """Return what the view's cars take in a span: no more than their limit, else their EVSE's default, allows."""
        allowed_w = np.zeros(len(left_wh))
        by_session = by_session_of(self.entries)
        for place, number in enumerate(view.numbers):
            evse = self.evses[self.places[number]]
            entry = in_force(by_session.get(session_name(number), ()), from_at)
            power_w = evse.safe_power_w if entry is None else entry.power_w
            allowed_w[place] = min(power_w, view.evse_w) if power_w >= evse.min_power_w else 0.0
        return np.minimum(left_wh, allowed_w * (span / HOUR))


class Wires:
    """Delivers Sunslot's plans over the limit ledger."""

    def __init__(self, sunslot: Sunslot) -> None:
        self._sunslot = sunslot
        self._yard: _Yard | None = None
        self._order_no = 0

    def __call__(self, view: View, left_wh: Powers) -> Given:
        """Return what the cars take in this slot under the limits that are accepted meanwhile."""
        if self._yard is None or self._yard.day is not view.day:
            self._yard = _yard(view, self._sunslot.site())
        yard = self._yard
        now, ends_at = slot_at(view), slot_at(view) + SLOT
        lines, expected_w = self._lines(view, yard, now)
        surplus_w = float(view.day.surplus_w[view.now])
        left_wh, given_wh, solar_wh, order_count = left_wh.copy(), np.zeros(len(left_wh)), 0.0, 0
        while now < ends_at:
            books = open_books(yard.site, yard.evses, yard.entries, now)
            decision = decide(books, lines, yard.newest, Sun(expected_w, surplus_w), yard.grid)
            sent = [self._sent(intent, now) for intent in decision.intents]
            order_count += len(sent)
            pause = SOONEST if sent else min(LATEST, max(SOONEST, decision.wake_at - now))
            next_at = min(ends_at, now + pause)
            answered_at = min(next_at, now + ANSWER_AFTER)
            for from_at, until_at in ((now, answered_at), (answered_at, next_at)):
                if from_at == answered_at:
                    yard.accept(sent, decision.closed, answered_at)
                taken_wh = yard.drawn_wh(view, left_wh, from_at, until_at - from_at)
                left_wh -= taken_wh
                given_wh += taken_wh
                solar_wh += min(float(taken_wh.sum()), energy_wh(surplus_w, until_at - from_at))
            now = next_at
        return Given(given_wh, solar_wh, order_count)

    def _lines(self, view: View, yard: _Yard, now: datetime) -> tuple[list[Line], float]:
        """Return a fresh plan's lines, as the limit loop reads them, and the surplus that it reckoned with."""
        limits = [yard.limit(number, now) for number in view.numbers]
        own = [yard.evses[yard.places[number]] for number in view.numbers]
        others = [evse for evse in yard.evses if evse.evse_id not in {each.evse_id for each in own}]
        made = self._sunslot.plan(view, limits, [*own, *others])
        return _lines_of(made, view), made.surplus_w[0]

    def _sent(self, intent: LimitIntent, now: datetime) -> LimitEntry:
        self._order_no += 1
        return LimitEntry(
            order_no=self._order_no,
            evse_id=intent.evse_id,
            power_w=intent.power_w,
            intended_at=now,
            ends_at=intent.ends_at,
            session_id=intent.session_id,
            lease_ends_at=intent.lease_ends_at,
            taken_at=now,
            switched_at=intent.switched_at,
        )


def _yard(view: View, site: SiteSpec) -> _Yard:
    """Return the yard of the view's day: an EVSE for each station, and another where two cars are at one at once."""
    names: dict[str, int] = {}
    free_from: dict[int, int] = {}
    places = []
    for car in view.day.cars:
        place = names.get(car.station, len(free_from)) if car.station else len(free_from)
        if free_from.get(place, 0) > car.first:
            place = len(free_from)
        names.setdefault(car.station, place)
        free_from[place] = car.last
        places.append(place)
    proven_at = slot_at(view, 0) - HOUR
    evses = [
        EvseSpec(
            evse_id=place + 1,
            station_id=f"e{place:05d}",
            evse_number=1,
            nameplate_w=view.evse_w,
            min_power_w=view.least_w,
            safe_power_w=view.least_w,
            w_per_a=view.evse_w / MOST_A,
            phase_count=1,
            is_verified=True,
            is_online=True,
            verified_at=proven_at,
        )
        for place in range(len(free_from))
    ]
    return _Yard(view.day, site, evses, places, grid_of(site, evses))


def _lines_of(made: ChargingPlan, view: View) -> list[Line]:
    """Return a plan's lines as the limit loop reads them; a car that wants nothing more is no longer in it."""
    by_name = {session_name(number): place for place, number in enumerate(view.numbers)}
    return [
        Line(
            evse_id=line.evse_id,
            session_id=line.session_id,
            planned_w=line.power_w[0],
            must_w=line.must_w,
            most_w=line.most_w,
            need_wh=float(view.left_wh[by_name[line.session_id]]),
            departs_at=slot_at(view, view.ends[by_name[line.session_id]]),
        )
        for line in made.lines
    ]
