"""The proof's own arithmetic against sums made by hand: it shares no code with the ledger."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.commands import RateUnit
from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Feeder, Wiring
from proofs.agenda import START_AT, at_of
from proofs.arithmetic import branches_of, broken, in_force_w

SETTLE = timedelta(seconds=12)
SITE = SiteSpec(
    "site", "Asia/Tokyo", 1e7, 0.0, 0.0, feeders=(Feeder("main", rating_a=50.0, margin_a=2.0, reserve_a=8.0),)
)


def evse(evse_id: int, wiring: Wiring = Wiring.L1_L2, unit: RateUnit = RateUnit.A) -> EvseSpec:
    return EvseSpec(
        evse_id, f"s{evse_id}", 1, 6000.0, 1200.0, 1200.0, 200.0, 1, True, True,
        verified_at=START_AT, feeder_id="main", wiring=wiring, rate_unit=unit,
    )  # fmt: skip


def entry(order_no: int, power_w: float, *, accepted_s: float | None = None, ends_s: float = 600.0) -> LimitEntry:
    accepted_at = None if accepted_s is None else at_of(accepted_s)
    return LimitEntry(order_no, 1, power_w, START_AT, at_of(ends_s), accepted_at)


def test_a_conductor_sums_those_that_may_load_it():
    branches = {
        each.conductor: each for each in branches_of(SITE, [evse(1), evse(2, Wiring.L2_L3), evse(3, Wiring.UNKNOWN)])
    }
    powers_w = {1: 2000.0, 2: 4000.0, 3: 1200.0}
    assert [branches[line].sum_a(powers_w) for line in ("L1", "L2", "L3")] == [16.0, 36.0, 26.0]
    assert branches["L1"].surprise_a(1) == 24.0


def test_a_limit_in_watts_is_counted_at_the_lowest_voltage_up_to_the_nameplate():
    (branch, *_) = branches_of(SITE, [evse(1, unit=RateUnit.W)])
    assert branch.sum_a({1: 1800.0}) == pytest.approx(10.0)
    assert branch.sum_a({1: 6000.0}) == 30.0


def test_only_a_raise_can_break_the_invariant():
    branches = branches_of(SITE, [evse(1), evse(2)])
    proven = {1: True, 2: True}
    low_w, high_w = {1: 1200.0, 2: 1200.0}, {1: 6000.0, 2: 6000.0}
    assert broken(branches, 0, low_w, high_w, proven, {})
    assert broken(branches, 0, high_w, high_w, proven, {}) == []
    assert broken(branches, 0, low_w, {1: 6000.0, 2: 2000.0}, proven, {}) == []
    with_margin = branches_of(replace(SITE, surprised_count=1), [evse(1), evse(2)])
    assert broken(with_margin, 1, low_w, {1: 6000.0, 2: 2000.0}, proven, {})


def test_what_may_be_in_force_follows_the_rules():
    spec = evse(1)

    def at(seconds: float, *entries: LimitEntry, is_proven: bool = True) -> float:
        return in_force_w(spec, entries, at_of(seconds), SETTLE, is_proven=is_proven)

    lower = entry(2, 2000.0, accepted_s=20.0)
    assert at(5.0, entry(1, 5000.0)) == 5000.0
    assert at(31.9, entry(1, 5000.0, accepted_s=1.0), lower) == 5000.0
    assert at(32.0, entry(1, 5000.0, accepted_s=1.0), lower) == 2000.0
    assert at(200.0, entry(1, 0.0, accepted_s=100.0), entry(2, 5000.0)) == 5000.0
    assert at(611.9, entry(1, 5000.0)) == 5000.0
    assert at(612.0, entry(1, 5000.0)) == 1200.0
    assert at(0.0, is_proven=False) == 6000.0
    assert at(5.0, replace(entry(1, 5000.0), is_refused=True)) == 1200.0
