"""Which stations lose their line when: seeded, and where a few minutes at the safe current make nobody late."""

import random
from dataclasses import dataclass
from typing import Any

from simulators.clock import stamp
from simulators.commuters import Commuter
from simulators.prepared import PreparedDay

DURATION_S = 480
BEFORE_LEAVING_S = 240
SETTLED_S = 1800
MARGIN_S = 300
ROOM_S = 5400


@dataclass(frozen=True, slots=True)
class Outage:
    """One station without a line over `[begins_s, ends_s)`."""

    station_id: str
    begins_s: int
    ends_s: int
    spans_departure: bool

    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "station_id": self.station_id,
            "begins_at": stamp(self.begins_s),
            "ends_at": stamp(self.ends_s),
            "spans_departure": self.spans_departure,
        }


def _fits(day: PreparedDay, commuter: Commuter, ends_s: int) -> bool:
    """Whether the next car at the station comes well after the line is back."""
    later = [
        other.arrives_s
        for other in day.roll.commuters
        if other.station_no == commuter.station_no and other.arrives_s > commuter.arrives_s
    ]
    return all(arrives_s > ends_s + MARGIN_S for arrives_s in later)


def outages_of(day: PreparedDay, count: int, seed: int) -> list[Outage]:
    """Return up to `count` outages at different stations, in turn around a departure and amid a session."""
    rng = random.Random(f"outages:{seed}:{day.day}")
    roomy = [
        commuter
        for commuter in day.roll.commuters
        if (commuter.leaves_s - commuter.arrives_s) * commuter.max_power_w / 3600 > 2 * commuter.need_wh
        and commuter.leaves_s - commuter.arrives_s > ROOM_S
    ]
    rng.shuffle(roomy)
    outages: list[Outage] = []
    for number in range(count):
        spans_departure = number % 2 == 0
        wanted = day.dialect(number // 2 + number)
        for commuter in sorted(roomy, key=lambda each: day.dialect(each.station_no) != wanted):
            first_s, last_s = commuter.arrives_s + SETTLED_S, commuter.leaves_s - SETTLED_S - DURATION_S
            begins_s = commuter.leaves_s - BEFORE_LEAVING_S if spans_departure else rng.randint(first_s, last_s)
            outage = Outage(day.station_id(commuter.station_no), begins_s, begins_s + DURATION_S, spans_departure)
            taken = {other.station_id for other in outages}
            if outage.station_id not in taken and _fits(day, commuter, outage.ends_s):
                outages.append(outage)
                break
    return outages
