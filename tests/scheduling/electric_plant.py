"""A three-phase, three-level plant of stations and cars, with its own arithmetic: `app.scheduling` is not asked.

Everything is worst case: a car takes all that its station allows, rises at once and falls only after `LAG`; a limit in
W is used on one phase at the lowest voltage; currents add as numbers, not as phasors.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.domain.commands import RateUnit
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Feeder, FeederKind, Wiring

START_AT = datetime(2026, 4, 1, tzinfo=UTC)
LEASE, SETTLE, SLACK = timedelta(minutes=10), timedelta(seconds=12), timedelta(seconds=30)
LAG = timedelta(seconds=11.9)
METER_AGE = timedelta(seconds=10)
RISE_SPAN = METER_AGE + LEASE + SLACK + SETTLE
VOLTAGE_V, LOW_V = 200.0, 180.0
SAFE_A, MOST_A = 6.0, 32.0
LINES = ("L1", "L2", "L3")
PARENTS = {"main": None, "p1": "main", "p2": "main", "f11": "p1", "f12": "p1", "f21": "p2", "f22": "p2"}
LEAVES = ("f11", "f12", "f21", "f22")
RATINGS_A = {"main": 195.0, "p1": 105.0, "p2": 125.0, "f11": 62.0, "f12": 58.0, "f21": 75.0, "f22": 95.0}
LEAF_RESERVE_A, LEAF_RISE_A, MARGIN_A = 8.0, 4.0, 1.0
SITE_LIMIT_W, SITE_RESERVE_W = 90_000.0, 0.0


@dataclass(frozen=True)
class Bay:
    """One EVSE as it is built: `lines` are the conductors that it really uses, `wiring` what the site file says."""

    evse_id: int
    station: str
    number: int
    feeder: str
    wiring: Wiring
    lines: tuple[str, ...]
    unit: RateUnit = RateUnit.A

    @property
    def phases(self) -> int:
        return 3 if self.wiring is Wiring.L1_L2_L3 else 1

    @property
    def counted(self) -> tuple[str, ...]:
        return LINES if self.wiring is Wiring.UNKNOWN else self.lines

    @property
    def w_per_a(self) -> float:
        return VOLTAGE_V * self.phases

    def amps(self, power_w: float) -> float:
        """The most that a limit of so many watts lets flow in one conductor."""
        if self.unit is RateUnit.A:
            return min(MOST_A, power_w / self.w_per_a)
        return min(MOST_A, power_w / LOW_V)


def _bay(evse_id, station, number, feeder, lines, unit=RateUnit.A, *, is_known=True):
    wiring = Wiring("-".join(lines)) if is_known else Wiring.UNKNOWN
    return Bay(evse_id, station, number, feeder, wiring, tuple(line for line in lines if line != "N"), unit)


BAYS = (
    _bay(1, "a", 1, "f11", ("L1", "L2")),
    _bay(2, "b", 1, "f11", ("L2", "L3")),
    _bay(3, "c", 1, "f11", ("L3", "L1"), RateUnit.W),
    _bay(4, "d", 1, "f12", LINES),
    _bay(5, "e", 1, "f12", ("L1", "L2"), is_known=False),
    _bay(6, "f", 1, "f21", ("L1", "N")),
    _bay(7, "g", 1, "f21", LINES, RateUnit.W),
    _bay(8, "h", 1, "f22", ("L2", "L3")),
    _bay(9, "h", 2, "f22", ("L1", "L2")),
    _bay(10, "i", 1, "f22", ("L3", "L1"), RateUnit.W, is_known=False),
    _bay(11, "j", 1, "f21", ("L1", "N")),
)
BAY = {bay.evse_id: bay for bay in BAYS}
STATIONS = tuple(dict.fromkeys(bay.station for bay in BAYS))


def above(feeder: str | None) -> tuple[str, ...]:
    """The feeder and what feeds it."""
    found = []
    while feeder is not None:
        found.append(feeder)
        feeder = PARENTS[feeder]
    return tuple(found)


LEAVES_BELOW = {node: [leaf for leaf in LEAVES if node in above(leaf)] for node in PARENTS}


def leaf_count(node: str) -> int:
    return len(LEAVES_BELOW[node])


def site_of(ratings_a: dict[str, float], surprised_count: int) -> SiteSpec:
    feeders = tuple(
        Feeder(
            node,
            parent,
            FeederKind.PANEL,
            rating_a=ratings_a[node],
            margin_a=MARGIN_A,
            reserve_a=LEAF_RESERVE_A * leaf_count(node),
            rise_a=LEAF_RISE_A * leaf_count(node),
        )
        for node, parent in PARENTS.items()
    )
    return SiteSpec(
        "plant", "Asia/Tokyo", SITE_LIMIT_W, 0.0, SITE_RESERVE_W, feeders=feeders, surprised_count=surprised_count
    )


def spec_of(bay: Bay, verified_at: datetime | None, *, is_online: bool) -> EvseSpec:
    return EvseSpec(
        evse_id=bay.evse_id,
        station_id=bay.station,
        evse_number=bay.number,
        nameplate_w=MOST_A * bay.w_per_a,
        min_power_w=SAFE_A * bay.w_per_a,
        safe_power_w=SAFE_A * bay.w_per_a,
        w_per_a=bay.w_per_a,
        phase_count=bay.phases,
        is_verified=verified_at is not None,
        is_online=is_online,
        verified_at=verified_at,
        feeder_id=bay.feeder,
        wiring=bay.wiring,
        rate_unit=bay.unit,
        lease_slack=SLACK,
    )


@dataclass
class Allowed:
    """What an EVSE allows from `since_at` on: its default, or a session's limit until that ends at its own clock."""

    since_at: datetime
    default_a: float
    session_a: float | None = None
    session_ends_at: datetime | None = None

    def highest_a(self, from_at: datetime, to_at: datetime) -> float:
        """The most that was allowed at any time of the span."""
        if self.session_a is None:
            return self.default_a
        ends_at = self.session_ends_at
        during = [self.session_a] if ends_at is None or from_at < ends_at else []
        after = [self.default_a] if ends_at is not None and to_at >= ends_at else []
        return max(during + after)


