"""Car parks by seed: a tree of three levels, 8–20 EVSEs of mixed wiring and units, commissioned so that INV-4 holds."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from app.domain.commands import RateUnit
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Feeder, FeederKind, Wiring
from proofs.agenda import START_AT
from proofs.arithmetic import Branch, branches_of
from simulators.feeders import ANGLES_DEGREES, Node, Supply

LEASE = timedelta(minutes=10)
SETTLE = timedelta(seconds=12)
APPLY_MOST_S = 6.5
LAG_MOST_S = 5.0
KNOWN_WIRING_SHARE = 0.9
LONG_AGO = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wires:
    """The truth of one EVSE: the pairs of wires that a car may use there, and the nominal voltage of one.

    `is_many` says that a car may use several of the pairs at once (three-phase), else it is just one.
    """

    pairs: tuple[str, ...]
    voltage_v: float


@dataclass(frozen=True, slots=True)
class Park:
    """A site as it was entered (`site`, `evses`) and as it is (`supply`, `nodes`, `wires` by evse_id).

    `clock_offsets_s` by station: how far its clock is ahead. `branches` are the limits for the proof's own arithmetic,
    `own_reserves_a` what uncontrolled load each feeder may have of its own, `rises_a` its ΔB (empty: no meters).
    """

    site: SiteSpec
    evses: tuple[EvseSpec, ...]
    supply: Supply
    nodes: tuple[Node, ...]
    wires: dict[int, Wires]
    clock_offsets_s: dict[str, float]
    branches: tuple[Branch, ...]
    own_reserves_a: dict[str, float] = field(default_factory=dict)
    rises_a: dict[str, float] = field(default_factory=dict)

    @property
    def station_ids(self) -> tuple[str, ...]:
        """All stations, once each."""
        return tuple(dict.fromkeys(evse.station_id for evse in self.evses))


@dataclass(frozen=True, slots=True)
class _Kind:
    supply: Supply
    voltage_v: float
    singles: tuple[Wiring, ...]
    has_three_phases: bool


KINDS = (
    _Kind(Supply.THREE_PHASE, 200.0, (Wiring.L1_L2, Wiring.L2_L3, Wiring.L3_L1), False),
    _Kind(Supply.THREE_PHASE, 230.0, (Wiring.L1_N, Wiring.L2_N, Wiring.L3_N), True),
    _Kind(Supply.SPLIT_PHASE, 200.0, (Wiring.L1_L2,), False),
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What car parks are drawn from.

    `kind_weights` are of KINDS. `are_three_phase` are drawn from where the kind has three phases; `in_w_share` of the
    stations take limits in W, `metered_share` of the sites have meters. The reserves are what panels and the main
    feeder may have as uncontrolled load, `rise_shares` how much of it is ΔB. `room_shares` is between which shares of
    what all nameplates need beyond the defaults fits, `leaf_room_shares` the same at the breakers.
    """

    kind_weights: tuple[int, int, int] = (4, 4, 1)
    are_three_phase: tuple[bool, ...] = (True, False)
    in_w_share: float = 0.25
    metered_share: float = 0.4
    panel_reserves_a: tuple[float, ...] = (0.0, 5.0, 20.0)
    main_reserves_a: tuple[float, ...] = (0.0, 30.0)
    room_shares: tuple[float, float] = (0.15, 0.7)
    leaf_room_shares: tuple[float, float] = (0.15, 0.7)
    rise_shares: tuple[float, float] = (0.1, 0.6)


USUAL = Ground()


def park_of(
    rng: random.Random, surprised_count: int = 1, evse_count: int | None = None, *, ground: Ground = USUAL
) -> Park:
    """Return a car park; everything about it is drawn from `rng`."""
    kind = rng.choices(KINDS, weights=ground.kind_weights)[0]
    feeders, leaves = _tree(rng)
    evses, wires, offsets = _evses(rng, ground, kind, leaves, evse_count or rng.randint(8, 20))
    site = SiteSpec("site", "Asia/Tokyo", 1e7, 0.0, 0.0, LEASE, SETTLE, surprised_count=surprised_count)
    site = replace(site, voltage_v=kind.voltage_v, feeders=_rated(rng, ground, kind, feeders, evses, surprised_count))
    own_a = _own_reserves_a(site.feeders)
    rises_a = {node: rng.uniform(*ground.rise_shares) * reserve_a for node, reserve_a in own_a.items()}
    if rng.random() < ground.metered_share:
        site = replace(site, feeders=tuple(_with_rise(each, site.feeders, rises_a) for each in site.feeders))
    else:
        rises_a = {}
    nodes = tuple(Node(each.feeder_id, each.parent_id, each.rating_a or 0.0) for each in site.feeders)
    return Park(site, evses, kind.supply, nodes, wires, offsets, branches_of(site, evses), own_a, rises_a)


def _own_reserves_a(feeders: Sequence[Feeder]) -> dict[str, float]:
    """Return what uncontrolled load each feeder may have of its own: its reserve without its children's."""
    own = {
        feeder.feeder_id: feeder.reserve_a
        - sum(each.reserve_a for each in feeders if each.parent_id == feeder.feeder_id)
        for feeder in feeders
    }
    return {feeder_id: own_a for feeder_id, own_a in own.items() if own_a > 0}


