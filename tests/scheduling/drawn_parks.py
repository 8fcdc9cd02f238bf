"""Random car parks from a seed, with everything that a plan weighs.

All powers are multiples of 1,200 W or 60 W and all instants whole minutes, so that every capacity, also the 15, 35 and
65 % tiers of one, is a whole number of Wh: then the optimum of the linear programme is one in whole Wh, and the plan
must have exactly that.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from app.domain.intervals import Interval, floor_slot, slots_between
from app.domain.snapshot import (
    ArrivalGroup,
    Demand,
    EvseSpec,
    ExpectedDemand,
    GridSlot,
    IntentSource,
    SiteSnapshot,
    SiteSpec,
    SurplusSlot,
)
from app.domain.stays import NeedBlock, StayOutlook
from app.domain.wiring import Feeder

MORNING = datetime(2026, 4, 1, 7, tzinfo=UTC)
MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
STEP_W, FINE_W = 1200, 60


def whole_w(chance: Random, least: int, most: int, step: int = STEP_W) -> float:
    return float(chance.randint(least // step, most // step) * step)


def moment(chance: Random) -> datetime:
    """Now: often on the grid, else anywhere between, also so late in a slot that it is joined with the next."""
    return MORNING + MINUTE * chance.choice([0, 0, 3, 7, 14])


def park(chance: Random, *, plain: bool = False) -> tuple[SiteSnapshot, datetime]:
    """Return a park of at most 8 EVSEs and 24 slots, and now.

    `plain`: nobody may leave early and nobody needs to be done before departure.
    """
    now, count, slots = moment(chance), chance.choice([1, 2, 2, 3, 4, 8]), chance.choice([2, 5, 8, 12, 24])
    minutes = 15 * slots - (now - floor_slot(now)) // MINUTE
    feeders = _feeders(chance)
    places = [None, *(feeder.feeder_id for feeder in feeders)]
    evses = tuple(_evse(chance, number, chance.choice(places)) for number in range(1, count + 1))
    demands, expected = [], []
    for evse in evses:
        kind = chance.choice(["there", "there", "there", "booked", "both", "empty"])
        leaves = chance.randint(1, minutes)
        if kind in {"there", "both"}:
            demands.append(_demand(chance, evse, now, leaves, plain=plain))
        if kind == "booked" or (kind == "both" and leaves < minutes):
            expected.append(_booking(chance, evse, now, leaves if kind == "both" else 0, minutes))
    defaults_w = sum(evse.safe_power_w if evse.is_verified else evse.nameplate_w for evse in evses)
    site = SiteSpec(
        "site",
        "Asia/Tokyo",
        limit_w=max(STEP_W, defaults_w + whole_w(chance, -1200, chance.choice([6000, 40_000]))),
        margin_w=0.0,
        reserve_w=0.0,
        departure_buffer=MINUTE * (0 if plain else chance.choice([0, 10, 30])),
        feeders=feeders,
        demand_target_w=chance.choice([None, None, whole_w(chance, 1200, 20_000, FINE_W)]),
        miss_cost_ratio=chance.choice([0.0, 1.0, 3.0, 20.0]),
    )
    drawn = SiteSnapshot(site, evses, tuple(demands), tuple(expected))
    return replace(drawn, **_slotted(chance, now, slots, plain=plain)), now


def _feeders(chance: Random) -> tuple[Feeder, ...]:
    """No tree, one panel, or a transformer over two panels."""
    panels = (Feeder("panel", limit_w=whole_w(chance, 1200, 24_000, FINE_W)),)
    tree = (
        Feeder("top", limit_w=whole_w(chance, 2400, 30_000, FINE_W)),
        Feeder("left", "top", limit_w=whole_w(chance, 1200, 20_000, FINE_W)),
        Feeder("right", "top", limit_w=whole_w(chance, 1200, 15_000, FINE_W), margin_w=600.0),
    )
    return chance.choice([(), panels, tree])


def _evse(chance: Random, number: int, feeder_id: str | None) -> EvseSpec:
    nameplate_w = chance.choice([3600.0, 6000.0, 7200.0])
    return EvseSpec(
        evse_id=number,
        station_id=f"s{number}",
        evse_number=1,
        nameplate_w=nameplate_w,
        min_power_w=1200.0,
        safe_power_w=chance.choice([0.0, 1200.0, 1200.0]),
        w_per_a=200.0,
        phase_count=1,
        is_verified=chance.random() < 0.9,
        is_online=True,
        feeder_id=feeder_id,
    )


def _demand(chance: Random, evse: EvseSpec, now: datetime, leaves: int, *, plain: bool) -> Demand:
    max_power_w = whole_w(chance, 1200, int(evse.nameplate_w))
    reach_wh = int(max_power_w * leaves / 60)
    need_wh = float(chance.choice([0, chance.randint(1, 30_000), *(chance.randint(0, reach_wh) for _ in range(6))]))
    return Demand(
        session_id=f"session {chance.randrange(10**6):06d} {evse.evse_id}",
        evse_id=evse.evse_id,
        arrived_at=now - MINUTE,
        departs_at=now + MINUTE * leaves,
        need_wh=need_wh,
        max_power_w=max_power_w,
        min_power_w=evse.min_power_w,
        source=IntentSource.DRIVER,
        limit_w=chance.choice([None, 0.0, 1200.0, 3600.0]),
        outlook=None if plain or chance.random() < 0.4 else _outlook(chance, need_wh),
    )


def _outlook(chance: Random, need_wh: float) -> StayOutlook:
    """A curve that never rises, in tenths, and maybe parts of the need in quarters, the surest first."""
    tenths, shares = 10, []
    for _ in range(chance.randint(1, 26)):
        tenths = max(0, tenths - chance.choice([0, 0, 0, 0, 1, 1, 3]))
        shares.append(tenths / 10)
    sures = sorted(chance.choices([0.25, 0.5, 0.75, 1.0], k=chance.randint(0, 3)), reverse=True)
    most = max(1, int(need_wh))
    return StayOutlook(tuple(shares), tuple(NeedBlock(float(chance.randint(0, most)), sure) for sure in sures))


def _booking(chance: Random, evse: EvseSpec, now: datetime, earliest: int, minutes: int) -> ExpectedDemand:
    begins = chance.randint(earliest, minutes - 1)
    return ExpectedDemand(
        booking_id=f"booking {chance.randrange(10**6):06d} {evse.evse_id}",
        evse_id=evse.evse_id,
        period=Interval(now + MINUTE * begins, now + MINUTE * chance.randint(begins + 1, minutes)),
        need_wh=float(chance.randint(1, 20_000)),
        max_power_w=whole_w(chance, 1200, int(evse.nameplate_w)),
        min_power_w=evse.min_power_w,
    )


def _slotted(chance: Random, now: datetime, slots: int, *, plain: bool) -> dict[str, object]:
    """Sun, the building's share of the contract's demand, a tariff with gaps or none, and cars without a booking."""
    quarters = list(slots_between(now, floor_slot(now) + QUARTER * slots))
    bright_w = chance.choice([0, 6000, 20_000])
    surplus = [
        SurplusSlot(
            slot, whole_w(chance, 0, bright_w, FINE_W), deficit_w=chance.choice([0.0, whole_w(chance, 0, 9000)])
        )
        for slot in quarters
    ]
    prices, factors = chance.choice([[None], [20.0], [10.0, 20.0, 40.0]]), chance.choice([[None], [300.0, 500.0]])
    tariff = [GridSlot(slot, chance.choice(prices), chance.choice(factors)) for slot in quarters]
    arrivals = []
    for _ in range(0 if plain else chance.choice([0, 0, 1, 2])):
        begins = chance.randint(0, slots - 1)
        start_at, end_at = quarters[begins].start_at, quarters[chance.randint(begins, slots - 1)].end_at
        arrivals.append(ArrivalGroup(Interval(start_at, end_at), chance.choice([1.0, 2.0, 2.5]), 4000.0, 2400.0))
    return {
        "surplus": tuple(surplus[: chance.choice([slots, slots, slots // 2])]),
        "grid": tuple(tariff[: chance.choice([0, slots // 2, slots])]),
        "arrivals": tuple(arrivals),
    }
