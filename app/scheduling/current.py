"""Why a session's limit is what it is right now, where that is not what its slot's reason says already."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from app.domain.explanation import Reason, Why
from app.domain.plan import ChargingPlan, PlanLine
from app.domain.snapshot import Demand, EvseSpec, SiteSnapshot
from app.scheduling.rounding import SHORTEST_TURN
from app.scheduling.wording import clock, kw

SAME_W = 1.0


def now_reasons(
    demand: Demand, evse: EvseSpec, line: PlanLine, snapshot: SiteSnapshot, made: ChargingPlan
) -> Iterator[Reason]:
    """Yield what stands between the plan's mean power in its first slot and the limit that it wants right now.

    The most decisive first: what its station cannot do, then turns and rest, then what the car takes.
    """
    zone = ZoneInfo(snapshot.site.zone)
    yield from _not_steerable(evse)
    if demand.need_wh < 1:
        return
    planned_w = line.power_w[0]
    is_on = demand.limit_w is not None and demand.limit_w >= demand.min_power_w
    wants_on = line.target_w > 0
    rests_until_at = None if demand.switched_at is None else demand.switched_at + SHORTEST_TURN
    is_small = SAME_W < planned_w < demand.min_power_w - SAME_W
    if is_small or (planned_w <= SAME_W and wants_on) or (planned_w > SAME_W and not wants_on):
        if rests_until_at is not None and rests_until_at > made.made_at and is_on == wants_on:
            how = "on" if is_on else "off"
            yield Reason(
                Why.RESTING, f"it was switched {how} just now and stays so until {clock(rests_until_at, zone)}"
            )
        else:
            least, whose = kw(demand.min_power_w), "has its turn" if wants_on else "waits for its turn"
            yield Reason(
                Why.TURN, f"a mean of {kw(planned_w)} is planned, the least it can take is {least}: it {whose}"
            )
    elif line.target_w > planned_w + SAME_W and line.target_w >= line.most_w - SAME_W and line.must_w > planned_w:
        yield Reason(Why.LEAVES, f"it leaves at {clock(demand.departs_at, zone)}, so it gets all it can take")
    elif wants_on and line.target_w < planned_w - SAME_W:
        yield Reason(
            Why.SITE_LIMIT, f"{kw(planned_w)} is planned, the site's limit leaves {kw(line.target_w)} right now"
        )
    if demand.max_power_w < evse.usable_w - SAME_W and line.target_w >= demand.max_power_w - SAME_W:
        most, offered = kw(demand.max_power_w), kw(evse.usable_w)
        yield Reason(Why.CAR, f"the car takes at most {most} of the EVSE's {offered}")


def _not_steerable(evse: EvseSpec) -> Iterator[Reason]:
    safe = kw(evse.safe_power_w)
    if not evse.is_controllable:
        text = f"its station cannot hold limits or does not do what it is told: it keeps its safe {safe}"
        yield Reason(Why.NOT_STEERABLE, text)
    elif not evse.is_verified:
        text = f"its default is not proven yet, so it counts with {kw(evse.nameplate_w)} and gets no limit"
        yield Reason(Why.UNVERIFIED, text)
    elif not evse.is_online:
        yield Reason(Why.OFFLINE, f"its station is not connected: when its limit ends it falls back to its safe {safe}")
