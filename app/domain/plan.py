"""A charging plan: for every plugged-in session the mean power in every slot, and what could not be promised."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import overload

import numpy as np
from numpy.typing import NDArray

from app.domain.intervals import Interval


class PowerRow(Sequence[float]):
    """Mean powers that become numbers when they are read: a hundred thousand cars' plans fit into memory."""

    __slots__ = ("_number", "_rows")

    def __init__(self, rows_w: NDArray[np.float32], number: int) -> None:
        self._rows, self._number = rows_w, number

    def __len__(self) -> int:
        return int(self._rows.shape[1])

    @overload
    def __getitem__(self, index: int) -> float: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...

    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        row = self._rows[self._number]
        return tuple(row[index].tolist()) if isinstance(index, slice) else float(row[index])

    def __iter__(self) -> Iterator[float]:
        return iter(self._rows[self._number].tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One session's part. `power_w[k]` is the mean power in `slots[k]` of the plan.

    `target_w` is the limit wanted right now: 0, or at least the EVSE's minimum. `must_w` is the part of the first
    slot's power on which the departure depends, whatever the sun does, `most_w` what the car can take (0: it needs no
    more). `unmet_wh` is what cannot be delivered by departure (0 when all can); `reason` says why in words when it
    is not 0, and where all can be delivered, but the car will probably leave before that could be done.
    """

    session_id: str
    evse_id: int
    power_w: Sequence[float]
    target_w: float
    unmet_wh: float
    reason: str = ""
    must_w: float = 0.0
    most_w: float = 0.0


@dataclass(frozen=True, slots=True)
class ExpectedLine:
    """A booking's share of the plan, while its car is not there yet."""

    booking_id: str
    evse_id: int
    power_w: tuple[float, ...]
    unmet_wh: float


@dataclass(frozen=True, slots=True)
class ChargingPlan:
    """The result of `plan(snapshot, now)`. `slots[0]` starts at `made_at`, maybe cut short; then the 15-min grid."""

    site_id: str
    made_at: datetime
    slots: tuple[Interval, ...]
    surplus_w: tuple[float, ...]
    lines: tuple[PlanLine, ...]
    expected: tuple[ExpectedLine, ...] = ()
