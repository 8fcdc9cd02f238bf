"""Random car parks for the scheduling tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import strategies as st

from app.domain.intervals import Interval, slots_between
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
from app.domain.stays import NeedBlock, StayOutlook
from app.domain.wiring import Feeder, Wiring

NOW = datetime(2026, 4, 1, 0, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def demand(number: int, *, hours: float, need_wh: float, max_power_w: float = 6000.0, **more: object) -> Demand:
    values = {"power_w": None, "limit_w": None, "switched_at": None, **more}
    return Demand(
        session_id=f"session {number:02d}",
        evse_id=number,
        arrived_at=NOW,
        departs_at=NOW + timedelta(hours=hours),
        need_wh=need_wh,
        max_power_w=max_power_w,
        min_power_w=1200.0,
        source=IntentSource.DRIVER,
        **values,
    )


def snapshot(demands: list[Demand], surplus_w: list[float], limit_w: float = 20_000.0, **more: object) -> SiteSnapshot:
    evses = tuple(
        EvseSpec(each.evse_id, f"s{each.evse_id}", 1, 6000.0, 1200.0, 1200.0, 200.0, 1, True, True) for each in demands
    )
    slots = slots_between(NOW, NOW + QUARTER * len(surplus_w))
    surplus = tuple(SurplusSlot(slot, power_w) for slot, power_w in zip(slots, surplus_w, strict=True))
    return SiteSnapshot(
        SiteSpec("site", "Asia/Tokyo", limit_w, 0.0, 0.0, **more), evses, tuple(demands), surplus=surplus
    )


@st.composite
def parks(draw: st.DrawFn) -> SiteSnapshot:
    count = draw(st.integers(1, 6))
    demands = [
        demand(
            number,
            hours=draw(st.integers(1, 24)) / 4,
            need_wh=float(draw(st.integers(0, 20)) * 1000),
            max_power_w=draw(st.sampled_from([2000.0, 3600.0, 6000.0])),
        )
        for number in range(1, count + 1)
    ]
    surplus_w = [float(draw(st.integers(0, 20)) * 1000) for _ in range(24)]
    limit_w = float(draw(st.integers(count * 1200 + 1000, 40_000)))
    return snapshot(demands, surplus_w, limit_w)


@st.composite
def wired_parks(draw: st.DrawFn) -> SiteSnapshot:
    """Return a park on a tree of two levels: a transformer over two panels."""
    park = draw(parks())
    feeders = (
        Feeder("top", limit_w=float(draw(st.integers(2, 30)) * 1000)),
        Feeder("left", "top", rating_a=float(draw(st.integers(10, 80)))),
        Feeder("right", "top", limit_w=float(draw(st.integers(1, 15)) * 1000)),
    )
    evses = tuple(
        replace(
            evse,
            feeder_id=draw(st.sampled_from([None, "top", "left", "right"])),
            wiring=draw(st.sampled_from([Wiring.L1_L2, Wiring.L2_L3, Wiring.L3_L1])),
        )
        for evse in park.evses
    )
    return replace(park, site=replace(park.site, feeders=feeders), evses=evses)


@st.composite
def outlooks(draw: st.DrawFn, need_wh: float) -> StayOutlook:
    """Return a curve that never rises, and maybe parts of the need, the surest first."""
    steps = draw(st.lists(st.sampled_from([1.0, 1.0, 0.95, 0.8, 0.5]), min_size=1, max_size=24))
    stays_share = tuple(float(share) for share in np.cumprod(steps))
    shares = sorted(draw(st.lists(st.sampled_from([0.1, 0.4, 0.7, 1.0]), max_size=3)), reverse=True)
    return StayOutlook(stays_share, tuple(NeedBlock(need_wh / len(shares), share) for share in shares))


@st.composite
def hedged_parks(draw: st.DrawFn) -> SiteSnapshot:
    """Return a park with everything that a plan may weigh: learnt stays, arrivals, a tariff, a demand target."""
    park = draw(wired_parks())
    demands = tuple(
        replace(
            each, outlook=draw(st.none() | outlooks(each.need_wh)), limit_w=draw(st.sampled_from([None, 0.0, 3000.0]))
        )
        for each in park.demands
    )
    quarters = list(slots_between(NOW, NOW + QUARTER * 24))
    arrivals = tuple(
        ArrivalGroup(Interval(NOW + QUARTER * first, NOW + QUARTER * (first + 6)), 1.5, 5000.0, 6000.0)
        for first in draw(st.lists(st.integers(0, 18), max_size=2))
    )
    tariff = tuple(
        GridSlot(slot, float(draw(st.sampled_from([15, 30, 45]))), float(draw(st.sampled_from([300, 500]))))
        for slot in quarters[: draw(st.sampled_from([0, 10, 24]))]
    )
    surplus = tuple(replace(each, deficit_w=draw(st.sampled_from([0.0, 4000.0]))) for each in park.surplus)
    site = replace(
        park.site,
        miss_cost_ratio=draw(st.sampled_from([0.0, 1.0, 3.0, 100.0])),
        demand_target_w=draw(st.sampled_from([None, 6000.0])),
    )
    return replace(park, site=site, demands=demands, arrivals=arrivals, grid=tariff, surplus=surplus)
