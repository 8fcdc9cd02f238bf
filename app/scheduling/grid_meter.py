"""The meter at the connection: whether it can be meant, what it says was drawn, and what load it gives away.

It has to agree with the other meters: whatever the cars do, what is drawn is no less than building load − PV (what
else feeds the site belongs to its PV). And what is drawn beyond all that the cars may draw is uncontrolled load,
whatever the building's meter says.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from app.domain.snapshot import SiteSpec
from app.scheduling.uncontrolled import (
    ABSURD_FACTOR,
    FROZEN_COUNT,
    REFUSED,
    SITE,
    STALE,
    STEADY,
    Bounds,
    MeterReading,
    Sample,
    meter_of,
    recent_of,
    trouble,
)

METER = "site grid"
AGREES_SHARE = 0.05
AGREES_W = 500.0
HIDDEN = "load beyond what it shows"


def with_grid(site: SiteSpec, found: Bounds, readings: Sequence[MeterReading], cars_w: float, now: datetime) -> Bounds:
    """Return what the meter at the connection adds to what the others say; `cars_w` is all that cars may draw.

    A load that it gives away counts once it was there for STEADY: until then cars may still be coming down.
    """
    metered = sorted((each for each in readings if each.grid_w is not None), key=lambda each: each.heard_at)
    reason = grid_trouble(site, metered, now)
    troubles, loads = dict(found.troubles), dict(found.loads)
    if reason is not None and _is_missed(site, metered, reason):
        troubles[METER] = reason
    if reason is None and REFUSED not in troubles:
        hidden_w = min(drawn_w for _, drawn_w in recent_of(_samples(metered))) - cars_w
        if hidden_w > loads[SITE]:
            loads[SITE] = hidden_w
            troubles.setdefault(meter_of(SITE), HIDDEN)
    return replace(found, loads=loads, troubles=troubles)


def grid_trouble(site: SiteSpec, metered: Sequence[MeterReading], now: datetime) -> str | None:
    """Return why the meter at the connection cannot be relied on (see `uncontrolled.trouble`), None: it can.

    `sign-flipped`: for 10 s it has said less than the building alone takes, and would not the other way round;
    `contradicts the building`: so it would either way.
    """
    reason = trouble(_samples(metered), now, noise=math.inf, most=ABSURD_FACTOR * site.limit_w)
    if reason is not None:
        return reason
    newest = [each for each in metered if now - each.heard_at <= STALE]
    if any(agrees(each) for each in newest):
        return None
    flipped = [replace(each, grid_w=-(each.grid_w or 0.0)) for each in newest]
    return "sign-flipped" if all(agrees(each) for each in flipped) else "contradicts the building"


def agrees(reading: MeterReading) -> bool:
    """Whether what is drawn is no less than building load − PV, give or take what meters differ."""
    if reading.grid_w is None or not math.isfinite(reading.grid_w):
        return False
    largest_w = max(abs(reading.grid_w), reading.building_w, reading.pv_w)
    return reading.grid_w >= reading.building_w - reading.pv_w - AGREES_W - AGREES_SHARE * largest_w


def drawn(readings: Sequence[MeterReading]) -> list[Sample]:
    """Return what was drawn, by the time it was heard, without what cannot be meant: that is a gap."""
    samples: list[Sample] = []
    since_at, same_count, last_w = datetime.min.replace(tzinfo=UTC), 0, math.nan
    for each in sorted(readings, key=lambda each: each.heard_at):
        if each.grid_w is None:
            continue
        if each.grid_w != last_w:
            since_at, same_count, last_w = each.heard_at, 0, each.grid_w
        same_count += 1
        is_frozen = same_count >= FROZEN_COUNT and each.heard_at - since_at >= STEADY and last_w != 0
        if agrees(each) and not is_frozen:
            samples.append((each.heard_at, each.grid_w))
    return samples


def _samples(metered: Sequence[MeterReading]) -> list[Sample]:
    return [(each.heard_at, each.grid_w) for each in metered if each.grid_w is not None]


def _is_missed(site: SiteSpec, metered: Sequence[MeterReading], reason: str) -> bool:
    if reason not in {"stale", "sparse"} or site.demand_target_w is not None:
        return True
    return reason == "stale" and len(metered) > 1 and metered[-1].heard_at - metered[-2].heard_at <= STALE
