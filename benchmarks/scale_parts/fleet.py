"""A made-up fleet in the middle of a working morning, with everything that production has: the planner's input.

Half of the twelve panels are scarce, EVSEs are single-phase on three pairs of conductors and keep 6 A without a
controller, cars' stays were learnt (some hundred different curves), a third is charging. Nothing here is measured.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from app.domain.intervals import PLAN_SLOT, slots_between
from app.domain.snapshot import (
    ArrivalGroup,
    Demand,
    EvseSpec,
    GridSlot,
    IntentSource,
    SiteSnapshot,
    SiteSpec,
    SurplusSlot,
)
from app.domain.stays import StayOutlook
from app.domain.wiring import Feeder, Wiring

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOW = datetime(2026, 6, 1, 1, 4, tzinfo=UTC)
FIRST_AT = NOW.replace(minute=0)
SLOTS = 96
PANELS, SCARCE_PANELS = 12, 6
CURVES = 400
POWERS_W = (3600.0, 6656.0, 7200.0)
NAMEPLATE_W, SAFE_W, LEAST_W = 7200.0, 1200.0, 1200.0
SITE_SHARE, PANEL_SHARE, WIDE_SHARE, TARGET_SHARE = 0.45, 0.35, 2.0, 0.3
SUN_W, SUN_SLOTS = 2500.0, 36
WORKDAY_SHARE, LONGEST_H = 0.9, 24.0
DAY_PRICE, NIGHT_PRICE, NIGHT_SLOT = 30.0, 18.0, 56
WIRINGS = (Wiring.L1_L2, Wiring.L2_L3, Wiring.L3_L1)


def fleet(count: int, seed: int = 1) -> SiteSnapshot:
    """Return a site with so many plugged-in cars over 96 slots."""
    chance = np.random.default_rng(seed)
    usual_h, any_h = chance.gamma(16, 0.5, count), LONGEST_H * chance.random(count)
    hours = np.minimum(LONGEST_H, np.where(chance.random(count) < WORKDAY_SHARE, usual_h, any_h))
    quarters = np.maximum(1, np.round(hours * 4)).astype(np.int64)
    quarters[0] = SLOTS
    powers_w = chance.choice(POWERS_W, count)
    left_h = quarters / 4 - (NOW - FIRST_AT) / timedelta(hours=1)
    needs_wh = np.minimum(chance.gamma(2.5, 5000, count), powers_w * left_h * 1.02)
    panels = chance.integers(0, PANELS, count)
    limits_w = chance.choice(np.array([0.0, 0.0, 1.0]), count) * powers_w
    slots = list(slots_between(NOW, FIRST_AT + SLOTS * PLAN_SLOT))
    sun_w = SUN_W * count * np.sin(np.pi * (np.arange(SLOTS) + 12) / 48) * (np.arange(SLOTS) < SUN_SLOTS)
    target_w = TARGET_SHARE * NAMEPLATE_W * count
    return SiteSnapshot(
        SiteSpec(
            "fleet",
            "Asia/Tokyo",
            SITE_SHARE * NAMEPLATE_W * count,
            0.0,
            0.0,
            feeders=_feeders(powers_w, panels),
            demand_target_w=target_w,
        ),
        _evses(panels),
        _demands(quarters, powers_w, needs_wh, limits_w, _curves(chance), chance.integers(0, CURVES, count)),
        surplus=tuple(SurplusSlot(slot, float(max(0.0, sun_w[n]))) for n, slot in enumerate(slots)),
        arrivals=(ArrivalGroup(slots[10], 0.05 * count, 8000.0, 6656.0),),
        grid=tuple(GridSlot(slot, DAY_PRICE if n < NIGHT_SLOT else NIGHT_PRICE, None) for n, slot in enumerate(slots)),
    )


def _evses(panels: Ints) -> tuple[EvseSpec, ...]:
    return tuple(
        EvseSpec(
            number,
            f"s{number}",
            1,
            NAMEPLATE_W,
            LEAST_W,
            SAFE_W,
            200.0,
            1,
            is_verified=True,
            is_online=True,
            feeder_id=f"panel {panel}",
            wiring=WIRINGS[number % 3],
        )
        for number, panel in enumerate(panels.tolist())
    )


def _demands(
    quarters: Ints, powers_w: Floats, needs_wh: Floats, limits_w: Floats, curves: list[StayOutlook], kinds: Ints
) -> tuple[Demand, ...]:
    return tuple(
        Demand(
            f"session {number:06d}",
            number,
            NOW - timedelta(hours=1),
            FIRST_AT + int(quarters[number]) * PLAN_SLOT,
            float(needs_wh[number]),
            float(powers_w[number]),
            LEAST_W,
            IntentSource.DRIVER,
            None,
            float(limits_w[number]),
            None,
            curves[kinds[number]],
        )
        for number in range(len(quarters))
    )


def _curves(chance: np.random.Generator) -> list[StayOutlook]:
    """Return different ways to leave early: a chance per hour, and a wave around some hour."""
    ends = np.arange(1, SLOTS + 1) / 4
    outlooks = []
    for _ in range(CURVES):
        usual, spread = chance.uniform(2, LONGEST_H), chance.uniform(0.5, 3)
        share = np.exp(-ends * chance.uniform(0, 0.04)) / (1 + np.exp((ends - usual) / spread))
        outlooks.append(StayOutlook(tuple((share / share[0] * chance.uniform(0.97, 1.0)).tolist())))
    return outlooks


def _feeders(powers_w: Floats, panels: Ints) -> tuple[Feeder, ...]:
    """Return the panels; the first half of them is scarce."""
    below_w = np.bincount(panels, powers_w, PANELS)
    share = np.where(np.arange(PANELS) < SCARCE_PANELS, PANEL_SHARE, WIDE_SHARE)
    return tuple(
        Feeder(f"panel {number}", limit_w=limit_w)
        for number, limit_w in enumerate((below_w * share + NAMEPLATE_W).tolist())
    )
