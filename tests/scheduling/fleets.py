"""Random car parks for the scheduling tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from app.domain.intervals import slots_between
from app.domain.snapshot import Demand, EvseSpec, IntentSource, SiteSnapshot, SiteSpec, SurplusSlot
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
