"""Broken rules have to show in the wires: mutants on a seed that kills them, cut to the hours that it takes.

`./run sim mutants` hunts all of them.
"""

import pytest

from proofs.mutants import MUTANTS, everywhere, patched
from proofs.play import play

# mutant → a seed that kills it, and after how many hours
KILLED_BY = {
    "send all": (3, 1.2),
    "reductions first": (1, 2.4),
    "acks only, in memory": (1, 1.3),
    "no R2": (3, 1.2),
}


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.name in KILLED_BY], ids=lambda each: each.name)
def test_a_broken_rule_is_seen_in_the_wires_and_the_original_is_not(mutant):
    seed, hours = KILLED_BY[mutant.name]
    with patched(mutant.patches()):
        assert play(seed, hours, mutant.faults).overloads
    assert play(seed, hours, mutant.faults).is_clean


def test_what_a_mutant_replaced_is_back_afterwards():
    for mutant in MUTANTS:
        patches = mutant.patches()
        assert patches
        before = [getattr(owner, name) for owner, name, _ in patches]
        with patched(patches):
            assert [getattr(owner, name) for owner, name, _ in patches] == [mutation for _, _, mutation in patches]
        assert [getattr(owner, name) for owner, name, _ in patches] == before


def test_a_function_is_replaced_wherever_the_scheduler_knows_it():
    from app.scheduling import ledger

    owners = {owner.__name__ for owner, _, _ in everywhere(ledger.possible_w, lambda *_: 0.0)}
    assert {"app.scheduling.ledger", "app.scheduling.allocation"} <= owners
