"""A prepared day: stations, commuters, sun and forecast, chosen from the records by seed."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from simulators import records
from simulators.commuters import CLOSES, OPENS, ZONE, Commuter, Roll, at_local, commuters_of
from simulators.electrical import Steps
from simulators.sun import Sun, sun_of

VOLTAGE_V = 200.0
MAX_CURRENT_A = 30.0
PHASE_COUNT = 1
MAX_STATIONS = 500
DIALECTS = ("ocpp1.6", "ocpp2.0.1")


class Unknown(ValueError):
    """What was asked for is not in the records; `field` names the bad input."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class PreparedDay:
    """Everything about a day that is known before it begins."""

    day: date
    starts_s: int
    ends_s: int
    station_count: int
    roll: Roll
    sun: Sun

    def station_id(self, station_no: int) -> str:
        """Return the identity of the n-th station (from 0)."""
        return f"CP-{station_no + 1:03d}"

    def dialect(self, station_no: int) -> str:
        """Return the subprotocol of the n-th station: half and half."""
        return DIALECTS[station_no % len(DIALECTS)]

    def told(self) -> dict[str, Any]:
        """Return the day as JSON values."""
        stations = [
            {
                "station_id": self.station_id(number),
                "dialect": self.dialect(number),
                "max_current_a": MAX_CURRENT_A,
                "phase_count": PHASE_COUNT,
            }
            for number in range(self.station_count)
        ]
        return {
            "day": self.day.isoformat(),
            "zone": ZONE,
            "starts_at": local_text(self.starts_s),
            "ends_at": local_text(self.ends_s),
            "days": [day.isoformat() for day in records.available_days()],
            "stations": stations,
            "voltage_v": VOLTAGE_V,
            "commuters": [self._commuter(commuter) for commuter in self.roll.commuters],
            "parking": {"moved": self.roll.moved_count, "dropped": self.roll.dropped_count},
            "sun": self._series(self.sun.pv),
            "forecast": self._series(self.sun.forecast_pv),
        }

    def _commuter(self, commuter: Commuter) -> dict[str, Any]:
        return {
            "commuter_id": commuter.commuter_id,
            "station_id": self.station_id(commuter.station_no),
            "token": commuter.token,
            "arrives_at": local_text(commuter.arrives_s),
            "leaves_at": local_text(commuter.leaves_s),
            "declared_at": local_text(commuter.declared_s),
            "need_wh": commuter.need_wh,
            "battery_wh": commuter.battery_wh,
            "max_power_w": commuter.max_power_w,
            "taper": [list(line) for line in commuter.taper],
            "announces": "app" if commuter.books_s is None else "booking",
        }

    def _series(self, pv: Steps) -> dict[str, Any]:
        return {
            "starts_at": local_text(pv.starts_s),
            "step_s": pv.step_s,
            "pv_w": pv.power_w.tolist(),
            "building_w": self.sun.building.power_w.tolist(),
        }


def local_text(at_s: int) -> str:
    """Return ISO 8601 in the site's zone."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(ZONE)).isoformat()


def _chosen(day: str | None, seed: int) -> date:
    days = records.available_days()
    if day is None:
        return random.Random(f"day:{seed}").choice(days)
    span = f"{days[0]} to {days[-1]} ({len(days)} of these days)"
    try:
        chosen = date.fromisoformat(day)
    except ValueError:
        raise Unknown("day", f"{day!r} is not a day; available: {span}") from None
    if chosen not in days:
        raise Unknown("day", f"no records of {day}; available: {span}")
    return chosen


def _attending(commuters: tuple[Commuter, ...], share: float, seed: int) -> tuple[Commuter, ...]:
    """Return that share of the commuters, in their order; a smaller share is a part of a larger one."""
    order = list(range(len(commuters)))
    random.Random(f"attendance:{seed}").shuffle(order)
    kept = set(order[: max(1, round(share * len(order)))])
    return tuple(commuter for index, commuter in enumerate(commuters) if index in kept)


def prepare(
    stations: int,
    seed: int,
    day: str | None,
    *,
    as_recorded: bool,
    surplus_ratio: float,
    attendance_share: float = 1.0,
) -> PreparedDay:
    """Return a day, the same for the same arguments; raises Unknown for what cannot be had.

    `attendance_share` of the day's commuters come by car.
    """
    if not 1 <= stations <= MAX_STATIONS:
        raise Unknown("stations", f"stations must be between 1 and {MAX_STATIONS}, not {stations}")
    if not surplus_ratio > 0:
        raise Unknown("surplus_ratio", f"surplus_ratio must be positive, not {surplus_ratio}")
    if not 0 < attendance_share <= 1:
        raise Unknown("attendance_share", f"attendance_share must be above 0 and at most 1, not {attendance_share}")
    chosen = _chosen(day, seed)
    roll = commuters_of(
        chosen, stations, seed, is_as_recorded=as_recorded, nameplate_w=MAX_CURRENT_A * PHASE_COUNT * VOLTAGE_V
    )
    roll = replace(roll, commuters=_attending(roll.commuters, attendance_share, seed))
    if not roll.commuters:
        raise Unknown("seed", f"nobody comes on {chosen} with seed {seed} and {stations} stations; try another seed")
    starts_s, ends_s = at_local(chosen, OPENS), at_local(chosen, CLOSES)
    sun = sun_of(
        chosen,
        midnight_s=at_local(chosen, OPENS.replace(hour=0)),
        starts_s=starts_s,
        ends_s=ends_s,
        need_wh=sum(commuter.need_wh for commuter in roll.commuters),
        surplus_ratio=surplus_ratio,
    )
    return PreparedDay(chosen, starts_s, ends_s, stations, roll, sun)
