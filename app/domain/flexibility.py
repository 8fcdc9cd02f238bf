"""Aggregated flexibility as the grid side reads it: 30-minute slots of the site's zone and sustained blocks."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.intervals import Interval


@dataclass(frozen=True, slots=True)
class FlexibilitySlot:
    """One market slot: planned mean power and how far it alone could move; slots are not jointly deliverable."""

    interval: Interval
    baseline_w: float
    decrease_w: float
    increase_w: float


@dataclass(frozen=True, slots=True)
class FlexibilityBlock:
    """A constant change from the baseline that is deliverable through the whole interval. Blocks are alternatives."""

    interval: Interval
    decrease_w: float
    increase_w: float


@dataclass(frozen=True, slots=True)
class FlexibilityOffer:
    """What the site can offer, computed from one plan. `connected` counts the plugged-in cars behind it."""

    site_id: str
    issued_at: datetime
    slots: tuple[FlexibilitySlot, ...]
    blocks: tuple[FlexibilityBlock, ...]
    connected: int
