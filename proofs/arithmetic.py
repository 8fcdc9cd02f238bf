"""INV-1 reckoned a second time, from the rules and not from the ledger's code: every sum of every conductor.

Deliberately plain: it shares no function with `app.scheduling`, so that an error there does not hide itself here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.commands import RateUnit
from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec, SiteSpec

TOLERANCE_A = 1e-3


@dataclass(frozen=True, slots=True)
class Member:
    """An EVSE below a feeder: what it puts on a conductor at its nameplate, its safe power, and per watt."""

    evse_id: int
    station_id: str
    nameplate_a: float
    safe_a: float
    per_w: float


@dataclass(frozen=True, slots=True)
class Branch:
    """One conductor of one feeder with the EVSEs that may load it, in A.

    `most_surprise_a` is the margin for surprises while every EVSE is proven.
    """

    feeder_id: str
    conductor: str
    rating_a: float
    reserve_a: float
    members: tuple[Member, ...]
    most_surprise_a: float

    def surprise_a(self, count: int, proven: Mapping[int, bool] | None = None) -> float:
        """Return what the `count` stations with the most to gain could draw above their safe power, in A."""
        gains: dict[str, float] = {}
        for member in self.members:
            if proven is None or proven[member.evse_id]:
                gains[member.station_id] = gains.get(member.station_id, 0.0) + member.nameplate_a - member.safe_a
        return sum(sorted(gains.values(), reverse=True)[:count])

    def sum_a(self, powers_w: Mapping[int, float]) -> float:
        """Return the sum of the EVSEs at these powers, in A."""
        return sum(min(each.nameplate_a, powers_w[each.evse_id] * each.per_w) for each in self.members)

    def is_full(
        self, powers_w: Mapping[int, float], loads_a: Mapping[tuple[str, str], float], full_share: float
    ) -> bool:
        """Whether what the EVSEs may load above their safe power is this share of what there is room for."""
        load_a = loads_a.get((self.feeder_id, self.conductor), self.reserve_a)
        safe_a = sum(member.safe_a for member in self.members)
        room_a = self.rating_a - load_a - self.most_surprise_a - safe_a
        return bool(self.members) and self.sum_a(powers_w) - safe_a >= full_share * room_a


def branches_of(site: SiteSpec, evses: Sequence[EvseSpec]) -> tuple[Branch, ...]:
    """Return every rated conductor with the EVSEs that may load it."""
    parents = {feeder.feeder_id: feeder.parent_id for feeder in site.feeders}
    members: dict[tuple[str, str], list[Member]] = {}
    for evse in evses:
        most_a = evse.nameplate_w / evse.w_per_a
        volts = evse.w_per_a / evse.phase_count
        lowest = volts * site.low_voltage_share * evse.least_phase_count
        per_w = 1 / evse.w_per_a if evse.rate_unit is RateUnit.A else 1 / lowest
        member = Member(evse.evse_id, evse.station_id, most_a, min(most_a, evse.safe_power_w * per_w), per_w)
        text = evse.wiring.value
        lines = ["L1", "L2", "L3"] if text == "unknown" else [line for line in text.split("-") if line != "N"]
        at: str | None = evse.feeder_id
        while at is not None:
            for line in lines:
                members.setdefault((at, line), []).append(member)
            at = parents[at]
    found = [
        Branch(
            feeder.feeder_id,
            line,
            (feeder.rating_a or 0.0) - feeder.margin_a,
            feeder.reserve_a,
            tuple(members.get((feeder.feeder_id, line), ())),
            0.0,
        )
        for feeder in site.feeders
        for line in ("L1", "L2", "L3")
    ]
    return tuple(replace(each, most_surprise_a=each.surprise_a(site.surprised_count)) for each in found)


def in_force_w(
    evse: EvseSpec, entries: Sequence[LimitEntry], now: datetime, settle: timedelta, *, is_proven: bool
) -> float:
    """Return u_i in W: the default or nameplate, and every order that may be in force, by R4 and R5."""
    highest_w = evse.safe_power_w if is_proven else evse.nameplate_w
    newest_accepted_no = {number.order_no: number.accepted_at for number in entries if number.accepted_at is not None}
    for entry in entries:
        if entry.is_refused or now >= entry.ends_at + settle:
            continue
        replaced = any(
            number > entry.order_no and now >= accepted_at + settle
            for number, accepted_at in newest_accepted_no.items()
        )
        if not replaced:
            highest_w = max(highest_w, entry.power_w)
    return min(highest_w, evse.nameplate_w)


def broken(
    branches: Sequence[Branch],
    count: int,
    before_w: Mapping[int, float],
    after_w: Mapping[int, float],
    proven: Mapping[int, bool],
    loads_a: Mapping[tuple[str, str], float],
) -> list[str]:
    """Return where a raise broke INV-1: a sum that is above its capacity and that the new orders loaded further."""
    found = []
    for branch in branches:
        after_a = branch.sum_a(after_w)
        load_a = loads_a.get((branch.feeder_id, branch.conductor), branch.reserve_a)
        room_a = branch.rating_a - load_a + TOLERANCE_A
        if after_a + branch.most_surprise_a <= room_a:
            continue
        capacity_a = room_a - branch.surprise_a(count, proven)
        if after_a > capacity_a and after_a > branch.sum_a(before_w) + TOLERANCE_A:
            found.append(f"{branch.feeder_id} {branch.conductor}: {after_a:.2f} A of {capacity_a:.2f} A")
    return found
