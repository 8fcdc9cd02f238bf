"""Water-filling over the rows of the electrical tree: levels rise together until a top, a row or the total stops them.

What an EVSE counts with anyway (its floor) is in every row from the beginning; only what is above it needs room. A pour
takes O(n log n) for n sessions in a tree of bounded depth.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from app.scheduling.feeders import Grid, Share

FULL = 1e-9


class Water:
    """Levels (EVSE to W) that start at zero and are raised by pours; no row is ever loaded beyond its capacity.

    A row that the floors alone exceed takes nothing above them. `floors_w` has every EVSE of the grid.
    """

    def __init__(self, grid: Grid, floors_w: Mapping[int, float], evse_ids: Iterable[int]) -> None:
        self._grid = grid
        self._floors_w = floors_w
        self.levels_w = dict.fromkeys(sorted(evse_ids), 0.0)

    def pour(self, tops_w: Mapping[int, float], weight_by_evse: Mapping[int, float], room_w: float) -> None:
        """Raise the levels, each in proportion to its weight, up to its top and until they add up to `room_w`."""
        rising = {
            evse_id: weight_by_evse[evse_id]
            for evse_id, level_w in self.levels_w.items()
            if weight_by_evse[evse_id] > 0 and tops_w[evse_id] > level_w
        }
        left_w = room_w - sum(self.levels_w.values())
        if rising and left_w > 0:
            _Pour(self._grid, self._floors_w, self.levels_w, rising, tops_w, left_w).run()


class _Kind(IntEnum):
    TOP = 0
    """A level reaches its top."""
    FLOOR = 1
    """A level begins to load its rows."""
    MOST = 2
    """A level loads a row no further: its limit is in W, and the row's unit is A."""
    ROW = 3
    """A row may be full."""


@dataclass(slots=True)
class _RowFill:
    """A row (or the total) while levels rise: its room, by how much that falls, and whose rise makes it fall.

    `risen_w` says how far a level of weight 1 has risen, here and everywhere below. `expected_w` is where it is looked
    at next.
    """

    room: float
    risen_w: float = 0.0
    per_w: float = 0.0
    members: set[int] = field(default_factory=set)
    expected_w: float = float("inf")

    def move(self, risen_w: float) -> None:
        self.room -= self.per_w * (risen_w - self.risen_w)
        self.risen_w = risen_w

    def full_w(self) -> float:
        """Return how far levels rise until it is full, if nothing changes."""
        return self.risen_w + max(0.0, self.room) / self.per_w if self.per_w > 0 else float("inf")


