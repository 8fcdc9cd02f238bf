"""The production planner as a policy: the same pure `plan(snapshot, now)` that runs in the service, once a slot."""

from datetime import UTC, datetime, time, timedelta

import numpy as np

from app.backtest.days import SLOT, SLOT_HOURS, SLOTS_PER_DAY, Powers
from app.backtest.forecasts import naive_surplus_w
from app.backtest.policies import View
from app.domain.intervals import Interval
from app.domain.snapshot import Demand, EvseSpec, IntentSource, SiteSnapshot, SiteSpec, SurplusSlot
from app.scheduling.planner import plan


class Sunslot:
    """Plans every slot anew from what is known; `site_w` is the site's limit. Remembers only limits given before."""

    def __init__(self, site_w: float) -> None:
        self._site_w = site_w
        self._day: datetime | None = None
        self._limits: dict[int, tuple[float, datetime | None]] = {}

    def __call__(self, view: View) -> Powers:
        """Return the energies of this slot under the limits of a fresh plan."""
        midnight_at = datetime.combine(view.day.date, time(), tzinfo=UTC)  # the site's clock, in UTC's clothes
        if self._day != midnight_at:
            self._day, self._limits = midnight_at, {}
        at = midnight_at + view.now * SLOT
        numbers = [view.day.cars.index(car) for car in view.cars]
        made = plan(self._snapshot(view, midnight_at, numbers), at)
        given_wh = np.zeros(len(numbers))
        targets_w = {line.session_id: line.target_w for line in made.lines}
        for place, number in enumerate(numbers):
            limit_w = targets_w.get(_name(number), 0.0)
            self._remember(number, limit_w, at)
            given_wh[place] = limit_w * SLOT_HOURS
        return given_wh

    def _remember(self, number: int, limit_w: float, at: datetime) -> None:
        before_w, switched_at = self._limits.get(number, (0.0, None))
        self._limits[number] = (limit_w, at if (before_w > 0) != (limit_w > 0) else switched_at)

    def _snapshot(self, view: View, midnight_at: datetime, numbers: list[int]) -> SiteSnapshot:
        expected_w = naive_surplus_w(view.day, view.before, view.now)
        evses, demands = [], []
        for place, number in enumerate(numbers):
            if view.left_wh[place] <= 0:
                continue
            limit_w, switched_at = self._limits.get(number, (None, None))
            evses.append(
                EvseSpec(
                    number, _name(number), 1, view.evse_w, view.least_w, 0.0, 0.0, 1, is_verified=True, is_online=True
                )
            )
            demands.append(
                Demand(
                    session_id=_name(number),
                    evse_id=number,
                    arrived_at=midnight_at + view.cars[place].first * SLOT,
                    departs_at=midnight_at + view.ends[place] * SLOT,
                    need_wh=float(view.left_wh[place]),
                    max_power_w=view.evse_w,
                    min_power_w=view.least_w,
                    source=IntentSource.DRIVER,
                    limit_w=limit_w,
                    switched_at=switched_at,
                )
            )
        surplus = tuple(
            SurplusSlot(Interval(midnight_at + slot * SLOT, midnight_at + (slot + 1) * SLOT), float(expected_w[slot]))
            for slot in range(view.now, SLOTS_PER_DAY)
        )
        site = SiteSpec("backtest", "UTC", self._site_w, 0.0, 0.0, departure_buffer=timedelta(minutes=30))
        measured_w = float(view.day.surplus_w[view.now])
        return SiteSnapshot(site, tuple(evses), tuple(demands), (), surplus, measured_w)


def _name(number: int) -> str:
    return f"s{number:05d}"
