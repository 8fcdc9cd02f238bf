"""Which faults the network plays when: a sequence that a seed decides, endless, for stations named by number."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What goes wrong on the way between stations and controller."""

    DELAY = "delay"
    STALL = "stall"
    DEAF_STATION = "deaf to orders"
    MUTE_STATION = "answers lost on the way"
    CUT = "cut"
    HALF_OPEN = "half open"
    DRIP = "drip"
    REFUSE = "refuse"
    PARTITION = "partition"


WEIGHTS = {
    Kind.DELAY: 5,
    Kind.STALL: 3,
    Kind.DEAF_STATION: 2,
    Kind.MUTE_STATION: 4,
    Kind.CUT: 4,
    Kind.HALF_OPEN: 2,
    Kind.DRIP: 2,
    Kind.REFUSE: 1,
    Kind.PARTITION: 1,
}
LONGEST_S = {
    Kind.DELAY: 40.0,
    Kind.STALL: 40.0,
    Kind.DEAF_STATION: 30.0,
    Kind.MUTE_STATION: 30.0,
    Kind.CUT: 0.0,
    Kind.HALF_OPEN: 0.0,
    Kind.DRIP: 15.0,
    Kind.REFUSE: 30.0,
    Kind.PARTITION: 40.0,
}
SHORTEST_S = 3.0
MEAN_PAUSE_A_STATION_S = 100.0
PARTITION_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Fault:
    """`after_s` after the one before, something befalls these stations for `lasts_s` (a cut is done at once)."""

    kind: Kind
    after_s: float
    lasts_s: float
    stations: tuple[str, ...]


def faults(stations: Sequence[str], groups: Sequence[Sequence[str]], seed: int) -> Iterator[Fault]:
    """Yield faults for ever. A station meets one about every 100 s; partitions take a group or a third of all."""
    rng = random.Random(f"faults:{seed}")
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    while True:
        kind = rng.choices(kinds, weights)[0]
        after_s = rng.expovariate(len(stations) / MEAN_PAUSE_A_STATION_S)
        lasts_s = rng.uniform(SHORTEST_S, LONGEST_S[kind]) if LONGEST_S[kind] else 0.0
        if kind is Kind.PARTITION:
            share = rng.sample(stations, max(1, round(PARTITION_SHARE * len(stations))))
            yield Fault(kind, after_s, lasts_s, tuple(rng.choice([*groups, share])))
        else:
            yield Fault(kind, after_s, lasts_s, (rng.choice(stations),))
