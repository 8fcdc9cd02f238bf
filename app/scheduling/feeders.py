"""The limits of the electrical tree as rows: one per feeder and line conductor in A, one per feeder (and site) in W.

INV-1 is, for every row: uncontrolled load + Σ of what may be in force at the EVSEs below ≤ rating − margins. A row's
capacity has everything but the EVSEs taken off already. The margin for surprises is what the k stations with the most
to gain could draw beyond their safe power (design: site limit, INV-1 and INV-4).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

from app.domain.commands import RateUnit
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Conductor, Feeder

RowKey = tuple[str | None, Conductor | None]
"""(feeder, conductor): no feeder is the site, no conductor is the power of all of them in W."""

Loads = Mapping[RowKey, float]
"""B⁺: what uncontrolled load is counted with, in A or W; rows that are not in it count their reserve."""

GUARD = 1e-6


@dataclass(frozen=True, slots=True)
class Row:
    """One sum that must not exceed `capacity` (A per conductor, or W), which may be negative."""

    key: RowKey
    capacity: float


@dataclass(frozen=True, slots=True)
class Share:
    """How an EVSE's power loads a row: `per_w` of its unit for each watt that it is allowed, at most `most`."""

    row: int
    per_w: float
    most: float

    def load(self, power_w: float) -> float:
        """Return the most that the row sees while the EVSE is allowed this power."""
        load = self.per_w * power_w
        return load if load < self.most else self.most

    def power_w(self, load: float) -> float:
        """Return the highest limit that loads the row with at most `load`; infinite where none can exceed it."""
        return float("inf") if load >= self.most - GUARD else max(0.0, load) / self.per_w


@dataclass(frozen=True, slots=True)
class _Flat:
    """All shares of a grid side by side: whose it is (by place), its row, what a watt loads there, and the most."""

    places: Mapping[int, int]
    owners: NDArray[np.intp]
    rows: NDArray[np.intp]
    loads_per_w: NDArray[np.float64]
    most: NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """All rows of a site; per EVSE, the rows that it loads, and per row, the EVSEs that load it."""

    rows: tuple[Row, ...]
    shares: Mapping[int, tuple[Share, ...]]
    loaders: tuple[tuple[tuple[int, Share], ...], ...]

    def loads(self, powers_w: Mapping[int, float]) -> list[float]:
        """Return every row's sum over these EVSEs (id to W)."""
        flat = self._flat
        at_places_w = np.zeros(len(flat.places))
        at_places_w[[flat.places[evse_id] for evse_id in powers_w]] = list(powers_w.values())
        loads = np.minimum(flat.most, flat.loads_per_w * at_places_w[flat.owners])
        return np.bincount(flat.rows, loads, len(self.rows)).tolist()  # type: ignore[no-any-return]

    @cached_property
    def _flat(self) -> _Flat:
        shares = [(place, each) for place, of_evse in enumerate(self.shares.values()) for each in of_evse]
        return _Flat(
            places={evse_id: place for place, evse_id in enumerate(self.shares)},
            owners=np.array([place for place, _ in shares], dtype=np.intp),
            rows=np.array([each.row for _, each in shares], dtype=np.intp),
            loads_per_w=np.array([each.per_w for _, each in shares], dtype=float),
            most=np.array([each.most for _, each in shares], dtype=float),
        )

    def excesses(self, powers_w: Mapping[int, float]) -> dict[RowKey, float]:
        """Return by how much which rows' capacities are exceeded; empty: INV-1 holds."""
        over = zip(self.rows, self.loads(powers_w), strict=True)
        return {row.key: load - row.capacity for row, load in over if load > row.capacity + GUARD}

    def resting(self, powers_w: Mapping[int, float], bases_w: Mapping[int, float]) -> set[RowKey]:
        """Return the rows where no EVSE counts with more than its base: no limit that is sent can lower those."""
        return {
            row.key
            for row, loaders in zip(self.rows, self.loaders, strict=True)
            if not any(powers_w[evse_id] > bases_w[evse_id] + GUARD for evse_id, _ in loaders)
        }

    def capacity_w(self) -> float:
        """Return what all EVSEs together may be allowed, by the site's own limit."""
        return max(0.0, self.rows[0].capacity)


