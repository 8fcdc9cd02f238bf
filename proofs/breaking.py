"""The rules of the site limit broken one by one: what takes the place of which functions of the real code, and how.

Nothing in production code knows of it; `patched` restores everything.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app.domain.commands import RateUnit
from app.domain.limits import EvseLedger, LimitEntry
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Wiring
from app.scheduling import allocation, feeders, ledger, orders, uncontrolled
from proofs import books, controller
from proofs.agenda import START_AT

ROTATED = {
    Wiring.L1_N: Wiring.L2_N,
    Wiring.L2_N: Wiring.L3_N,
    Wiring.L3_N: Wiring.L1_N,
    Wiring.L1_L2: Wiring.L2_L3,
    Wiring.L2_L3: Wiring.L3_L1,
    Wiring.L3_L1: Wiring.L1_L2,
}

Patch = tuple[Any, str, Any]


@contextmanager
def patched(patches: Sequence[Patch]) -> Iterator[None]:
    """Have other values take the place of real ones for a while."""
    with ExitStack() as restored:
        for owner, name, mutation in patches:
            restored.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, mutation)
        yield


def everywhere(real: Callable[..., Any], mutation: Callable[..., Any]) -> list[Patch]:
    """Return what replaces a function under its name in every module of `app.scheduling` that knows it."""
    name = real.__name__
    known = [each for each in list(sys.modules.values()) if each.__name__.startswith("app.scheduling")]
    return [(module, name, mutation) for module in known if getattr(module, name, None) is real]


def _newest(evse: EvseLedger, *, is_accepted_only: bool) -> LimitEntry | None:
    entries = [each for each in evse.entries if not each.is_refused and (each.accepted_at or not is_accepted_only)]
    return max(entries, key=lambda each: each.order_no, default=None)


def _counted_w(evse: EvseLedger, now: datetime, entry: LimitEntry | None) -> float:
    """Return what a careless controller counts: this one entry while its lease runs."""
    base_w = ledger.base_w(evse)
    return base_w if entry is None or now >= entry.ends_at else min(evse.nameplate_w, max(base_w, entry.power_w))


def send_all() -> Sequence[Patch]:
    """What fits once everything is in force is sent at once."""

    def highest_w(_: feeders.Sums, __: int) -> float:
        return float("inf")

    return [(feeders.Sums, "highest_w", highest_w)]


def reductions_first() -> Sequence[Patch]:
    """Room is there as soon as a reduction was sent."""

    def possible_w(evse: EvseLedger, now: datetime, _: timedelta) -> float:
        return _counted_w(evse, now, _newest(evse, is_accepted_only=False))

    return everywhere(ledger.possible_w, possible_w)


def acks_only() -> Sequence[Patch]:
    """What counts is what was acknowledged last, since this process began."""
    since = _Beginning()

    def possible_w(evse: EvseLedger, now: datetime, _: timedelta) -> float:
        known = replace(evse, entries=tuple(each for each in evse.entries if each.intended_at >= since.at))
        return _counted_w(evse, now, _newest(known, is_accepted_only=True))

    return [*everywhere(ledger.possible_w, possible_w), since.patch()]


def no_settle() -> Sequence[Patch]:
    """What was replaced is free with the acknowledgement."""
    real = ledger.freed_at

    def freed_at(evse: EvseLedger, entry: LimitEntry, _: timedelta) -> datetime:
        return real(evse, entry, timedelta(0))

    return everywhere(ledger.freed_at, freed_at)


def ledger_lost() -> Sequence[Patch]:
    """A process that starts knows only what it intended itself."""
    since, real = _Beginning(), orders.ledgers_of

    def ledgers_of(
        evses: Sequence[EvseSpec], entries: Sequence[LimitEntry], now: datetime, settle: timedelta
    ) -> dict[int, EvseLedger]:
        return real(evses, [each for each in entries if each.intended_at >= since.at], now, settle)

    return [*everywhere(real, ledgers_of), since.patch()]


def no_r2() -> Sequence[Patch]:
    """The allocator measures a raise, and the room that it needs, from the last acknowledgement, not from u_i."""

    def possible_w(evse: EvseLedger, now: datetime, _: timedelta) -> float:
        return _counted_w(evse, now, _newest(evse, is_accepted_only=True))

    return [(allocation, "possible_w", possible_w)]


def phase_swap() -> Sequence[Patch]:
    """Every other single-phase EVSE is counted on the next phases."""
    real = feeders.grid_of

    def grid_of(site: SiteSpec, evses: Sequence[EvseSpec], loads: feeders.Loads | None = None) -> feeders.Grid:
        swapped = [
            replace(evse, wiring=ROTATED.get(evse.wiring, evse.wiring)) if evse.evse_id % 2 else evse for evse in evses
        ]
        return real(site, swapped, loads)

    return everywhere(real, grid_of)


def unit_mix_up() -> Sequence[Patch]:
    """A limit in W is counted as if it bounded the current of every phase."""
    real = feeders.grid_of

    def grid_of(site: SiteSpec, evses: Sequence[EvseSpec], loads: feeders.Loads | None = None) -> feeders.Grid:
        return real(site, [replace(evse, rate_unit=RateUnit.A) for evse in evses], loads)

    return everywhere(real, grid_of)


def nameplate_ignored() -> Sequence[Patch]:
    """A default counts whether it is proven or not."""
    long_ago_at = START_AT - timedelta(days=1)

    def settled_at(_: EvseSpec, __: timedelta) -> datetime:
        return long_ago_at

    return everywhere(orders.settled_at, settled_at)


def stale_meter_trusted() -> Sequence[Patch]:
    """Every meter is relied on, however silent, frozen or absurd."""

    def trouble(*_: Any, **__: Any) -> None:
        return None

    return [(uncontrolled, "trouble", trouble)]


def fencing_off() -> Sequence[Patch]:
    """A leader of an old term writes what it decided before it was paused."""

    def may_write(_: int, __: int) -> bool:
        return True

    return [(books, "may_write", may_write)]


def order_ignored() -> Sequence[Patch]:
    """An acknowledgement frees whatever else was intended before it came, newer orders too."""

    def freed_at(evse: EvseLedger, entry: LimitEntry, settle: timedelta) -> datetime:
        if entry.is_refused:
            return entry.intended_at
        others = [
            each.accepted_at + settle
            for each in evse.entries
            if each.order_no != entry.order_no
            and each.accepted_at is not None
            and not each.is_refused
            and each.accepted_at >= entry.intended_at
        ]
        return min([entry.ends_at + settle, *others])

    return everywhere(ledger.freed_at, freed_at)


class _Beginning:
    """When the youngest process began."""

    def __init__(self) -> None:
        self.at = START_AT

    def patch(self) -> Patch:
        real = controller.Controller.__init__

        def begin(process: controller.Controller, *arguments: Any) -> None:
            real(process, *arguments)
            self.at = process.agenda.now_at

        return controller.Controller, "__init__", begin