@dataclass
class Machine:
    """One EVSE in the field. `session` is the car's, None without one; a car that has left takes nothing."""

    bay: Bay
    session: str | None = None
    arrived_at: datetime = START_AT
    clock_offset: timedelta = timedelta()
    history: deque[Allowed] = field(default_factory=lambda: deque(maxlen=40))

    def __post_init__(self) -> None:
        self.history.append(Allowed(START_AT - timedelta(hours=1), self.safe_a))

    @property
    def safe_a(self) -> float:
        return self.bay.amps(SAFE_A * self.bay.w_per_a)

    def now_allows(self, now: datetime, **changes: object) -> None:
        last = self.history[-1]
        state = {
            "default_a": last.default_a,
            "session_a": last.session_a,
            "session_ends_at": last.session_ends_at,
        } | changes
        self.history.append(Allowed(now, **state))

    def drawn_a(self, now: datetime) -> float:
        """What the car takes: whatever was allowed within its lag, since it is there."""
        if self.session is None:
            return 0.0
        from_at = max(now - LAG, self.arrived_at)
        ends = [each.since_at for each in list(self.history)[1:]] + [now]
        spans = zip(self.history, ends, strict=True)
        return max(
            each.highest_a(max(from_at, each.since_at), min(now, end))
            for each, end in spans
            if end >= from_at or each is self.history[-1]
        )


class Loads:
    """The uncontrolled load of every leaf and line: falls as it likes, rises at most ΔB in any `RISE_SPAN`."""

    def __init__(self, at_first_a: float) -> None:
        self._values: dict[tuple[str, str], list[tuple[datetime, float]]] = {
            (leaf, line): [(START_AT, at_first_a)] for leaf in LEAVES for line in LINES
        }

    def of(self, node: str, line: str) -> float:
        return sum(self._values[leaf, line][-1][1] for leaf in LEAVES_BELOW[node])

    def move(self, leaf: str, line: str, share: float, now: datetime) -> None:
        """Move to a share of the highest that it may be now."""
        values = self._values[leaf, line]
        recent = [values[0][1]]
        for number, (_, value) in enumerate(values):
            until_at = values[number + 1][0] if number + 1 < len(values) else now
            if until_at > now - RISE_SPAN:
                recent.append(value)
        lowest = min(recent[1:] or recent)
        values.append((now, share * min(LEAF_RESERVE_A, lowest + LEAF_RISE_A)))

    def measured(self) -> dict[tuple[str, str], float]:
        return {(node, line): self.of(node, line) for node in PARENTS for line in LINES}