class Sums:
    """The rows' running sums while the allocator adds to them.

    `lasting_w` is what each EVSE will still be counted with for a while (None: all that it is counted with now).
    """

    def __init__(self, grid: Grid, powers_w: Mapping[int, float], lasting_w: Mapping[int, float] | None = None) -> None:
        self._grid = grid
        self.powers_w = dict(powers_w)
        self._lasting_w = dict(powers_w if lasting_w is None else lasting_w)
        self._loads = grid.loads(powers_w)

    def highest_w(self, evse_id: int) -> float:
        """Return the highest power that the EVSE may be counted with so that every row holds.

        What it is counted with already, and will be, needs no room, also where a row is exceeded (rule R2).
        """
        counted_w = self.powers_w[evse_id]
        rows = self._grid.rows
        room_w = min(
            (
                share.power_w(rows[share.row].capacity - self._loads[share.row] + share.load(counted_w))
                for share in self._grid.shares[evse_id]
            ),
            default=float("inf"),
        )
        return max(self._lasting_w[evse_id], room_w)

    def is_tight(self, evse_id: int) -> bool:
        """Whether a row that the EVSE loads is exceeded: then every watt counts."""
        rows = self._grid.rows
        return any(self._loads[each.row] > rows[each.row].capacity + GUARD for each in self._grid.shares[evse_id])

    def count(self, evse_id: int, power_w: float) -> None:
        """Count the EVSE with this power from now on."""
        for share in self._grid.shares[evse_id]:
            self._loads[share.row] += share.load(power_w) - share.load(self.powers_w[evse_id])
        self.powers_w[evse_id] = self._lasting_w[evse_id] = power_w


def grid_of(site: SiteSpec, evses: Sequence[EvseSpec], loads: Loads | None = None) -> Grid:
    """Return the site's rows: the site's own first, then per feeder its power and its conductors."""
    feeders = {feeder.feeder_id: feeder for feeder in site.feeders}
    ratings = _ratings(site, loads or {})
    numbers = {key: number for number, key in enumerate(ratings)}
    shares = {evse.evse_id: tuple(_shares(site, evse, feeders, numbers)) for evse in evses}
    covered = surprises(site, evses, shares, len(ratings))
    rows = tuple(
        Row(key, rating - sum(gains.values())) for (key, rating), gains in zip(ratings.items(), covered, strict=True)
    )
    loaders: list[list[tuple[int, Share]]] = [[] for _ in ratings]
    for evse_id, of_it in shares.items():
        for share in of_it:
            loaders[share.row].append((evse_id, share))
    return Grid(rows, shares, tuple(tuple(of_row) for of_row in loaders))


def path(feeder_id: str | None, feeders: Mapping[str, Feeder]) -> Iterable[Feeder]:
    """Yield the feeder and what feeds it, up to the site."""
    while feeder_id is not None:
        feeder = feeders[feeder_id]
        yield feeder
        feeder_id = feeder.parent_id


def _ratings(site: SiteSpec, loads: Loads) -> dict[RowKey, float]:
    """Return what each row leaves for EVSEs, before the margin for surprises."""
    root: RowKey = (None, None)
    ratings = {root: site.limit_w - site.margin_w - loads.get(root, site.reserve_w)}
    for feeder in site.feeders:
        key: RowKey = (feeder.feeder_id, None)
        if feeder.limit_w is not None:
            ratings[key] = feeder.limit_w - feeder.margin_w - loads.get(key, feeder.reserve_w)
        if feeder.rating_a is not None:
            for conductor in Conductor:
                key = (feeder.feeder_id, conductor)
                ratings[key] = feeder.rating_a - feeder.margin_a - loads.get(key, feeder.reserve_a)
    return ratings


def _shares(
    site: SiteSpec, evse: EvseSpec, feeders: Mapping[str, Feeder], numbers: Mapping[RowKey, int]
) -> Iterable[Share]:
    """Yield how an EVSE loads its rows. A limit in W bounds a phase's current only at the lowest voltage (INV-1)."""
    if evse.feeder_id is None:
        yield Share(numbers[None, None], 1.0, evse.nameplate_w)
        return
    most_a = evse.nameplate_w / evse.w_per_a
    lowest_v = evse.w_per_a / evse.phase_count * site.low_voltage_share
    per_w = 1 / evse.w_per_a if evse.rate_unit is RateUnit.A else 1 / (lowest_v * evse.least_phase_count)
    yield Share(numbers[None, None], 1.0, evse.nameplate_w)
    for feeder in path(evse.feeder_id, feeders):
        if (number := numbers.get((feeder.feeder_id, None))) is not None:
            yield Share(number, 1.0, evse.nameplate_w)
        for conductor in evse.wiring.conductors:
            if (number := numbers.get((feeder.feeder_id, conductor))) is not None:
                yield Share(number, per_w, most_a)


def surprises(
    site: SiteSpec, evses: Sequence[EvseSpec], shares: Mapping[int, Sequence[Share]], row_count: int
) -> list[dict[str, float]]:
    """Return per row its k stations with the most to gain, and what each could draw beyond its safe power."""
    gains: list[dict[str, float]] = [{} for _ in range(row_count)]
    if site.surprised_count <= 0:
        return gains
    for evse in evses:
        if not evse.is_verified:
            continue  # counted at nameplate already
        for share in shares[evse.evse_id]:
            gain = share.load(evse.nameplate_w) - share.load(evse.safe_power_w)
            of_row = gains[share.row]
            of_row[evse.station_id] = of_row.get(evse.station_id, 0.0) + gain
    return [
        dict(nsmallest(site.surprised_count, of_row.items(), key=lambda each: (-each[1], each[0]))) for of_row in gains
    ]
