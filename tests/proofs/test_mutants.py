"""Broken rules have to show in the wires, all twelve: each on its recorded seed, cut to the time that it takes.

Where the code has become another one since, on another of the first seeds.
"""

import pytest

from proofs.breaking import everywhere, patched
from proofs.mutants import MUTANTS, hunt


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_a_broken_rule_is_seen_in_the_wires_and_the_original_is_not(mutant):
    verdict = hunt(mutant.name, seeds=6)
    assert verdict.seed is not None
    assert verdict.is_original_clean


def test_there_are_twelve_mutants_of_different_names():
    assert len({each.name for each in MUTANTS}) == 12


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
