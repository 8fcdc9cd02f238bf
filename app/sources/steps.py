"""What a forecast service told, on the planning grid: the common end of all adapters."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.errors import Invalid
from app.domain.intervals import PLAN_SLOT, Interval, floor_slot, slots_between

LONGEST = timedelta(days=4)
MOST_PERIODS_COUNT = 4 * 24 * 12 * 2
HIGHEST_W = 1e8


@dataclass(frozen=True, slots=True)
class SunSteps:
    """PV power in W of the planning slots from `starts_at`; the band is None where the service gives none."""

    starts_at: datetime
    pv_w: tuple[float, ...]
    p10_w: tuple[float, ...] | None = None
    p90_w: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One period of an answer: mean powers in W, of the band (`p10_w`, `p90_w`) too where it is given."""

    interval: Interval
    pv_w: float
    p10_w: float | None = None
    p90_w: float | None = None


def on_grid(periods: Sequence[Told], now: datetime) -> SunSteps:
    """Return the periods' energy as means of planning slots, at most 4 days from the slot of `now` on.

    What lies between periods is 0 (night). The band is told only where every period has one. Raises Invalid where no
    period lies ahead.
    """
    starts_at = floor_slot(now)
    ahead = [each for each in periods if each.interval.end_at > starts_at]
    if not ahead:
        raise Invalid("tells nothing of the time ahead")
    ends_at = min(max(each.interval.end_at for each in ahead), starts_at + LONGEST)
    count = -((starts_at - ends_at) // PLAN_SLOT)
    middle_w, lower_w, upper_w = [0.0] * count, [0.0] * count, [0.0] * count
    for each in ahead:
        for slot in slots_between(max(each.interval.start_at, starts_at), min(each.interval.end_at, ends_at)):
            place, share = (slot.start_at - starts_at) // PLAN_SLOT, slot.span / PLAN_SLOT
            middle_w[place] += share * each.pv_w
            lower_w[place] += share * min(each.pv_w if each.p10_w is None else each.p10_w, each.pv_w)
            upper_w[place] += share * max(each.pv_w if each.p90_w is None else each.p90_w, each.pv_w)
    has_band = all(each.p10_w is not None and each.p90_w is not None for each in ahead)
    return SunSteps(
        starts_at, tuple(middle_w), tuple(lower_w) if has_band else None, tuple(upper_w) if has_band else None
    )


def member(value: Any, name: str, field: str = "") -> Any:
    """Return a member of a JSON object; raises Invalid, naming it, where it is not there."""
    path = f"{field}.{name}" if field else name
    if not isinstance(value, Mapping) or name not in value:
        raise Invalid("is missing", field=path)
    return value[name]


def items(value: Any, field: str) -> Sequence[Any]:
    """Return a JSON list that is neither empty nor endless; raises Invalid."""
    if not isinstance(value, list) or not value:
        raise Invalid("is no list, or an empty one", field=field)
    if len(value) > MOST_PERIODS_COUNT:
        raise Invalid(f"has more than {MOST_PERIODS_COUNT} items", field=field)
    return value


def power_w(value: Any, field: str, factor: float = 1.0) -> float:
    """Return a power that a service told, × `factor`; raises Invalid where it cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid("is no number", field=field)
    found_w = float(value) * factor
    if not 0 <= found_w <= HIGHEST_W:
        raise Invalid(f"cannot be a power ({value})", field=field)
    return found_w


def instant(value: Any, field: str) -> datetime:
    """Return an instant told in ISO 8601; one without an offset is UTC, as it was asked for. Raises Invalid."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Invalid("is no ISO 8601 time", field=field) from None
    try:
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)
    except OverflowError:
        raise Invalid("is out of any calendar", field=field) from None


def period(start_at: datetime, end_at: datetime, field: str) -> Interval:
    """Return the interval; raises Invalid where it is empty or longer than a day."""
    if not timedelta(0) < end_at - start_at <= timedelta(days=1):
        raise Invalid("is not after the time before it, or by more than a day", field=field)
    return Interval(start_at, end_at)
