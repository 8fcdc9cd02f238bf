"""Random electrical trees with sessions on them, for the tests of what follows the sun."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from app.domain.commands import RateUnit
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Feeder, Wiring
from app.scheduling.feeders import grid_of
from app.scheduling.following import Claim, Room, Sun

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
SAFE_W = 1200.0


def evse(number: int, *, feeder_id: str | None = None, wiring: Wiring = Wiring.L1_L2, **more: object) -> EvseSpec:
    values = {
        "station_id": f"s{number}",
        "evse_number": 1,
        "nameplate_w": 6000.0,
        "min_power_w": 1200.0,
        "safe_power_w": SAFE_W,
        "w_per_a": 200.0,
        "phase_count": 1,
        "is_verified": True,
        "is_online": True,
        **more,
    }
    return EvseSpec(evse_id=number, feeder_id=feeder_id, wiring=wiring, **values)


def claim(number: int, *, planned_w: float = 0.0, must_w: float = 0.0, **more: object) -> Claim:
    values = {
        "min_power_w": 1200.0,
        "max_power_w": 6000.0,
        "need_wh": 12_000.0,
        "departs_at": NOW + timedelta(hours=4),
        **more,
    }
    return Claim(evse_id=number, session_id=f"session {number}", planned_w=planned_w, must_w=must_w, **values)


@st.composite
def trees(draw: st.DrawFn) -> tuple[SiteSpec, tuple[EvseSpec, ...]]:
    """Return a site with a transformer over two panels, and EVSEs anywhere in it, AC and DC."""
    feeders = (
        Feeder("top", limit_w=float(draw(st.integers(8, 60)) * 1000), rating_a=float(draw(st.integers(40, 250)))),
        Feeder("left", "top", rating_a=float(draw(st.integers(20, 150)))),
        Feeder("right", "top", limit_w=float(draw(st.integers(4, 40)) * 1000)),
    )
    evses = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        place, wiring = draw(st.sampled_from([None, "top", "left", "right"])), draw(st.sampled_from(list(Wiring)))
        is_dc = draw(st.booleans())
        more = {"nameplate_w": 18_000.0, "min_power_w": 4000.0, "w_per_a": 600.0, "phase_count": 3} if is_dc else {}
        unit = draw(st.sampled_from(RateUnit))
        evses.append(evse(number, feeder_id=place, wiring=wiring, rate_unit=unit, **more))
    site = SiteSpec("site", "Asia/Tokyo", float(draw(st.integers(5, 80)) * 1000), 0.0, 0.0, feeders=feeders)
    return site, tuple(evses)


@st.composite
def moments(draw: st.DrawFn) -> dict:
    """Return the arguments of `follow`: a tree, claims with and without limits in force, sun and maybe a cap."""
    site, evses = draw(trees())
    claims = []
    for spec in evses:
        if draw(st.integers(0, 4)) == 0:
            continue
        most_w = draw(st.sampled_from([0.0, 800.0, 3000.0, spec.nameplate_w]))
        planned_w = draw(st.floats(0, 1)) * most_w
        limit_w = draw(st.sampled_from([None, 0.0, spec.min_power_w, 5000.0, spec.nameplate_w]))
        claims.append(
            claim(
                spec.evse_id,
                planned_w=planned_w,
                must_w=planned_w * draw(st.sampled_from([0.0, 0.0, 0.5, 1.0])),
                min_power_w=spec.min_power_w,
                max_power_w=most_w,
                need_wh=most_w * draw(st.floats(0.1, 8)),
                departs_at=NOW + timedelta(minutes=draw(st.integers(0, 600))),
                limit_w=limit_w,
                switched_at=draw(st.sampled_from([None, NOW - timedelta(minutes=1), NOW - timedelta(hours=1)])),
                sent_at=draw(st.sampled_from([None, NOW - timedelta(seconds=5), NOW - timedelta(minutes=5)])),
                is_steerable=draw(st.integers(0, 5)) > 0,
            )
        )
    sun = Sun(draw(st.floats(0, 40_000)), draw(st.none() | st.floats(0, 60_000)))
    most_w = draw(st.just(float("inf")) | st.floats(0, 60_000))
    room = Room(grid_of(site, evses), {spec.evse_id: SAFE_W for spec in evses}, most_w)
    return {"claims": claims, "room": room, "sun": sun, "now": NOW}
