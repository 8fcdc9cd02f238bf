"""Plugged-in, booked and expected cars side by side: the planner's rows, in an order of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.snapshot import ArrivalGroup, Demand, ExpectedDemand, SiteSnapshot
from app.domain.stays import NeedBlock, StayOutlook
from app.scheduling.branches import default_w
from app.scheduling.flow import Ints

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SHORTEST_STAY_S = 60.0
NO_BRANCH: Final = -1


@dataclass(frozen=True, slots=True)
class Cars:
    """One row per car, or group of cars that are expected: first `demands`, then `booked`, then `arrivals`.

    Times are in s from now, needs in whole Wh. `free_w` is its EVSE's default, `limit_w` the limit in force (0: none),
    `branch` the first scarce feeder above it (NO_BRANCH: none). The rest belongs to the demands: what they need, when
    they depart (negative: they should have), the least usable power, and how long they will probably stay.
    """

    demands: tuple[Demand, ...]
    booked: tuple[ExpectedDemand, ...]
    arrivals: tuple[ArrivalGroup, ...]
    start_s: Floats
    end_s: Floats
    need_wh: Ints
    max_w: Floats
    free_w: Floats
    limit_w: Floats
    branch: Ints
    wanted_wh: Floats
    departs_s: Floats
    min_w: Floats
    is_limited: Flags
    outlooks: tuple[StayOutlook | None, ...]

    def __len__(self) -> int:
        return len(self.need_wh)

    @property
    def promised_count(self) -> int:
        """How many rows are cars to which something is promised."""
        return len(self.demands) + len(self.booked)

    @property
    def has_outlook(self) -> Flags:
        """Whether a demand's stay was learnt."""
        return np.array([outlook is not None for outlook in self.outlooks], dtype=bool)


@dataclass(frozen=True, slots=True)
class Curves:
    """Per slot the probability of having left by its end: `shares` has a row per different curve, `row` says whose."""

    shares: Floats
    row: Ints

    def matrix(self) -> Floats:
        """Return a row per demand."""
        return self.shares[self.row]

    def at(self, slot: Ints) -> Floats:
        """Return every demand's probability in a slot of its own."""
        return self.shares[self.row, slot]

    def mean_later(self) -> Floats:
        """Return how much likelier each is gone in a mean slot than in the first one."""
        later: Floats = (self.shares.mean(axis=1) - self.shares[:, 0])[self.row]
        return later


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a solved flow means for the cars: Wh per car and slot, what each misses, grid Wh per slot, full feeders.

    What is missed below `slack_wh` is rounding.
    """

    energy_wh: NDArray[np.floating]
    unmet_wh: Floats
    grid_wh: Ints
    is_full: Flags
    slack_wh: Floats


def cars_of(snapshot: SiteSnapshot, now: datetime, branch_of: Mapping[int, int]) -> Cars:
    """Return the snapshot's cars; `branch_of` is the first scarce feeder above an EVSE."""
    demands = tuple(sorted(snapshot.demands, key=lambda each: each.session_id))
    booked = tuple(sorted(snapshot.expected, key=lambda each: each.booking_id))
    arrivals = tuple(sorted(snapshot.arrivals, key=_group_key))
    default_at_w = {evse.evse_id: default_w(evse) for evse in snapshot.evses}
    evse_ids = [each.evse_id for each in demands] + [each.evse_id for each in booked]
    periods = [each.period for each in booked] + [each.period for each in arrivals]
    starts_s = [0.0] * len(demands) + [max(0.0, (period.start_at - now).total_seconds()) for period in periods]
    departs_s = [(each.departs_at - now).total_seconds() for each in demands]
    ends_s = departs_s + [(period.end_at - now).total_seconds() for period in periods]
    start_s = np.array(starts_s, dtype=float)
    others = len(arrivals)
    return Cars(
        demands,
        booked,
        arrivals,
        start_s,
        np.maximum(np.array(ends_s, dtype=float), start_s + SHORTEST_STAY_S),
        _column(demands, booked, arrivals, lambda each: each.need_wh).round().astype(np.int64),
        _column(demands, booked, arrivals, lambda each: each.max_power_w),
        np.array([default_at_w.get(each, 0.0) for each in evse_ids] + [0.0] * others, dtype=float),
        np.array([each.limit_w or 0.0 for each in demands] + [0.0] * (len(booked) + others), dtype=float),
        np.array([branch_of.get(each, NO_BRANCH) for each in evse_ids] + [NO_BRANCH] * others, dtype=np.int64),
        np.array([each.need_wh for each in demands], dtype=float),
        np.array(departs_s, dtype=float),
        np.array([each.min_power_w for each in demands], dtype=float),
        np.array([each.limit_w is not None for each in demands], dtype=bool),
        tuple([each.outlook for each in demands]),
    )


def _group_key(group: ArrivalGroup) -> tuple[datetime, datetime, float, float, float]:
    return (group.period.start_at, group.period.end_at, group.need_wh, group.max_power_w, group.cars_count)


def _column(
    demands: Sequence[Demand],
    booked: Sequence[ExpectedDemand],
    arrivals: Sequence[ArrivalGroup],
    value_of: Callable[[Demand | ExpectedDemand | ArrivalGroup], float],
) -> Floats:
    """Return a value per row; that of a group counts for all of its cars."""
    single = [value_of(each) for each in demands] + [value_of(each) for each in booked]
    return np.array(single + [value_of(each) * each.cars_count for each in arrivals], dtype=float)


def blocks_of(outlook: StayOutlook | None, need_wh: int) -> list[NeedBlock]:
    """Return the parts of what a car needs, which add up to it: neighbours that are as sure are one."""
    parts: list[NeedBlock] = []
    left_wh = float(need_wh)
    told = () if outlook is None else outlook.needs
    for block in (*told, NeedBlock(float("inf"), told[-1].share if told else 1.0)):
        energy_wh = float(round(min(left_wh, max(0.0, block.energy_wh))))
        if energy_wh <= 0:
            continue
        left_wh -= energy_wh
        if parts and parts[-1].share == block.share:
            energy_wh += parts.pop().energy_wh
        parts.append(NeedBlock(energy_wh, block.share))
    return parts or [NeedBlock(0.0, 1.0)]
