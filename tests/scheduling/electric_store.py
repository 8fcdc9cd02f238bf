"""The plant's state and the rows of its books: what PostgreSQL keeps in the house.

The steps that rows take are those of `app.scheduling.orders`; only keeping them is this file's own.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from electric_plant import (
    BAY,
    BAYS,
    LEAF_RESERVE_A,
    LEAF_RISE_A,
    METER_AGE,
    RATINGS_A,
    SETTLE,
    START_AT,
    STATIONS,
    Bay,
    Loads,
    Machine,
    leaf_count,
    site_of,
    spec_of,
)

from app.domain.commands import Outcome, RateUnit
from app.domain.limits import EvseLedger, LimitEntry, LimitIntent
from app.domain.raw import ChangeKind, LimitChange
from app.domain.wiring import Conductor, Wiring
from app.scheduling import ledger, orders


class Violated(AssertionError):
    """An invariant does not hold; its text begins with the invariant's name."""


@dataclass
class Frame:
    """A call on its way to a station: an order of the ledger, or a raw call with its changes."""

    entries: tuple[LimitEntry, ...] = ()
    changes: tuple[LimitChange, ...] = ()


@dataclass
class Wire:
    """One station's connection: calls go one after another; bytes arrive in their order, answers when they like."""

    is_online: bool = True
    waiting: deque[Frame] = field(default_factory=deque)
    asked: Frame | None = None
    bytes: deque[Frame] = field(default_factory=deque)
    answers: list[tuple[Frame, Outcome]] = field(default_factory=list)

    @property
    def is_free(self) -> bool:
        """Whether it is anybody's turn: nothing waits and no answer is due."""
        return self.is_online and self.asked is None and not self.waiting


@dataclass(frozen=True)
class Decision:
    """What a controller has decided and not yet written."""

    term: int
    intents: tuple[LimitIntent, ...]


class Store:
    """What the plant is and what its books say.

    `wired`, `spelled` and `raw_relies_on_meter` are what the controller believes, for experiments.

    `load_a` is what the building takes at every leaf and line at first; at its reserve nothing hides a mistake.
    """

    def __init__(self, surprised_count: int = 0, *, is_fenced: bool = True, load_a: float = LEAF_RESERVE_A) -> None:
        self.now = START_AT
        self.surprised_count = surprised_count
        self.is_fenced = is_fenced
        self.ratings_a = dict(RATINGS_A)
        self.bays = dict(BAY)
        self.wired: Callable[[Bay], Wiring] = lambda bay: bay.wiring
        self.spelled: Callable[[Bay], RateUnit] = lambda bay: bay.unit
        self.machines = {bay.evse_id: Machine(bay) for bay in BAYS}
        self.loads = Loads(load_a)
        self.raw_relies_on_meter = False
        self.measured: tuple[datetime, dict[tuple[str, str], float]] | None = None
        self.entries: dict[int, LimitEntry] = {}
        self.terms: dict[int, int] = {}
        self.verified_at: dict[int, datetime | None] = dict.fromkeys(self.bays, START_AT - timedelta(minutes=1))
        self.had_room: set[int] = set()
        self.targets_w: dict[int, float] = {}
        self.term = 1
        self.paused: Decision | None = None
        self.wires = {station: Wire() for station in STATIONS}
        self.forgetful: set[str] = set()
        self.closed: set[int] = set()
        self._count = 0

    def _open_entries(self) -> list[LimitEntry]:
        return [entry for number, entry in self.entries.items() if number not in self.closed]

    def _close(self, ledgers: dict[int, EvseLedger]) -> None:
        still = {each.order_no for one in ledgers.values() for each in ledger.open_entries(one, self.now, SETTLE)}
        self.closed |= set(self.entries) - still

    def _enter(
        self, evse_id: int, session: str, power_w: float, ends_at: datetime, lease_ends_at: datetime | None
    ) -> LimitEntry:
        number = len(self.entries) + 1
        return self._keep(
            LimitEntry(number, evse_id, power_w, self.now, ends_at, session_id=session, lease_ends_at=lease_ends_at)
        )

    def _keep(self, entry: LimitEntry) -> LimitEntry:
        self.entries[entry.order_no] = entry
        return entry

    def _drop(self, entry: LimitEntry) -> None:
        self._keep(replace(entry, is_refused=True))

    def _settle(self, frame: Frame, outcome: Outcome | None) -> None:
        for entry in frame.entries:
            self._keep(orders.settled(self.entries[entry.order_no], outcome, self.now))
        for change in frame.changes:
            if change.kind is not ChangeKind.SESSION:
                for evse_id in self.had_room:
                    self.verified_at[evse_id] = None

    def _unprove(self, evse_id: int) -> None:
        self.verified_at[evse_id] = None
        self.had_room.discard(evse_id)

    def _is_proven(self, station: str) -> bool:
        return all(self.verified_at[machine.bay.evse_id] is not None for machine in self._at(station))

    def _counts_nameplate(self, evse_id: int) -> bool:
        verified_at = self.verified_at[evse_id]
        return verified_at is None or self.now < verified_at + SETTLE

    def _at(self, station: str) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.bay.station == station]

    def _site(self):
        return site_of(self.ratings_a, self.surprised_count)

    def _spec(self, machine: Machine):
        return self._spec_of(machine.bay.evse_id)

    def _spec_of(self, evse_id: int):
        bay = self.bays[evse_id]
        spec = spec_of(bay, self.verified_at[evse_id], is_online=self.wires[bay.station].is_online)
        return replace(spec, wiring=self.wired(bay), rate_unit=self.spelled(bay))

    def _b_plus(self):
        """B⁺: the measurement and ΔB while the meter is fresh, the reserve otherwise."""
        if self.measured is None or self.now - self.measured[0] > METER_AGE:
            return {}
        return {
            (node, Conductor(line)): min(leaf_count(node) * LEAF_RESERVE_A, value + leaf_count(node) * LEAF_RISE_A)
            for (node, line), value in self.measured[1].items()
        }