def _with_rise(feeder: Feeder, feeders: Sequence[Feeder], rises_a: dict[str, float]) -> Feeder:
    """Return the feeder with its ΔB: its own and its children's."""
    children = [each.feeder_id for each in feeders if each.parent_id == feeder.feeder_id]
    return replace(feeder, rise_a=sum(rises_a.get(each, 0.0) for each in (feeder.feeder_id, *children)))


def _tree(rng: random.Random) -> tuple[list[Feeder], list[str]]:
    feeders = [Feeder("main", None, FeederKind.CONNECTION)]
    leaves: list[str] = []
    for panel in range(rng.randint(2, 3)):
        feeders.append(Feeder(f"panel {panel}", "main", FeederKind.PANEL))
        for breaker in range(rng.randint(1, 3)):
            leaves.append(f"breaker {panel}{breaker}")
            feeders.append(Feeder(leaves[-1], f"panel {panel}", FeederKind.BREAKER))
    return feeders, leaves


def _evses(
    rng: random.Random, ground: Ground, kind: _Kind, leaves: Sequence[str], count: int
) -> tuple[tuple[EvseSpec, ...], dict[int, Wires], dict[str, float]]:
    evses: list[EvseSpec] = []
    wires: dict[int, Wires] = {}
    offsets: dict[str, float] = {}
    while len(evses) < count:
        station_id = f"S{len(offsets) + 1:02d}"
        offsets[station_id] = rng.choice([0.0, rng.uniform(-30.0, 30.0)])
        unit = RateUnit.W if rng.random() < ground.in_w_share else RateUnit.A
        for number in range(1, 1 + min(count - len(evses), rng.choice([1, 1, 1, 2]))):
            evse, of_it = _evse(rng, ground, kind, len(evses) + 1, rng.choice(leaves))
            slack = max(0.0, -offsets[station_id]) + APPLY_MOST_S
            evses.append(
                replace(
                    evse,
                    station_id=station_id,
                    evse_number=number,
                    rate_unit=unit,
                    lease_slack=timedelta(seconds=slack),
                )
            )
            wires[evse.evse_id] = of_it
    return tuple(evses), wires, offsets


def _evse(rng: random.Random, ground: Ground, kind: _Kind, evse_id: int, leaf: str) -> tuple[EvseSpec, Wires]:
    true_wiring = rng.choice(kind.singles)
    is_three = kind.has_three_phases and rng.choice(ground.are_three_phase)
    phase_count = 3 if is_three else 1
    wiring = Wiring.L1_L2_L3 if is_three else true_wiring if rng.random() < KNOWN_WIRING_SHARE else Wiring.UNKNOWN
    w_per_a = kind.voltage_v * phase_count
    evse = EvseSpec(
        evse_id=evse_id,
        station_id="",
        evse_number=1,
        nameplate_w=rng.choice([16.0, 30.0, 32.0]) * w_per_a,
        min_power_w=6.0 * w_per_a,
        safe_power_w=6.0 * w_per_a,
        w_per_a=w_per_a,
        phase_count=phase_count,
        is_verified=True,
        is_online=True,
        verified_at=START_AT - LONG_AGO,
        feeder_id=leaf,
        wiring=wiring,
    )
    pairs = ("L1-N", "L2-N", "L3-N") if is_three else (true_wiring.value,)
    return evse, Wires(pairs, kind.voltage_v)


def _rated(
    rng: random.Random,
    ground: Ground,
    kind: _Kind,
    feeders: Sequence[Feeder],
    evses: Sequence[EvseSpec],
    surprised_count: int,
) -> tuple[Feeder, ...]:
    """Return the feeders with ratings that hold all defaults, k surprises and the uncontrolled load, and some more."""
    unrated = tuple(replace(feeder, rating_a=1.0) for feeder in feeders)
    site = SiteSpec("site", "Asia/Tokyo", 1e7, 0.0, 0.0, feeders=unrated, surprised_count=surprised_count)
    branches = branches_of(replace(site, voltage_v=kind.voltage_v), evses)
    needs: dict[str, tuple[float, float]] = {}
    for branch in branches:
        if branch.conductor in ANGLES_DEGREES[kind.supply]:
            safe_a = sum(member.safe_a for member in branch.members) + branch.surprise_a(surprised_count)
            most_a = sum(member.nameplate_a for member in branch.members)
            before = needs.get(branch.feeder_id, (0.0, 0.0))
            needs[branch.feeder_id] = (max(before[0], safe_a), max(before[1], most_a))
    reserves = {
        feeder.feeder_id: rng.choice(ground.panel_reserves_a) for feeder in feeders if feeder.parent_id == "main"
    }
    reserves["main"] = sum(reserves.values()) + rng.choice(ground.main_reserves_a)
    found = []
    for feeder in feeders:
        least_a, most_a = needs[feeder.feeder_id]
        reserve_a = reserves.get(feeder.feeder_id, 0.0)
        margin_a = rng.choice([0.0, 1.0])
        shares = ground.leaf_room_shares if feeder.kind is FeederKind.BREAKER else ground.room_shares
        room_a = rng.uniform(*shares) * max(0.0, most_a - least_a)
        rating_a = round(least_a + room_a + reserve_a + margin_a + 0.05, 1)
        found.append(replace(feeder, rating_a=max(rating_a, 1.0), reserve_a=reserve_a, margin_a=margin_a))
    return tuple(found)
