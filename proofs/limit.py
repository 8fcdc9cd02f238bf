"""`limit`: many seeds of many hours with up to k surprised stations; nothing may be above its rating, ever."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

from proofs.faults import Faults
from proofs.play import Result, play
from proofs.table import Table, quantile_s

BEYOND_SEEDS_SHARE = 0.1
QUANTILES_SHARE = (0.5, 0.9, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of many runs."""

    results: Sequence[Result]

    @property
    def site_hours(self) -> float:
        """How long all sites ran together."""
        return sum(each.hours for each in self.results)

    @property
    def counts(self) -> Counter[str]:
        """Everything that happened, by kind."""
        return sum((each.counts for each in self.results), Counter[str]())

    @property
    def binding_share(self) -> float:
        """In what share of the quarter hours more was wanted than some conductor could carry."""
        slots = sum(each.slot_count for each in self.results)
        return sum(each.binding_slot_count for each in self.results) / slots if slots else 0.0


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds, from 1 on")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--hours", type=float, default=8.0, help="how long each site runs")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes play")
    parser.add_argument("--trace", action="store_true", help="print all that happened (with --seed)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--no-beyond", action="store_true", help="leave out the runs with more surprises than k")


def run(options: argparse.Namespace) -> int:
    """Play all seeds; return 1 if anything was violated."""
    if options.seed is not None:
        return _replay(options)
    began_s = monotonic()
    seeds = range(1, options.seeds + 1)
    summary = Summary(_played(seeds, options, Faults(), is_quiet=options.json))
    beyond: list[Result] = []
    if not options.no_beyond:
        some = range(1, max(2, int(options.seeds * BEYOND_SEEDS_SHARE) + 1))
        for extra in (1, 2, 3):
            faults = replace(Faults(), beyond_count=Faults().surprised_count + extra, surprises_per_h=0.5)
            beyond += _played(some, options, faults, is_quiet=True)
    told = _told(summary, beyond, monotonic() - began_s)
    sys.stdout.write(json.dumps(told, indent=2) + "\n" if options.json else _table(told))
    return 0 if all(result.is_clean for result in summary.results) else 1


def _replay(options: argparse.Namespace) -> int:
    result = play(options.seed, options.hours, Faults(), is_traced=options.trace)
    sys.stdout.write("".join(f"{line}\n" for line in result.lines))
    told = _told(Summary([result]), [], 0.0)
    sys.stdout.write(json.dumps(told, indent=2) + "\n" if options.json else _table(told))
    return 0 if result.is_clean else 1


def _played(seeds: range, options: argparse.Namespace, faults: Faults, *, is_quiet: bool) -> list[Result]:
    one: Callable[[int], Result] = partial(play, hours=options.hours, faults=faults)
    results: list[Result] = []
    with ProcessPoolExecutor(max_workers=options.jobs) as pool:
        for result in pool.map(one, seeds, chunksize=1):
            results.append(result)
            if not result.is_clean:
                sys.stderr.write(f"seed {result.seed} violates: {_violations(result)[0]}\n")
            elif not is_quiet and len(results) % 50 == 0:
                sys.stderr.write(f"{len(results)} of {len(seeds)} seeds\n")
    return results


def _violations(result: Result) -> list[str]:
    return [f"INV-2 {each}" for each in result.overloads] + [f"INV-1 {each}" for each in result.broken]


def _told(summary: Summary, beyond: Sequence[Result], took_s: float) -> dict[str, Any]:
    counts = summary.counts
    return {
        "seeds": len(summary.results),
        "site_hours": summary.site_hours,
        "took_s": round(took_s, 1),
        "violations_inv_1": sum(len(each.broken) for each in summary.results),
        "violations_inv_2": sum(len(each.overloads) for each in summary.results),
        "failing": {str(each.seed): _violations(each)[:5] for each in summary.results if not each.is_clean},
        "binding_share": round(summary.binding_share, 3),
        "happened": dict(sorted(counts.items())),
        "beyond_k": _containment(beyond),
    }


def _containment(results: Sequence[Result]) -> dict[str, Any]:
    found = [each for result in results for each in result.containments]
    over = [each for each in found if each[0] > 0]
    known = [each for _, each in over if each is not None]
    return {
        "incidents": len(found),
        "incidents_above_a_rating": len(over),
        "longest_s": round(max((each for each, _ in over), default=0.0), 1),
        "from_start_s": {f"{share:.0%}": quantile_s([each for each, _ in over], share) for share in QUANTILES_SHARE},
        "from_knowable_s": {f"{share:.0%}": quantile_s(known, share) for share in QUANTILES_SHARE},
        "never_knowable": len(over) - len(known),
    }


def _table(told: dict[str, Any]) -> str:
    table = Table("The site limit under faults: the real ledger, orders and allocator, measured by the wires")
    table.line("seeds, site-hours", f"{told['seeds']}, {told['site_hours']:.0f}")
    table.line("quarter hours in which a conductor binds", f"{told['binding_share']:.0%}")
    table.part("What happened")
    for kind, count in told["happened"].items():
        table.line(kind, f"{count}")
    beyond = told["beyond_k"]
    if beyond["incidents"]:
        table.part("More than k stations surprised at once (k + 1, k + 2, k + 3)")
        table.line("incidents, of them above a rating", f"{beyond['incidents']}, {beyond['incidents_above_a_rating']}")
        for name, key in (("from the surprise", "from_start_s"), ("from when it is knowable", "from_knowable_s")):
            spread = ", ".join(f"{share} {at_s:.0f} s" for share, at_s in beyond[key].items())
            table.line(f"contained, {name}", spread)
    table.part("Violations with up to k surprised")
    table.line("INV-1, own arithmetic", f"{told['violations_inv_1']}")
    table.line("INV-2, 10-second means in the wires", f"{told['violations_inv_2']}")
    for seed, texts in told["failing"].items():
        table.line(f"  ./run sim limit --seed {seed}", texts[0])
    return table.text()
