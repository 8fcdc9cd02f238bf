"""Where the electrical tree is scarce for a plan: feeders that cannot take every car above its default at once.

A plan reckons in W. A feeder's A per conductor become W for the cars at hand: as if what is above the defaults were
spread over them in proportion to what each could take. That is a planner's estimate; the ledger keeps the conductors.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from app.domain.snapshot import Demand, EvseSpec, ExpectedDemand, SiteSnapshot
from app.scheduling.feeders import Row, grid_of, path


@dataclass(frozen=True, slots=True)
class Branch:
    """A scarce feeder: `room_w` is left above the defaults; `parent` is the number of the next one (None: the site)."""

    feeder_id: str
    parent: int | None
    room_w: float


def default_w(evse: EvseSpec) -> float:
    """Return what the ledger counts an EVSE with in any case."""
    return evse.safe_power_w if evse.is_verified else evse.nameplate_w


@dataclass(frozen=True, slots=True)
class Rooms:
    """What there is room for above the defaults: at the site, for all EVSEs or only those with a car, and in branches.

    `branch_of` is the first scarce feeder above each EVSE that has a car, or a booking (none: it is not in it).
    """

    above_w: float
    taken_w: float
    branches: tuple[Branch, ...]
    branch_of: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Kinds:
    """EVSEs by what they load their feeders with: one of each kind, how many there are, and whose kind is which."""

    specs: list[EvseSpec]
    counts: list[int]
    of: dict[int, int]


def rooms_of(snapshot: SiteSnapshot) -> Rooms:
    """Return the room that a snapshot leaves to its cars; the scarce feeders come parents first."""
    kinds = _kinds(snapshot.evses)
    # the margin for surprises needs all stations; without one the rows stand for themselves
    rows = grid_of(snapshot.site, snapshot.evses if snapshot.site.surprised_count > 0 else ()).rows
    plugged_in = {demand.evse_id for demand in snapshot.demands}
    all_w = sum(default_w(spec) * count for spec, count in zip(kinds.specs, kinds.counts, strict=True))
    taken_w = sum(default_w(kinds.specs[kinds.of[evse_id]]) for evse_id in plugged_in if evse_id in kinds.of)
    capacity_w = max(0.0, rows[0].capacity)
    branches, branch_of = _branches(snapshot, kinds, rows) if snapshot.site.feeders else ((), {})
    return Rooms(max(0.0, capacity_w - all_w), max(0.0, capacity_w - (all_w - taken_w)), branches, branch_of)


def _kinds(evses: Iterable[EvseSpec]) -> _Kinds:
    kinds = _Kinds([], [], {})
    numbers: dict[tuple[object, ...], int] = {}
    for each in evses:
        key = (
            each.feeder_id,
            each.wiring,
            each.w_per_a,
            each.phase_count,
            each.rate_unit,
            each.least_phase_count,
            each.nameplate_w,
            each.safe_power_w if each.is_verified else None,
        )
        number = numbers.setdefault(key, len(numbers))
        if number == len(kinds.specs):
            kinds.specs.append(each)
            kinds.counts.append(0)
        kinds.counts[number] += 1
        kinds.of[each.evse_id] = number
    return kinds


def _branches(snapshot: SiteSnapshot, kinds: _Kinds, rows: Sequence[Row]) -> tuple[tuple[Branch, ...], dict[int, int]]:
    feeders = {feeder.feeder_id: feeder for feeder in snapshot.site.feeders}
    most_w = _most_above_w(snapshot, kinds)
    paths = [[each.feeder_id for each in path(spec.feeder_id, feeders)] for spec in kinds.specs]
    of_kind_w = [0.0] * len(kinds.specs)
    for evse_id in sorted(most_w):
        of_kind_w[kinds.of[evse_id]] += most_w[evse_id]
    rooms_w = _rooms_w(snapshot, kinds, rows, of_kind_w, paths)
    depths = {feeder_id: sum(1 for _ in path(feeder_id, feeders)) for feeder_id in rooms_w}
    numbers: dict[str, int] = {}
    branches: list[Branch] = []
    for feeder_id in sorted(rooms_w, key=lambda each: (depths[each], each)):
        above = (each.feeder_id for each in path(feeders[feeder_id].parent_id, feeders))
        branches.append(Branch(feeder_id, _first(above, numbers), rooms_w[feeder_id]))
        numbers[feeder_id] = len(branches) - 1
    places = [_first(each, numbers) for each in paths]
    at = {evse_id: places[kinds.of[evse_id]] for evse_id in most_w}
    return tuple(branches), {evse_id: number for evse_id, number in at.items() if number is not None}


def _first(feeder_ids: Iterable[str], numbers: Mapping[str, int]) -> int | None:
    return next((numbers[each] for each in feeder_ids if each in numbers), None)


def _most_above_w(snapshot: SiteSnapshot, kinds: _Kinds) -> dict[int, float]:
    """Return what cars could take above their EVSEs' defaults, the most of each EVSE's."""
    defaults_w = [default_w(spec) for spec in kinds.specs]
    most_w: dict[int, float] = {}
    cars: Iterable[Demand | ExpectedDemand] = (*snapshot.demands, *snapshot.expected)
    for each in cars:
        number = kinds.of.get(each.evse_id)
        if number is not None:
            most_w[each.evse_id] = max(0.0, each.max_power_w - defaults_w[number], most_w.get(each.evse_id, 0.0))
    return most_w


def _rooms_w(
    snapshot: SiteSnapshot,
    kinds: _Kinds,
    rows: Sequence[Row],
    of_kind_w: Sequence[float],
    paths: Sequence[Sequence[str]],
) -> dict[str, float]:
    """Return the room above the defaults of those feeders where cars could take more than that."""
    grid = grid_of(snapshot.site, kinds.specs)
    loads, most, wanted_w = [0.0] * len(rows), [0.0] * len(rows), dict.fromkeys(chain(*paths), 0.0)
    for spec, count, most_w, above in zip(kinds.specs, kinds.counts, of_kind_w, paths, strict=True):
        for share in grid.shares[spec.evse_id]:
            loads[share.row] += count * share.load(default_w(spec))
            most[share.row] += most_w * share.per_w
        for feeder_id in above:
            wanted_w[feeder_id] += most_w
    rooms_w: dict[str, float] = {}
    for number, row in enumerate(rows):
        below, room = row.key[0], max(0.0, row.capacity - loads[number])
        if below is not None and most[number] > room:
            rooms_w[below] = min(rooms_w.get(below, wanted_w[below]), wanted_w[below] * room / most[number])
    return rooms_w
