"""What can be asked of the yardstick, and the runs that answer it: a policy by name, with its risk price and ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from app.backtest.policies import (
    Policy,
    grid_early,
    grid_late,
    least_and_surplus,
    least_laxity,
    surplus_only,
    uncontrolled,
)
from app.domain.errors import Invalid

FORESIGHT = "perfect-foresight"
DEPARTURES = {"sunslot-true": "true", "sunslot-declared": "declared", "sunslot-none": "none"}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the yardstick. Powers in W.

    With `is_zoned` instants are put on the clock of `zone` (None: the offset that most sessions are told by), else
    clocks are taken as written. `miss_prices_ratio` gives Sunslot's rows once per ratio (empty: the site's default).
    With `ledger` Sunslot's rows come a second time, with limits that go through the limit ledger, where up to
    `surprised_count` stations may forget theirs.
    """

    sessions: Path
    solar: Path
    load: Path
    surplus_ratio: float = 1.5
    evse_w: float = 6656.0
    least_w: float = 1248.0
    site_w: float = 1e9
    shift_years: int = 0
    is_zoned: bool = False
    zone: ZoneInfo | None = None
    weekdays: bool = False
    least_session_count: int = 1
    is_need_declared: bool = False
    first: date | None = None
    last: date | None = None
    policies: tuple[str, ...] = ()
    miss_prices_ratio: tuple[float, ...] = ()
    ledger: bool = False
    surprised_count: int = 0


@dataclass(frozen=True, slots=True)
class Drawing:
    """The file to draw one day into; `day` None: the one of median sun."""

    path: Path
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A policy by name: what decides (None: Sunslot's planner), and which departures it is told."""

    policy: Policy | None
    departures: str


POLICIES: Mapping[str, Entry] = {
    "uncontrolled": Entry(uncontrolled, "none"),
    "surplus-only": Entry(surplus_only, "none"),
    "min+pv": Entry(least_and_surplus, "none"),
    "least-laxity-true": Entry(least_laxity, "true"),
    "least-laxity-declared": Entry(least_laxity, "declared"),
    "mpc-late-true": Entry(grid_late, "true"),
    "mpc-late-declared": Entry(grid_late, "declared"),
    "mpc-early-declared": Entry(grid_early, "declared"),
    **{name: Entry(None, departures) for name, departures in DEPARTURES.items()},
}


@dataclass(frozen=True, slots=True)
class Run:
    """One row to be measured."""

    policy: str
    miss_cost_ratio: float | None = None
    has_ledger: bool = False

    @property
    def name(self) -> str:
        """What the row is called."""
        price = "" if self.miss_cost_ratio is None else f" V={self.miss_cost_ratio:g}"
        return f"{self.policy}{price}{' ledger' if self.has_ledger else ''}"


def runs_of(question: Question) -> list[Run]:
    """Return the rows that are asked for, in the table's order. Raises Invalid for a policy that there is not."""
    known = (FORESIGHT, *POLICIES)
    unknown = sorted(set(question.policies) - set(known))
    if unknown:
        raise Invalid(f"no such policy: {', '.join(unknown)}; there are: {', '.join(known)}", field="--policy")
    runs = []
    for name in POLICIES:
        if question.policies and name not in question.policies:
            continue
        ratios: tuple[float | None, ...] = (None,)
        if name in ("sunslot-declared", "sunslot-none") and question.miss_prices_ratio:
            ratios = question.miss_prices_ratio
        ledgers = (False, True) if name in DEPARTURES and question.ledger else (False,)
        runs += [Run(name, ratio, has_ledger) for ratio in ratios for has_ledger in ledgers]
    return runs
