"""From recorded sessions to the day's commuters: who parks where, from when to when, and how much they need."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from simulators import records
from simulators.car import Taper, fillable_wh, taper_of
from simulators.records import RecordedSession

ZONE = "Asia/Tokyo"
OPENS, CLOSES, LATEST_DEPARTURE = time(7), time(19), time(18, 45)
EARLY_FROM_S, EARLY_UNTIL_S = 60, 600
SHORTEST_STAY_S = 1800
GAP_S = 600
LEAST_NEED_WH = 200.0
STAY_SHARE = 0.9
BOOKING_SHARE = 0.6
SLOW_SHARE = 0.2
SLOW_W = 3600.0
FAST_W = (6000.0, 6600.0, 7200.0, 11_000.0)
BATTERIES_WH = (24_000.0, 40_000.0, 60_000.0, 66_000.0, 75_000.0)
BATTERY_RATIO = 1.2
BOOKING_LEAD_S = 1800


@dataclass(frozen=True, slots=True)
class Commuter:
    """One car's day: where and when it stays (seconds since 1970), what it needs, how its driver announces it.

    `books_s` is when the booking is made; None for drivers who use the app after plugging in, `app_delay_s` later.
    """

    commuter_id: str
    station_no: int
    token: str
    arrives_s: int
    leaves_s: int
    declared_s: int
    need_wh: float
    battery_wh: float
    max_power_w: float
    taper: Taper
    books_s: int | None
    app_delay_s: int


@dataclass(frozen=True, slots=True)
class Roll:
    """All commuters of a day, and what became of recorded sessions that did not fit."""

    commuters: tuple[Commuter, ...]
    moved_count: int
    dropped_count: int


@dataclass(frozen=True, slots=True)
class _Stay:
    station_no: int
    arrives_s: int
    leaves_s: int
    declared_s: int
    delivered_wh: float

    @property
    def free_from_s(self) -> int:
        return max(self.leaves_s, self.declared_s) + GAP_S


def at_local(day: date, clock: time) -> int:
    """Return the second since 1970 of a local time at the site."""
    return int(datetime.combine(day, clock, ZoneInfo(ZONE)).timestamp())


def record_stations(day: date, count: int, rng: random.Random) -> list[tuple[RecordedSession, ...]]:
    """Return the sessions of `count` recorded stations: of this day, and if these are too few of other days."""
    chosen: list[tuple[RecordedSession, ...]] = []
    others = [other for other in records.available_days() if other != day]
    rng.shuffle(others)
    for source in (day, *others):
        stations: dict[str, list[RecordedSession]] = {}
        for session in records.sessions_by_day()[source]:
            stations.setdefault(session.station, []).append(session)
        names = sorted(stations)
        chosen += [tuple(stations[name]) for name in rng.sample(names, min(len(names), count - len(chosen)))]
        if len(chosen) == count:
            break
    return chosen


def _stay(day: date, station_no: int, session: RecordedSession, is_as_recorded: bool, rng: random.Random) -> _Stay:
    """Lay a recorded session over the day by its local clock."""

    def clock_s(local_at: datetime) -> int:
        days_later = (local_at.date() - session.arrived_at.date()).days
        return at_local(day + timedelta(days=days_later), local_at.time().replace(microsecond=0))

    opens_s, latest_s = at_local(day, OPENS), at_local(day, LATEST_DEPARTURE)
    early_s = opens_s + rng.randint(EARLY_FROM_S, EARLY_UNTIL_S)
    recorded_s = clock_s(session.arrived_at)
    arrives_s = early_s if recorded_s < opens_s + EARLY_FROM_S else recorded_s
    departs_s = min(clock_s(session.departed_at), latest_s)
    declared_s = departs_s if session.declared_at is None else min(clock_s(session.declared_at), latest_s)
    leaves_s = departs_s if is_as_recorded else declared_s
    if is_as_recorded and declared_s - arrives_s < SHORTEST_STAY_S:
        declared_s = departs_s
    return _Stay(station_no, arrives_s, leaves_s, declared_s, session.delivered_wh)


def _park(stays: Sequence[_Stay], station_count: int) -> tuple[list[_Stay], int, int]:
    """Give every stay a station of its own for its time: its recorded one, else another free one, else none."""
    free_from_s = [0] * station_count
    parked: list[_Stay] = []
    moved_count = dropped_count = 0
    for stay in sorted(stays, key=lambda each: (each.arrives_s, each.station_no)):
        if free_from_s[stay.station_no] > stay.arrives_s:
            free = [number for number in range(station_count) if free_from_s[number] <= stay.arrives_s]
            if not free:
                dropped_count += 1
                continue
            moved_count += 1
            stay = _Stay(free[0], stay.arrives_s, stay.leaves_s, stay.declared_s, stay.delivered_wh)  # noqa: PLW2901
        free_from_s[stay.station_no] = stay.free_from_s
        parked.append(stay)
    return parked, moved_count, dropped_count


def _commuter(number: int, stay: _Stay, opens_s: int, nameplate_w: float, rng: random.Random) -> Commuter | None:
    max_power_w = SLOW_W if rng.random() < SLOW_SHARE else rng.choice(FAST_W)
    power_w = min(max_power_w, nameplate_w)
    is_booking = rng.random() < BOOKING_SHARE
    early_s = rng.randint(1, EARLY_FROM_S - 1)
    share, app_delay_s, token_no = rng.random(), rng.randint(60, 180), rng.getrandbits(32)
    need_wh = fillable_wh(stay.delivered_wh, STAY_SHARE * (stay.leaves_s - stay.arrives_s), power_w)
    if need_wh < LEAST_NEED_WH:
        return None
    last_s = stay.arrives_s - BOOKING_LEAD_S
    first_s = opens_s + EARLY_FROM_S
    books_s = opens_s + early_s if last_s <= first_s else first_s + int(share * (last_s - first_s))
    large_enough = [battery_wh for battery_wh in BATTERIES_WH if battery_wh >= BATTERY_RATIO * need_wh]
    return Commuter(
        commuter_id=f"commuter-{number:03d}",
        station_no=stay.station_no,
        token=f"{number:06X}{token_no:08X}",
        arrives_s=stay.arrives_s,
        leaves_s=stay.leaves_s,
        declared_s=stay.declared_s,
        need_wh=need_wh,
        battery_wh=rng.choice(large_enough or [BATTERIES_WH[-1]]),
        max_power_w=max_power_w,
        taper=taper_of(need_wh, power_w),
        books_s=books_s if is_booking else None,
        app_delay_s=app_delay_s,
    )


def commuters_of(day: date, station_count: int, seed: int, *, is_as_recorded: bool, nameplate_w: float) -> Roll:
    """Return the commuters of a day, the same for the same arguments.

    Stays never overlap at a station (10 minutes lie between them), none is shorter than 30 minutes, and every need can
    be filled within its stay with 10 % of the time to spare.
    """
    rng = random.Random(f"{seed}:{day}:{station_count}")
    stays = [
        _stay(day, station_no, session, is_as_recorded, rng)
        for station_no, sessions in enumerate(record_stations(day, station_count, rng))
        for session in sessions
    ]
    latest_s = at_local(day, LATEST_DEPARTURE)
    stays = [
        stay
        for stay in stays
        if stay.leaves_s - stay.arrives_s >= SHORTEST_STAY_S
        and stay.arrives_s < latest_s
        and stay.delivered_wh >= LEAST_NEED_WH
    ]
    parked, moved_count, dropped_count = _park(stays, station_count)
    opens_s = at_local(day, OPENS)
    commuters = [_commuter(number, stay, opens_s, nameplate_w, rng) for number, stay in enumerate(parked, start=1)]
    return Roll(tuple(commuter for commuter in commuters if commuter is not None), moved_count, dropped_count)
