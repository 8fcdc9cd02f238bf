"""A recorded cloudy working day in virtual time: the real planner, cycle, ledger and allocator around simple cars.

Arrivals, departures and energies are recorded sessions, the sun a recorded day of quarter-hour means. Within a quarter
clouds come and go by the minute, between the brightest the hour has been lately and a quarter of that, so that the
recorded mean is kept; the meter adds noise. Every order is accepted one step later. A plan is made every five minutes.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from app.domain.limits import LimitEntry
from app.domain.snapshot import Demand, EvseSpec, IntentSource, SiteSnapshot, SiteSpec
from app.domain.wiring import Feeder, Wiring
from app.scheduling.cycle import decide, open_books
from app.scheduling.feeders import grid_of
from app.scheduling.following import Line, Sun
from app.scheduling.planner import plan
from app.scheduling.surplus import Told, expected_surplus
from simulators import records

STEP = timedelta(seconds=15)
STEP_HOURS = STEP / timedelta(hours=1)
REPLAN = timedelta(minutes=5)
QUARTER, MINUTE = timedelta(minutes=15), timedelta(minutes=1)
CLOUD_SHARE = 0.25
NAMEPLATE_W, SAFE_W = 6_000.0, 1_200.0
NOISE_SHARE = 0.02
EVERY = 4  # of the recorded sessions
FEASIBLE_SHARE = 0.8


@dataclass(slots=True)
class Car:
    evse: EvseSpec
    session_id: str
    arrives_at: datetime
    departs_at: datetime
    need_wh: float
    got_wh: float = 0.0
    full_at: datetime | None = None
    entries: list[LimitEntry] = field(default_factory=list)

    def in_force(self, now: datetime) -> LimitEntry | None:
        accepted = [entry for entry in self.entries if entry.is_in_force_at(now)]
        return accepted[-1] if accepted else None

    def draw_w(self, now: datetime) -> float:
        limit = self.in_force(now)
        allowed_w = SAFE_W if limit is None else limit.power_w
        left_w = (self.need_wh - self.got_wh) / STEP_HOURS
        return 0.0 if allowed_w < SAFE_W else max(0.0, min(allowed_w, NAMEPLATE_W, left_w))

    def switch_count(self) -> int:
        """How often its limit went from or to zero: its default charges."""
        powers_w = [SAFE_W, *(entry.power_w for entry in self.entries)]
        return sum((before > 0) != (after > 0) for before, after in pairwise(powers_w))


@dataclass(slots=True)
class Outcome:
    solar_wh: float = 0.0
    delivered_wh: float = 0.0
    surplus_wh: float = 0.0
    highest_w: float = 0.0
    cars: list[Car] = field(default_factory=list)

    @property
    def evse_hours(self) -> float:
        return sum((car.departs_at - car.arrives_at) / timedelta(hours=1) for car in self.cars)

    @property
    def messages_per_hour(self) -> float:
        return sum(len(car.entries) for car in self.cars) / self.evse_hours

    @property
    def switches_per_hour(self) -> float:
        return sum(car.switch_count() for car in self.cars) / self.evse_hours

    @property
    def unmet_wh(self) -> float:
        return sum(max(0.0, car.need_wh - car.got_wh) for car in self.cars)


class CloudyDay:
    """`follows`: the measured surplus is followed between plans; else limits are what the newest plan wants."""

    def __init__(self, *, follows: bool, day: date, limit_w: float = 50_000.0, seed: int = 1) -> None:
        self.follows = follows
        self.midnight_at = datetime.combine(day, time(), tzinfo=UTC)
        self.rng = random.Random(seed)
        feeders = (Feeder("panel", limit_w=limit_w * 0.8, rating_a=140.0),)
        self.site = SiteSpec("day", "UTC", limit_w, 0.0, 0.0, feeders=feeders)
        self.outcome = Outcome(cars=self._cars(day))
        need_wh = sum(car.need_wh for car in self.outcome.cars)
        pv_w = records.pv_w(day)
        scale = need_wh / (sum(pv_w) / 4)
        self.pv_w = [power_w * scale for power_w in pv_w]
        earlier = records.earlier_pv_w(day)
        self.forecast_w = [scale * sum(each) / len(each) for each in zip(*earlier, strict=True)]
        clear_w = [scale * max(each) for each in zip(*earlier, strict=True)]
        self.minutes_w = [power_w for means in zip(self.pv_w, clear_w, strict=True) for power_w in self._clouds(*means)]
        self.readings: list[tuple[datetime, float, float]] = []
        self.lines: list[Line] = []
        self.expected_w = 0.0
        self.order_no = 0

    def _cars(self, day: date) -> list[Car]:
        found = []
        for number, each in enumerate(records.sessions_by_day()[day][::EVERY], 1):
            arrives_at, departs_at = (at.replace(tzinfo=UTC, second=0) for at in (each.arrived_at, each.departed_at))
            reach_wh = FEASIBLE_SHARE * NAMEPLATE_W * ((departs_at - arrives_at) / timedelta(hours=1))
            evse = EvseSpec(
                evse_id=number,
                station_id=f"s{number}",
                evse_number=1,
                nameplate_w=NAMEPLATE_W,
                min_power_w=SAFE_W,
                safe_power_w=SAFE_W,
                w_per_a=200.0,
                phase_count=1,
                is_verified=True,
                is_online=True,
                verified_at=self.midnight_at - timedelta(hours=1),
                feeder_id="panel" if number % 2 else None,
                wiring=[Wiring.L1_L2, Wiring.L2_L3, Wiring.L3_L1][number % 3],
            )
            need_wh = min(each.delivered_wh, reach_wh)
            found.append(Car(evse, f"session {number:02d}", arrives_at, departs_at, need_wh))
        return found

    def _clouds(self, mean_w: float, clear_w: float) -> list[float]:
        """Return a quarter hour by the minute: sun and cloud in turns, with this mean."""
        clear_w = max(clear_w, mean_w)
        dark_w = CLOUD_SHARE * clear_w
        sunny = round(15 * min(1.0, max(0.0, (mean_w - dark_w) / (clear_w - dark_w)))) if clear_w > 0 else 0
        minutes_w = [clear_w] * sunny + [dark_w] * (15 - sunny)
        self.rng.shuffle(minutes_w)
        total_w = sum(minutes_w)
        return [power_w * 15 * mean_w / total_w if total_w else 0.0 for power_w in minutes_w]

    def surplus_w(self, now: datetime) -> float:
        return self.minutes_w[min(len(self.minutes_w) - 1, int((now - self.midnight_at) / MINUTE))]

    def play(self) -> Outcome:
        now = min(car.arrives_at for car in self.outcome.cars)
        ends_at = max(car.departs_at for car in self.outcome.cars)
        planned_at = now - REPLAN
        while now < ends_at:
            surplus_w = self.surplus_w(now)
            measured_w = surplus_w * (1 + self.rng.uniform(-NOISE_SHARE, NOISE_SHARE))
            present = [car for car in self.outcome.cars if car.arrives_at <= now < car.departs_at]
            has_changed = {line.session_id for line in self.lines} != {car.session_id for car in present}
            if now - planned_at >= REPLAN or has_changed:
                self._plan(present, measured_w, now)
                planned_at = now
            self._cycle(present, measured_w, now)
            draw_w = 0.0
            for car in present:
                power_w = car.draw_w(now)
                car.got_wh += power_w * STEP_HOURS
                if car.full_at is None and car.got_wh >= car.need_wh - 1:
                    car.full_at = now
                draw_w += power_w
            self.outcome.solar_wh += min(draw_w, surplus_w) * STEP_HOURS
            self.outcome.surplus_wh += surplus_w * STEP_HOURS
            self.outcome.delivered_wh += draw_w * STEP_HOURS
            self.outcome.highest_w = max(self.outcome.highest_w, draw_w)
            now += STEP
        return self.outcome

    def _plan(self, present: list[Car], measured_w: float, now: datetime) -> None:
        self.readings.append((now, measured_w, 0.0))
        recent = [each for each in self.readings if now - each[0] <= timedelta(hours=1)]
        until_at = max([now + QUARTER, *(car.departs_at for car in present)]) + QUARTER
        surplus = expected_surplus(
            Told(self.midnight_at, QUARTER, self.forecast_w, [0.0] * 96),
            readings=recent,
            now=now,
            until_at=until_at,
        )
        demands = tuple(self._demand(car, now) for car in present)
        evses = tuple(car.evse for car in self.outcome.cars)
        snapshot = SiteSnapshot(self.site, evses, demands, surplus=surplus, measured_surplus_w=measured_w)
        made = plan(snapshot, now)
        needs = {each.session_id: each for each in demands}
        self.expected_w = made.surplus_w[0]
        self.lines = [
            Line(
                evse_id=line.evse_id,
                session_id=line.session_id,
                planned_w=line.power_w[0] if self.follows else line.target_w,
                must_w=line.must_w if self.follows else line.target_w,
                most_w=line.most_w if self.follows else line.target_w,
                need_wh=needs[line.session_id].need_wh,
                departs_at=needs[line.session_id].departs_at,
            )
            for line in made.lines
        ]

    def _demand(self, car: Car, now: datetime) -> Demand:
        limit = car.in_force(now)
        return Demand(
            session_id=car.session_id,
            evse_id=car.evse.evse_id,
            arrived_at=car.arrives_at,
            departs_at=car.departs_at,
            need_wh=max(0.0, car.need_wh - car.got_wh),
            max_power_w=NAMEPLATE_W,
            min_power_w=SAFE_W,
            source=IntentSource.DRIVER,
            limit_w=None if limit is None else limit.power_w,
            switched_at=None if limit is None else limit.switched_at,
        )

    def _cycle(self, present: list[Car], measured_w: float, now: datetime) -> None:
        for car in present:
            car.entries = [
                replace(entry, accepted_at=now) if entry.accepted_at is None else entry for entry in car.entries
            ]
        by_session = {car.session_id: car for car in present}
        evses = [car.evse for car in self.outcome.cars]
        lines = [line for line in self.lines if line.session_id in by_session]
        entries = [entry for car in self.outcome.cars for entry in car.entries[-20:] if entry.ends_at > now]
        books = open_books(self.site, evses, entries, now)
        newest = {car.session_id: car.entries[-1] for car in present if car.entries}
        sun = Sun(self.expected_w, measured_w if self.follows else None)
        for intent in decide(books, lines, newest, sun, grid_of(self.site, evses)).intents:
            self.order_no += 1
            entry = LimitEntry(
                order_no=self.order_no,
                evse_id=intent.evse_id,
                power_w=intent.power_w,
                intended_at=now,
                ends_at=intent.ends_at,
                session_id=intent.session_id,
                lease_ends_at=intent.lease_ends_at,
                taken_at=now,
                switched_at=intent.switched_at,
            )
            by_session[intent.session_id].entries.append(entry)
