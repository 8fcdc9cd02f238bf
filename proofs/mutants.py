"""`mutants`: the rules broken one by one, each of which must show in the wires, or the proof proves nothing.

A mutant replaces a named function for the time of a run; nothing in production code knows of it. It is killed when the
electrical model sees a 10-second mean above a rating (INV-2) while the unmutated code, on the same seed and under the
same faults, keeps every rating.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from app.domain.commands import RateUnit
from app.domain.limits import EvseLedger, LimitEntry
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Wiring
from app.scheduling import feeders, ledger, orders, uncontrolled
from proofs import books, controller
from proofs.agenda import START_AT
from proofs.faults import Faults
from proofs.play import play

NO_SURPRISES = replace(Faults(), surprised_count=0, surprises_per_h=0.0)
"""Without stations that forget or lie the sites have no margin for them, and an error is not hidden in it."""

LEAST_EXCESS_A = 0.1

ROTATED = {
    Wiring.L1_N: Wiring.L2_N,
    Wiring.L2_N: Wiring.L3_N,
    Wiring.L3_N: Wiring.L1_N,
    Wiring.L1_L2: Wiring.L2_L3,
    Wiring.L2_L3: Wiring.L3_L1,
    Wiring.L3_L1: Wiring.L1_L2,
}

Patch = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule that is broken: what takes the place of which functions, and the faults it is played under."""

    name: str
    broken: str
    patches: Callable[[], Sequence[Patch]]
    faults: Faults = NO_SURPRISES


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a mutant was killed, and by what."""

    mutant: str
    broken: str
    seed: int | None
    seeds_played: int
    at_s: int | None = None
    node: str | None = None
    conductor: str | None = None
    peak_a: float | None = None
    rating_a: float | None = None
    duration_s: int | None = None
    is_original_clean: bool = True

    @property
    def is_good(self) -> bool:
        """Whether the mutant died and the original did not."""
        return self.seed is not None and self.is_original_clean


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


def _send_all() -> Sequence[Patch]:
    """What fits once everything is in force is sent at once."""

    def highest_w(_: feeders.Sums, __: int) -> float:
        return float("inf")

    return [(feeders.Sums, "highest_w", highest_w)]


def _reductions_first() -> Sequence[Patch]:
    """Room is there as soon as a reduction was sent."""

    def possible_w(evse: EvseLedger, now: datetime, _: timedelta) -> float:
        return _counted_w(evse, now, _newest(evse, is_accepted_only=False))

    return everywhere(ledger.possible_w, possible_w)


def _acks_only() -> Sequence[Patch]:
    """What counts is what was acknowledged last, since this process began."""
    since = _Beginning()

    def possible_w(evse: EvseLedger, now: datetime, _: timedelta) -> float:
        known = replace(evse, entries=tuple(each for each in evse.entries if each.intended_at >= since.at))
        return _counted_w(evse, now, _newest(known, is_accepted_only=True))

    return [*everywhere(ledger.possible_w, possible_w), since.patch()]


def _no_settle() -> Sequence[Patch]:
    """What was replaced is free with the acknowledgement."""
    real = ledger.freed_at

    def freed_at(evse: EvseLedger, entry: LimitEntry, _: timedelta) -> datetime:
        return real(evse, entry, timedelta(0))

    return everywhere(ledger.freed_at, freed_at)


def _ledger_lost() -> Sequence[Patch]:
    """A process that starts knows only what it intended itself."""
    since, real = _Beginning(), orders.ledgers_of

    def ledgers_of(
        evses: Sequence[EvseSpec], entries: Sequence[LimitEntry], now: datetime, settle: timedelta
    ) -> dict[int, EvseLedger]:
        return real(evses, [each for each in entries if each.intended_at >= since.at], now, settle)

    return [*everywhere(real, ledgers_of), since.patch()]


def _no_r2() -> Sequence[Patch]:
    """A raise is what lies above the last acknowledgement, not above what may be in force."""

    def possible_w(evse: EvseLedger, now: datetime, _: timedelta) -> float:
        return _counted_w(evse, now, _newest(evse, is_accepted_only=True))

    return everywhere(ledger.possible_w, possible_w)


def _phase_swap() -> Sequence[Patch]:
    """Every other single-phase EVSE is counted on the next phases."""
    real = feeders.grid_of

    def grid_of(site: SiteSpec, evses: Sequence[EvseSpec], loads: feeders.Loads | None = None) -> feeders.Grid:
        swapped = [
            replace(evse, wiring=ROTATED.get(evse.wiring, evse.wiring)) if evse.evse_id % 2 else evse for evse in evses
        ]
        return real(site, swapped, loads)

    return everywhere(real, grid_of)


def _unit_mix_up() -> Sequence[Patch]:
    """A limit in W is counted as if it bounded the current of every phase."""
    real = feeders.grid_of

    def grid_of(site: SiteSpec, evses: Sequence[EvseSpec], loads: feeders.Loads | None = None) -> feeders.Grid:
        return real(site, [replace(evse, rate_unit=RateUnit.A) for evse in evses], loads)

    return everywhere(real, grid_of)


def _nameplate_ignored() -> Sequence[Patch]:
    """A default counts whether it is proven or not."""
    long_ago_at = START_AT - timedelta(days=1)

    def settled_at(_: EvseSpec, __: timedelta) -> datetime:
        return long_ago_at

    return everywhere(orders.settled_at, settled_at)


def _stale_meter_trusted() -> Sequence[Patch]:
    """What a meter said last counts, however old, frozen or absurd."""

    def trouble(*_: Any, **__: Any) -> None:
        return None

    def peak_of(samples: Sequence[uncontrolled.Sample]) -> float:
        """Return the newest value that is a number."""
        return next((value for _, value in reversed(samples) if value >= 0), 0.0)

    return [(uncontrolled, "trouble", trouble), (uncontrolled, "peak_of", peak_of)]


def _fencing_off() -> Sequence[Patch]:
    """A leader of an old term writes what it decided before it was paused."""

    def may_write(_: int, __: int) -> bool:
        return True

    return [(books, "may_write", may_write)]


def _order_ignored() -> Sequence[Patch]:
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


SURPRISES = replace(Faults(), surprises_per_h=4.0)
SICK_PROCESSES = replace(NO_SURPRISES, pause_share=0.02, crash_share=0.01)
SICK_METERS = replace(NO_SURPRISES, meter_faults_per_h=3.0, meter_fault_most_s=9000.0, load_steps_per_h=200.0)
LATE_ANSWERS = replace(NO_SURPRISES, late_answer_share=0.2, slow_call_share=0.1)

MUTANTS = (
    Mutant("send all", "R3: feeders.Sums.highest_w", _send_all),
    Mutant("reductions first", "R4: ledger.possible_w", _reductions_first),
    Mutant("acks only, in memory", "R1, R5: ledger.possible_w", _acks_only),
    Mutant("no SETTLE", "R4: ledger.freed_at", _no_settle),
    Mutant("ledger lost at crash", "R7: orders.ledgers_of", _ledger_lost, SICK_PROCESSES),
    Mutant("no R2", "R2: ledger.possible_w", _no_r2),
    Mutant("phase swap", "wiring: feeders.grid_of", _phase_swap),
    Mutant("A/W mix-up", "units: feeders.grid_of", _unit_mix_up),
    Mutant("nameplate ignored", "R8: orders.settled_at", _nameplate_ignored, SURPRISES),
    Mutant("stale meter trusted", "B+: uncontrolled.trouble", _stale_meter_trusted, SICK_METERS),
    Mutant("fencing off", "R9: books.may_write", _fencing_off, SICK_PROCESSES),
    Mutant("order number ignored", "R5: ledger.freed_at", _order_ignored, LATE_ANSWERS),
)


def hunt(name: str, seeds: int, hours: float) -> Verdict:
    """Play a mutant until the wires show it; then the original on the same seed."""
    mutant = next(each for each in MUTANTS if each.name == name)
    for seed in range(1, seeds + 1):
        with patched(mutant.patches()):
            overloads = play(seed, hours, mutant.faults).overloads
        if any(each.excess_a >= LEAST_EXCESS_A for each in overloads):
            worst = max(overloads, key=lambda each: each.excess_a)
            original = play(seed, hours, mutant.faults)
            return Verdict(
                mutant.name,
                mutant.broken,
                seed,
                seed,
                worst.began_s,
                worst.node,
                worst.conductor,
                round(worst.peak_a, 1),
                worst.rating_a,
                worst.duration_s,
                original.is_clean,
            )
    return Verdict(mutant.name, mutant.broken, None, seeds)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seeds", type=int, default=60, help="give a mutant up after so many")
    parser.add_argument("--hours", type=float, default=4.0, help="how long each site runs")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes play")
    names = [each.name for each in MUTANTS]
    parser.add_argument("--mutant", action="append", choices=names, help="only this one (several times: only these)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Hunt every mutant; return 1 if one survives, or if the original breaks a rating on a killing seed."""
    names = [each.name for each in MUTANTS if not options.mutant or each.name in options.mutant]
    one = partial(hunt, seeds=options.seeds, hours=options.hours)
    verdicts = []
    with ProcessPoolExecutor(max_workers=options.jobs) as pool:
        for done in as_completed([pool.submit(one, name) for name in names]):
            verdict = done.result()
            verdicts.append(verdict)
            if not options.json:
                sys.stdout.write(_told(verdict) + "\n")
                sys.stdout.flush()
    if options.json:
        sys.stdout.write(json.dumps([asdict(each) for each in verdicts], indent=2) + "\n")
    survivors = [each.mutant for each in verdicts if not each.is_good]
    if not options.json:
        sys.stdout.write(f"{len(verdicts) - len(survivors)} of {len(verdicts)} mutants killed, original clean\n")
    return 1 if survivors else 0


def _told(verdict: Verdict) -> str:
    head = f"{verdict.mutant:<22} {verdict.broken:<30}"
    if verdict.seed is None:
        return f"{head} SURVIVES {verdict.seeds_played} seeds"
    excess_a = (verdict.peak_a or 0.0) - (verdict.rating_a or 0.0)
    place = f"{verdict.node} {verdict.conductor} +{excess_a:.1f} A of {verdict.rating_a} A for {verdict.duration_s} s"
    original = "original clean" if verdict.is_original_clean else "ORIGINAL VIOLATES TOO"
    return f"{head} killed by seed {verdict.seed} at {verdict.at_s} s: {place}; {original}"
