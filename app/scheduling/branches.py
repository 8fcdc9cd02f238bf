"""Where the electrical tree is scarce for a plan: feeders that cannot take every car above its default at once.

A plan reckons in W. A feeder's A per conductor become W for the cars at hand: as if what is above the defaults were
spread over them in proportion to what each could take. That is a planner's estimate; the ledger keeps the conductors.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.domain.snapshot import EvseSpec, SiteSnapshot
from app.domain.wiring import Conductor
from app.scheduling.feeders import Grid, RowKey, Share, path


@dataclass(frozen=True, slots=True)
class Branch:
    """A scarce feeder: `room_w` is left above the defaults; `parent` is the number of the next one (None: the site)."""

    feeder_id: str
    parent: int | None
    room_w: float


def default_w(evse: EvseSpec) -> float:
    """Return what the ledger counts an EVSE with in any case."""
    return evse.safe_power_w if evse.is_verified else evse.nameplate_w


def branches_of(snapshot: SiteSnapshot, grid: Grid) -> tuple[tuple[Branch, ...], dict[int, int]]:
    """Return the scarce feeders, parents first, and the one above each EVSE that has a car, or a booking."""
    feeders = {feeder.feeder_id: feeder for feeder in snapshot.site.feeders}
    if not feeders:
        return (), {}
    most_w = _most_above_w(snapshot)
    paths = {evse.evse_id: [each.feeder_id for each in path(evse.feeder_id, feeders)] for evse in snapshot.evses}
    below: dict[str, list[int]] = {}
    for evse_id in sorted(most_w):
        for feeder_id in paths.get(evse_id, ()):
            below.setdefault(feeder_id, []).append(evse_id)
    rooms_w = _rooms_w(snapshot, grid, most_w, below)
    depths = {feeder_id: sum(1 for _ in path(feeder_id, feeders)) for feeder_id in rooms_w}
    numbers: dict[str, int] = {}
    branches: list[Branch] = []
    for feeder_id in sorted(rooms_w, key=lambda each: (depths[each], each)):
        above = (each.feeder_id for each in path(feeders[feeder_id].parent_id, feeders))
        branches.append(Branch(feeder_id, _first(above, numbers), rooms_w[feeder_id]))
        numbers[feeder_id] = len(branches) - 1
    places = {evse_id: _first(paths.get(evse_id, ()), numbers) for evse_id in most_w}
    return tuple(branches), {evse_id: number for evse_id, number in places.items() if number is not None}


def _first(feeder_ids: Iterable[str], numbers: Mapping[str, int]) -> int | None:
    return next((numbers[each] for each in feeder_ids if each in numbers), None)


def _most_above_w(snapshot: SiteSnapshot) -> dict[int, float]:
    """Return what cars could take above their EVSEs' defaults, the most of each EVSE's."""
    defaults_w = {evse.evse_id: default_w(evse) for evse in snapshot.evses}
    caps = [(each.evse_id, each.max_power_w) for each in snapshot.demands]
    caps += [(each.evse_id, each.max_power_w) for each in snapshot.expected]
    most_w: dict[int, float] = {}
    for evse_id, cap_w in caps:
        above_w = max(0.0, cap_w - defaults_w.get(evse_id, cap_w))
        most_w[evse_id] = max(above_w, most_w.get(evse_id, 0.0))
    return most_w


def _rooms_w(
    snapshot: SiteSnapshot, grid: Grid, most_w: Mapping[int, float], below: Mapping[str, list[int]]
) -> dict[str, float]:
    """Return the room above the defaults of those feeders where cars could take more than that."""
    loads = grid.loads({evse.evse_id: default_w(evse) for evse in snapshot.evses})
    left = {row.key: (number, row.capacity - loads[number]) for number, row in enumerate(grid.rows)}
    rooms_w: dict[str, float] = {}
    for feeder_id, evse_ids in below.items():
        keys: list[RowKey] = [(feeder_id, each) for each in (None, *Conductor) if (feeder_id, each) in left]
        wanted_w = sum(most_w[evse_id] for evse_id in evse_ids)
        for number, room in (left[key] for key in keys):
            load = sum(most_w[evse_id] * _per_w(grid.shares[evse_id], number) for evse_id in evse_ids)
            if load > max(0.0, room):
                rooms_w[feeder_id] = min(rooms_w.get(feeder_id, wanted_w), wanted_w * max(0.0, room) / load)
    return rooms_w


def _per_w(shares: Iterable[Share], row: int) -> float:
    return next((each.per_w for each in shares if each.row == row), 0.0)
