"""Records laid onto days of 15-minute slots: who is there when, what each car took, and how much sun is left over.

All times are naive local clock; the sun of another year is laid over by calendar date (docs: `sunslot backtest`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from app.backtest.records import Series, SessionRecord
from app.domain.errors import Invalid

SLOT = timedelta(minutes=15)
SLOT_HOURS = 0.25
SLOTS_PER_DAY = 96
LEAST_NEED_WH = 200.0
SATURDAY = 5

Powers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Car:
    """One stay in slots of its day: present in [first, last). `declared` is the slot it said it would leave by.

    `need_wh` is what it really took, capped by what fits; `asked_wh` what its driver asked for (None: nothing said).
    `place` is the number of its record, `arrived_at` and `declared_at` are as recorded (None: not known, nothing said).
    """

    first: int
    last: int
    declared: int
    need_wh: float
    asked_wh: float | None
    station: str
    user: str
    place: int = -1
    arrived_at: datetime | None = None
    declared_at: datetime | None = None

    @property
    def stays(self) -> bool:
        """Whether it stayed until the declared departure."""
        return self.last >= self.declared


@dataclass(frozen=True, slots=True)
class Day:
    """A day's cars (by arrival), its PV and building power per slot, both in W; `surplus_w` once PV is scaled."""

    date: date
    cars: tuple[Car, ...]
    pv_w: Powers
    load_w: Powers
    surplus_w: Powers


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The surplus of a day's slots as it was foreseen in each of them, in W: `expected_w[issue, slot]`; P10 and P90."""

    expected_w: Powers
    low_w: Powers | None = None
    high_w: Powers | None = None


def _slot_up(at: datetime, midnight_at: datetime) -> int:
    return -((midnight_at - at) // SLOT)


def car_of(record: SessionRecord, evse_w: float, place: int = -1) -> Car | None:
    """Return the stay on the slots of its arrival's day, clipped at midnight; None where nothing fits or is needed.

    Where no departure was declared the true one stands in.
    """
    midnight_at = datetime.combine(record.arrived_at.date(), time())
    first = _slot_up(record.arrived_at, midnight_at)
    last = min(SLOTS_PER_DAY, (record.left_at - midnight_at) // SLOT)
    declared_at = record.left_at if record.declared_at is None else record.declared_at
    declared = min(SLOTS_PER_DAY, (declared_at - midnight_at) // SLOT)
    need_wh = min(record.delivered_wh, max(0, last - first) * SLOT_HOURS * evse_w)
    if need_wh <= LEAST_NEED_WH:
        return None
    declared = max(declared, first + 1)
    return Car(
        first, last, declared, need_wh, record.requested_wh, record.station, record.user,
        place, record.arrived_at, record.declared_at,
    )  # fmt: skip


def days_of(
    records: Sequence[SessionRecord],
    solar: Series,
    load: Series,
    *,
    evse_w: float,
    shift_years: int,
    weekdays: bool,
    least_session_count: int,
    first: date | None = None,
    last: date | None = None,
) -> list[Day]:
    """Return the days that have enough sessions and gapless series, in order; PV unscaled. Raises Invalid for none."""
    by_date: dict[date, list[Car]] = defaultdict(list)
    for place, record in enumerate(records):
        day = record.arrived_at.date()
        if (first is None or day >= first) and (last is None or day <= last):
            car = car_of(record, evse_w, place)
            if car is not None and not (weekdays and day.weekday() >= SATURDAY):
                by_date[day].append(car)
    found = []
    for day in sorted(by_date):
        cars = by_date[day]
        pv_w, load_w = laid_over(solar, day, shift_years), laid_over(load, day, 0)
        if len(cars) >= least_session_count and pv_w is not None and load_w is not None:
            ordered = tuple(sorted(cars, key=lambda car: (car.first, car.last, car.station)))
            found.append(Day(day, ordered, np.maximum(pv_w, 0.0), load_w, np.zeros(SLOTS_PER_DAY)))
    if not found:
        raise Invalid("no day has enough sessions with sun and load known", field="--sessions")
    return found


def laid_over(series: Series, day: date, shift_years: int, span: timedelta = SLOT) -> Powers | None:
    """Return the series' mean powers on this calendar date (of `shift_years` earlier); None with a gap."""
    try:
        midnight_at = datetime.combine(day.replace(year=day.year - shift_years), time())
    except ValueError:  # the 29th of February of another year, or no year at all
        return None
    powers_w = [series.mean_w(midnight_at + number * span, span) for number in range(timedelta(days=1) // span)]
    return None if any(each is None for each in powers_w) else np.array(powers_w, dtype=float)


def history_of(series: Series, day: date, shift_years: int, count: int) -> list[Powers]:
    """Return the `count` last gapless days of the series before this date, newest last."""
    found: list[Powers] = []
    back = day
    for _ in range(6 * count):
        back -= timedelta(days=1)
        powers_w = laid_over(series, back, shift_years)
        if powers_w is not None:
            found.append(np.maximum(powers_w, 0.0))
        if len(found) == count:
            break
    return found[::-1]


def scaled(days: Sequence[Day], surplus_ratio: float) -> tuple[list[Day], float]:
    """Return the days with PV scaled so that their surplus is `surplus_ratio` × the cars' energy, and the factor."""
    wanted_wh = surplus_ratio * sum(car.need_wh for day in days for car in day.cars)
    pv_w = np.concatenate([day.pv_w for day in days])
    load_w = np.concatenate([day.load_w for day in days])

    def surplus_wh(factor: float) -> float:
        return float(np.maximum(factor * pv_w - load_w, 0).sum()) * SLOT_HOURS

    low, high = 0.0, 1.0
    if not pv_w.any():
        raise Invalid("has no sun on the days of the sessions", field="--solar")
    while surplus_wh(high) < wanted_wh:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if surplus_wh(middle) < wanted_wh else (low, middle)
    return [
        replace(day, pv_w=high * day.pv_w, surplus_w=np.maximum(high * day.pv_w - day.load_w, 0.0)) for day in days
    ], high