class _Pour:
    """One pour as a queue of moments, ordered by how far a level of weight 1 has risen; others rise by their weight."""

    def __init__(
        self,
        grid: Grid,
        floors_w: Mapping[int, float],
        levels_w: dict[int, float],
        weight_by_evse: Mapping[int, float],
        tops_w: Mapping[int, float],
        room_w: float,
    ) -> None:
        self._levels_w = levels_w
        self._starts_w = {evse_id: levels_w[evse_id] for evse_id in weight_by_evse}
        self._weight_by_evse = dict(weight_by_evse)
        self._tops_w = tops_w
        self._rows = _scarce_rows(grid, floors_w, levels_w, {key: tops_w[key] for key in weight_by_evse})
        self._shares = {key: [each for each in grid.shares[key] if each.row in self._rows] for key in weight_by_evse}
        self._total = _RowFill(room_w, per_w=sum(weight_by_evse.values()))
        self._moments: list[tuple[float, _Kind, int, int]] = []
        for evse_id, weight in weight_by_evse.items():
            self._push((tops_w[evse_id] - levels_w[evse_id]) / weight, _Kind.TOP, evse_id)
            if not self._shares[evse_id]:
                continue
            crosses_w = max(floors_w[evse_id] - levels_w[evse_id], 0.0) / weight
            if crosses_w > 0:
                self._push(crosses_w, _Kind.FLOOR, evse_id)
            else:
                self._join(evse_id, 0.0)
        for number in self._rows:
            self._expect(number)

    def run(self) -> None:
        """Raise until nothing rises any more or the room is used up."""
        while self._moments and self._weight_by_evse:
            risen_w, kind, subject, number = heapq.heappop(self._moments)
            ends_w = self._total.full_w()
            if risen_w >= ends_w:
                self._stop(ends_w)
            elif kind is _Kind.ROW:
                self._fill(subject, risen_w)
            elif subject not in self._weight_by_evse:
                continue
            elif kind is _Kind.TOP:
                self._freeze(subject, risen_w)
            elif kind is _Kind.FLOOR:
                self._join(subject, risen_w)
            else:
                self._leave(subject, self._shares[subject][number], risen_w)

    def _push(self, risen_w: float, kind: _Kind, subject: int, number: int = 0) -> None:
        heapq.heappush(self._moments, (risen_w, kind, subject, number))

    def _join(self, evse_id: int, risen_w: float) -> None:
        """Let a level load its rows from now on; one of them being full, it stays where it is."""
        weight, start_w = self._weight_by_evse[evse_id], self._starts_w[evse_id]
        for number, share in enumerate(self._shares[evse_id]):
            leaves_w = (share.most / share.per_w - start_w) / weight
            if leaves_w <= risen_w:
                continue
            row = self._rows[share.row]
            row.move(risen_w)
            if row.room <= FULL:
                self._freeze(evse_id, risen_w)
                return
            row.per_w += share.per_w * weight
            row.members.add(evse_id)
            if share.most < share.per_w * self._tops_w[evse_id]:
                self._push(leaves_w, _Kind.MOST, evse_id, number)
            if risen_w > 0:
                self._expect(share.row)

    def _expect(self, number: int) -> None:
        row = self._rows[number]
        if (full_w := row.full_w()) < row.expected_w:
            row.expected_w = full_w
            self._push(full_w, _Kind.ROW, number)

    def _leave(self, evse_id: int, share: Share, risen_w: float) -> None:
        row = self._rows[share.row]
        if evse_id in row.members:
            row.move(risen_w)
            row.members.discard(evse_id)
            row.per_w = row.per_w - share.per_w * self._weight_by_evse[evse_id] if row.members else 0.0

    def _fill(self, number: int, risen_w: float) -> None:
        """Stop whoever loads a row that is full; where less loads it than was expected, look again."""
        row = self._rows[number]
        if risen_w != row.expected_w:
            return  # it is looked at sooner, or was already
        row.move(risen_w)
        row.expected_w = float("inf")
        if row.full_w() > risen_w * (1 + FULL) + FULL:
            self._expect(number)
            return
        for evse_id in sorted(row.members):
            self._freeze(evse_id, risen_w)

    def _freeze(self, evse_id: int, risen_w: float) -> None:
        weight = self._weight_by_evse[evse_id]
        self._levels_w[evse_id] = self._level_w(evse_id, risen_w)
        for share in self._shares[evse_id]:
            self._leave(evse_id, share, risen_w)
        del self._weight_by_evse[evse_id]
        self._total.move(risen_w)
        self._total.per_w = self._total.per_w - weight if self._weight_by_evse else 0.0

    def _stop(self, risen_w: float) -> None:
        for evse_id in self._weight_by_evse:
            self._levels_w[evse_id] = self._level_w(evse_id, risen_w)
        self._weight_by_evse.clear()

    def _level_w(self, evse_id: int, risen_w: float) -> float:
        return min(self._tops_w[evse_id], self._starts_w[evse_id] + self._weight_by_evse[evse_id] * risen_w)


def _scarce_rows(
    grid: Grid, floors_w: Mapping[int, float], levels_w: Mapping[int, float], tops_w: Mapping[int, float]
) -> dict[int, _RowFill]:
    """Return the rows that cannot take everybody's top, by their number, with the room that they have now."""
    counted_w = {key: max(floor_w, levels_w.get(key, 0.0)) for key, floor_w in floors_w.items()}
    highest_w = {key: max(counted_w[key], top_w) for key, top_w in tops_w.items()}
    before, after = grid.loads(counted_w), grid.loads({**counted_w, **highest_w})
    return {
        number: _RowFill(row.capacity - before[number])
        for number, row in enumerate(grid.rows)
        if after[number] > row.capacity
    }
