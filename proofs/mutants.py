"""`mutants`: the rules broken one by one, each of which must show in the wires, or the proof proves nothing.

A mutant replaces a named function for the time of a run. It is killed when the electrical model sees a 10-second mean
above a rating (INV-2) while the unmutated code, on the same seed and under the same faults, keeps every rating.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import partial

from proofs import breaking
from proofs.breaking import Patch, patched
from proofs.faults import Faults
from proofs.parks import Ground
from proofs.play import Result, play

LEAST_EXCESS_A = 0.1

SWAPS = replace(
    Faults(),
    surprised_count=0,
    surprises_per_h=0.0,
    is_crowded=True,
    swap_share=0.8,
    retarget_s=45.0,
    load_steps_per_h=5.0,
)
"""Every car takes what it may, and what one gets another has to give. Without stations that forget or lie the sites
have no margin for them, and an error is not hidden in it."""

TIGHT_BREAKERS = Ground(room_shares=(0.6, 0.8), leaf_room_shares=(0.1, 0.4))
SINGLE_PHASES = replace(TIGHT_BREAKERS, are_three_phase=(False,))
LIMITS_IN_W = Ground(kind_weights=(0, 1, 0), are_three_phase=(True,), in_w_share=1.0, room_shares=(0.2, 0.5))
MUCH_OTHER_LOAD = Ground(
    metered_share=1.0,
    panel_reserves_a=(40.0, 60.0),
    main_reserves_a=(30.0, 60.0),
    rise_shares=(0.3, 0.5),
    room_shares=(0.1, 0.3),
    leaf_room_shares=(0.6, 0.8),
)

SURPRISES = replace(SWAPS, surprised_count=1, surprises_per_h=8.0)
CRASHES = replace(SWAPS, crashes_per_h=12.0, crash_share=0.01)
LATE_WRITES = replace(SWAPS, write_pause_share=0.15)
LATE_ANSWERS = replace(SWAPS, retarget_s=60.0, late_answer_share=0.4, slow_call_share=0.1)
FEWER_PHASES = replace(SWAPS, is_crowded=False, swap_share=0.0, retarget_s=120.0)
SICK_METERS = replace(
    SWAPS,
    swap_share=0.0,
    retarget_s=120.0,
    meter_faults_per_h=3.0,
    meter_fault_most_s=7200.0,
    load_steps_per_h=300.0,
    is_load_adverse=True,
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule that is broken: what takes the place of which functions, and under which faults and where it is played.

    `seed` kills it within `hours`, and is tried first.
    """

    name: str
    broken: str
    patches: Callable[[], Sequence[Patch]]
    seed: int
    hours: float
    faults: Faults = SWAPS
    ground: Ground = TIGHT_BREAKERS

    def play(self, seed: int, hours: float) -> Result:
        """Play the mutant."""
        with patched(self.patches()):
            return self.play_original(seed, hours)

    def play_original(self, seed: int, hours: float) -> Result:
        """Play the unmutated code under the same faults at the same place."""
        return play(seed, hours, self.faults, ground=self.ground)


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


MUTANTS = (
    Mutant("send all", "R3: feeders.Sums.highest_w", breaking.send_all, 1, 0.16),
    Mutant("reductions first", "R4: ledger.possible_w", breaking.reductions_first, 1, 0.16),
    Mutant("acks only, in memory", "R1, R5: ledger.possible_w", breaking.acks_only, 4, 0.04),
    Mutant("no SETTLE", "R4: ledger.freed_at", breaking.no_settle, 1, 0.04),
    Mutant("ledger lost at crash", "R7: orders.ledgers_of", breaking.ledger_lost, 3, 0.05, CRASHES),
    Mutant("no R2", "R2: allocation.possible_w", breaking.no_r2, 2, 0.3),
    Mutant("phase swap", "wiring: feeders.grid_of", breaking.phase_swap, 4, 0.3, ground=SINGLE_PHASES),
    Mutant("A/W mix-up", "units: feeders.grid_of", breaking.unit_mix_up, 1, 0.3, FEWER_PHASES, LIMITS_IN_W),
    Mutant("nameplate ignored", "R8: orders.settled_at", breaking.nameplate_ignored, 2, 0.5, SURPRISES),
    Mutant(
        "stale meter trusted",
        "B+: uncontrolled.trouble",
        breaking.stale_meter_trusted,
        4,
        0.65,
        SICK_METERS,
        MUCH_OTHER_LOAD,
    ),
    Mutant("fencing off", "R9: books.may_write", breaking.fencing_off, 11, 0.5, LATE_WRITES),
    Mutant("order number ignored", "R5: ledger.freed_at", breaking.order_ignored, 1, 0.2, LATE_ANSWERS),
)


def hunt(name: str, seeds: int = 20, hours: float = 0.75) -> Verdict:
    """Play a mutant until the wires show it, then the original on the same seed.

    The recorded seed comes first, for as long as it takes; others, once the code is another one, for some hours each.
    """
    mutant = next(each for each in MUTANTS if each.name == name)
    others = [(seed, max(hours, mutant.hours)) for seed in range(1, seeds + 1) if seed != mutant.seed]
    for number, (seed, for_h) in enumerate([(mutant.seed, mutant.hours), *others][:seeds], 1):
        overloads = mutant.play(seed, for_h).overloads
        worst = max(overloads, key=lambda each: each.excess_a, default=None)
        if worst is not None and worst.excess_a >= LEAST_EXCESS_A:
            return Verdict(
                mutant.name,
                mutant.broken,
                seed,
                number,
                worst.began_s,
                worst.node,
                worst.conductor,
                round(worst.peak_a, 1),
                worst.rating_a,
                worst.duration_s,
                mutant.play_original(seed, for_h).is_clean,
            )
    return Verdict(mutant.name, mutant.broken, None, seeds)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seeds", type=int, default=20, help="give a mutant up after so many")
    parser.add_argument("--hours", type=float, default=0.75, help="how long a seed runs that is not the recorded one")
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
