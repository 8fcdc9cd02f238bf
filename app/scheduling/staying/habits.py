"""What to assume of a driver who says nothing: when the car will leave, and how much it will take."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from app.domain.intervals import PLAN_SLOT
from app.domain.stays import Guest
from app.scheduling.staying.curves import habits_of, mixed, points_of
from app.scheduling.staying.learnt import LearntStays
from app.scheduling.staying.needs import is_cut_short, survival
from app.scheduling.staying.visits import Numbers, Places, visits_of
from app.scheduling.staying.words import bases_of, clock_of

LEAST_STAYS_COUNT = 3
LEAST_SITE_STAYS_COUNT = 20
STILL_THERE_SHARE = 0.25
ENOUGH_SHARE = 0.25
DAY_SLOTS = 96
STEPS_COUNT = 400


def expected_departure(learnt: LearntStays, driver: str | None, arrived_at: datetime) -> tuple[datetime, str] | None:
    """Return by when three of four such stays are over, within a day, and in words what that is taken from.

    Late rather than early: the plan hedges against leaving before by the outlook. None with fewer than 3 stays of the
    driver and 20 of the site.
    """
    own, others = _counts(learnt, driver)
    if own < LEAST_STAYS_COUNT and others < LEAST_SITE_STAYS_COUNT:
        return None
    subjects = visits_of([_guest(driver, arrived_at)], _numbers(learnt), learnt.zone)
    points = points_of(subjects, learnt.visits, np.full(1, np.inf))
    habits = habits_of(subjects, learnt.visits, points)
    begin = float(np.floor(subjects.arrived[0]))
    slots: Numbers = begin + np.arange(DAY_SLOTS, dtype=np.float64)
    hazard = mixed(subjects, habits, learnt.site, np.zeros(DAY_SLOTS, dtype=np.int64), slots).hazard
    staying = np.cumprod(1.0 - hazard)
    late = begin + min(int((staying > STILL_THERE_SHARE).sum()) + 1, DAY_SLOTS)
    basis = bases_of(subjects, learnt.visits, points)[0]
    return _instant(learnt.zone, arrived_at, late), f"{basis}; three of four are gone by {clock_of(late)}"


def expected_need(learnt: LearntStays, driver: str | None, arrived_at: datetime) -> tuple[float, str] | None:
    """Return an energy (Wh, from plug-in on) that is enough on three of four days, and what that is taken from.

    Of the driver's stays, else of the site's that began within three hours of this time of day (or all). None with
    fewer than 3 stays of the driver and 20 of the site.
    """
    own, others = _counts(learnt, driver)
    visits = learnt.visits
    if own >= LEAST_STAYS_COUNT:
        points = points_of(
            visits_of([_guest(driver, arrived_at)], _numbers(learnt), learnt.zone), visits, np.full(1, np.inf)
        )
        amount_wh = _enough_wh(learnt, points.stay, points.weight)
        return amount_wh, f"{own} earlier stays: {amount_wh / 1000:.1f} kWh are enough on three of four days"
    if others < LEAST_SITE_STAYS_COUNT:
        return None
    everyone = np.arange(len(visits))
    amount_wh = _enough_wh(learnt, everyone, np.ones(len(everyone)))
    return amount_wh, f"{others} stays of this site: {amount_wh / 1000:.1f} kWh are enough for three of four"


def _guest(driver: str | None, arrived_at: datetime) -> Guest:
    return Guest("", driver, arrived_at, None, None, 0.0, 0.0)


def _numbers(learnt: LearntStays) -> dict[str, int]:
    return {name: number for number, name in enumerate(learnt.drivers)}


def _counts(learnt: LearntStays, driver: str | None) -> tuple[int, int]:
    """Return how many stays of the driver and of the site are known."""
    number = _numbers(learnt).get(driver) if driver is not None else None
    own = 0 if number is None else int((learnt.visits.driver == number).sum())
    return own, learnt.stays_count


def _enough_wh(learnt: LearntStays, stays: Places, weights: Numbers) -> float:
    chosen = learnt.visits.chosen(stays)
    at_wh = np.linspace(0.0, float(chosen.taken_wh.max()), STEPS_COUNT)
    shares = survival(chosen.taken_wh[None, :], weights[None, :], is_cut_short(chosen)[None, :], at_wh[None, :])[0]
    return float(at_wh[min(int((shares > ENOUGH_SHARE).sum()), STEPS_COUNT - 1)])


def _instant(zone: ZoneInfo, arrived_at: datetime, slots_count: float) -> datetime:
    """Return the instant of a clock slot counted from the midnight before arrival, in UTC."""
    midnight = arrived_at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    local = (midnight + slots_count * PLAN_SLOT).replace(tzinfo=zone)
    return max(local.astimezone(UTC), arrived_at.astimezone(UTC) + timedelta(minutes=1))
