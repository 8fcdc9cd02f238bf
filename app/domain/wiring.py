"""The site's electrical tree: feeders with their ratings, and which line conductors an EVSE uses.

A feeder is any node that has a rating of its own: connection, transformer, panel, feeder, breaker. The site itself is
the root; its limit is in W. Line currents add as phasors; their scalar sum, which is used here, is a bound.
"""

from dataclasses import dataclass
from enum import StrEnum


class Conductor(StrEnum):
    """A line conductor. The neutral carries at most what the largest line conductor does, and needs no row."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


class Wiring(StrEnum):
    """Which line conductors an EVSE is wired to. Unknown means that it may load every one of them."""

    L1_N = "L1-N"
    L2_N = "L2-N"
    L3_N = "L3-N"
    L1_L2 = "L1-L2"
    L2_L3 = "L2-L3"
    L3_L1 = "L3-L1"
    L1_L2_L3 = "L1-L2-L3"
    UNKNOWN = "unknown"

    @property
    def conductors(self) -> tuple[Conductor, ...]:
        """The conductors that its current may flow in."""
        return _CONDUCTORS[self]


_CONDUCTORS = {
    wiring: tuple(each for each in Conductor if wiring is Wiring.UNKNOWN or each.value in wiring.value.split("-"))
    for wiring in Wiring
}


class FeederKind(StrEnum):
    """What a feeder is, for people; the ledger treats them alike."""

    CONNECTION = "connection"
    TRANSFORMER = "transformer"
    PANEL = "panel"
    FEEDER = "feeder"
    BREAKER = "breaker"


@dataclass(frozen=True, slots=True)
class Feeder:
    """One node of the tree below the site. `parent_id` None: it hangs at the site itself.

    `rating_a` holds for each line conductor, `limit_w` for all of them together; None: not limited in that unit. The
    margins are kept free of everything. `reserve_a` and `reserve_w` are for all uncontrolled load through this feeder,
    its children's included. `rise_a` and `rise_w` (ΔB) bound how much that load may rise within 10 s, a lease and
    SETTLE; None: not proven, and the reserve counts whatever the meter says.
    """

    feeder_id: str
    parent_id: str | None = None
    kind: FeederKind = FeederKind.FEEDER
    rating_a: float | None = None
    limit_w: float | None = None
    margin_a: float = 0.0
    margin_w: float = 0.0
    reserve_a: float = 0.0
    reserve_w: float = 0.0
    rise_a: float | None = None
    rise_w: float | None = None
