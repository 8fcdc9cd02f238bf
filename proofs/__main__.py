"""The command line: `python -m proofs NAME` (`./run sim NAME`)."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proofs import absent, limit, mutants, useful
from proofs.crash import command as crash


@dataclass(frozen=True, slots=True)
class Proof:
    """One of the proofs: what it says, its options, and how it is run (0: it holds, 1: it does not)."""

    help: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


PROOFS = {
    "absent": Proof("no controller for 24 hours: no rating is exceeded, every car gets some", absent.add, absent.run),
    "crash": Proof("kill -9, a failing network and real processes: no rating is exceeded", crash.add, crash.run),
    "limit": Proof("seeded faults against the real ledger and allocator: no rating is exceeded", limit.add, limit.run),
    "mutants": Proof("the rules broken one by one: each has to show in the wires", mutants.add, mutants.run),
    "useful": Proof("what the limit's rules cost in solar kWh on recorded days", useful.add, useful.run),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a proof; return 0 if it holds, 1 if not, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="python -m proofs", description="Proofs that the site limit holds.")
    commands = parser.add_subparsers(dest="proof", required=True)
    for name, proof in PROOFS.items():
        proof.add(commands.add_parser(name, help=proof.help))
    options = parser.parse_args(arguments)
    return PROOFS[options.proof].run(options)


if __name__ == "__main__":
    sys.exit(main())
