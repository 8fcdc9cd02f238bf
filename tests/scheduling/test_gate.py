"""The gate of raw calls: what passes, and INV-1 for a park where experts and the allocator send at the same time."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.commands import RateUnit
from app.domain.limits import EvseLedger, LimitEntry
from app.domain.raw import ChangeKind, LimitChange
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Conductor, Feeder, FeederKind, Wiring
from app.scheduling.allocation import Target, allocate
from app.scheduling.feeders import grid_of
from app.scheduling.gate import Barred, Entry, Let, change_w, counted_w, judge

NAMEPLATE_W, SAFE_W, W_PER_A = 6000.0, 1200.0, 200.0
NOW = datetime(2026, 4, 1, tzinfo=UTC)
FOR_EVER = timedelta(days=400)


def specs(count: int, **more) -> tuple[EvseSpec, ...]:
    values = {"is_verified": True, "is_online": True} | more
    return tuple(
        EvseSpec(number, "s1", number, NAMEPLATE_W, SAFE_W, SAFE_W, W_PER_A, 1, **values)
        for number in range(1, count + 1)
    )


def site(available_w: float) -> SiteSpec:
    return SiteSpec("site", "Asia/Tokyo", available_w, 0.0, 0.0)


def ledgers(evses: tuple[EvseSpec, ...], *entries: LimitEntry) -> dict[int, EvseLedger]:
    return {
        evse.evse_id: EvseLedger(
            evse.evse_id,
            evse.nameplate_w,
            SAFE_W if evse.is_verified else None,
            tuple(entry for entry in entries if entry.evse_id == evse.evse_id),
        )
        for evse in evses
    }


def session(limit: float | None, evse_number: int | None = 1, **more) -> LimitChange:
    return LimitChange(ChangeKind.SESSION, evse_number, limit, **({"is_replaceable": True} | more))


def judged(change: LimitChange, available_w: float = 9000.0, busy=(1, 2), evses=specs(2), entries=()) -> Let | Barred:
    spec = site(available_w)
    return judge(spec, evses, ledgers(evses, *entries), busy, grid_of(spec, evses), "s1", (change,), NOW)


def test_r3_a_raise_within_the_room_is_let_in_as_an_entry_of_the_ledger():
    assert judged(session(20.0), available_w=5200.0) == Let((Entry(1, 4000.0),))


def test_r3_a_raise_beyond_the_room_is_barred_and_told_what_is_missing():
    verdict = judged(session(30.0), available_w=5200.0)
    assert isinstance(verdict, Barred)
    assert verdict.missing_w == pytest.approx(2000.0)


def test_what_the_ledger_counts_already_is_let_in_where_there_is_room_for_it():
    held = LimitEntry(1, 1, 5000.0, NOW, NOW + timedelta(minutes=10))
    assert judged(session(25.0), available_w=6200.0, entries=(held,)) == Let((Entry(1, 5000.0),))
    assert isinstance(judged(session(26.0), available_w=6200.0, entries=(held,)), Barred)


def test_what_is_only_feared_does_not_become_true_where_the_site_is_over_its_limit():
    """The entry may have got lost; the call would let the EVSE draw it, and without an end (found by the machine)."""
    lost = LimitEntry(1, 1, 5000.0, NOW, NOW + timedelta(minutes=10), failed_at=NOW)
    verdict = judged(session(25.0), available_w=3000.0, entries=(lost,))
    assert isinstance(verdict, Barred)
    assert verdict.missing_w == pytest.approx(3200.0)
    assert judged(session(6.0), available_w=3000.0, entries=(lost,)) == Let((Entry(1, SAFE_W),))


def test_a_limit_at_or_below_the_safe_power_always_passes():
    assert judged(session(6.0), available_w=0.0) == Let((Entry(1, SAFE_W),))
    assert judged(session(6.0, is_replaceable=False), available_w=0.0) == Let()
    assert judged(session(6.0), available_w=0.0, busy=()) == Let()


@pytest.mark.parametrize(
    ("change", "busy"),
    [
        (session(10.0, is_replaceable=False), (1,)),
        (session(10.0), ()),
        (session(10.0, evse_number=None), (1, 2)),
        (session(None, is_replaceable=False), (1,)),
    ],
    ids=["another stack level", "no running session", "no EVSE named", "unbounded"],
)
def test_above_the_safe_power_only_a_profile_that_our_next_lease_replaces_is_let_in(change, busy):
    verdict = judged(change, available_w=100_000.0, busy=busy)
    assert isinstance(verdict, Barred)
    assert "1.20 kW" in verdict.reason


def test_r8_a_profile_that_would_hide_an_unproven_default_is_barred():
    verdict = judged(session(6.0, is_replaceable=False), evses=specs(2, is_verified=False))
    assert isinstance(verdict, Barred)
    assert "not proven" in verdict.reason


@pytest.mark.parametrize("kind", [ChangeKind.DEFAULT, ChangeKind.STATION_MAX, ChangeKind.CLEARED])
def test_standing_profiles_need_the_room_for_the_nameplates_of_their_evses(kind):
    assert judged(LimitChange(kind, 2, 6.0), available_w=7200.0) == Let(unproven=(2,))
    assert judged(LimitChange(kind, 0, 6.0), available_w=12_000.0) == Let(unproven=(1, 2))
    barred = judged(LimitChange(kind, None, 6.0), available_w=11_000.0)
    assert isinstance(barred, Barred)
    assert barred.missing_w == pytest.approx(1000.0)


def test_a_station_that_counts_at_nameplate_anyway_needs_the_room_too_unless_it_is_told_the_safe_power():
    """An unproven default is most often there still: a call that takes it away makes the fear true."""
    unproven = specs(2, is_verified=False)
    for change in (LimitChange(ChangeKind.CLEARED, None), LimitChange(ChangeKind.DEFAULT, None, 7.0)):
        verdict = judged(change, 0.0, evses=unproven)
        assert isinstance(verdict, Barred)
        assert verdict.missing_w == pytest.approx(12_000.0)
        assert judged(change, 12_000.0, evses=unproven).unproven == (1, 2)
    assert judged(LimitChange(ChangeKind.DEFAULT, None, 6.0), 0.0, evses=unproven).unproven == (1, 2)


def test_changes_of_one_call_are_counted_together():
    both = (session(20.0, 1), session(20.0, 2))
    evses = specs(2)
    verdicts = [
        judge(spec, evses, ledgers(evses), (1, 2), grid_of(spec, evses), "s1", both, NOW)
        for spec in (site(7900.0), site(8000.0))
    ]
    assert isinstance(verdicts[0], Barred)
    assert len(verdicts[1].entries) == 2


def test_an_evse_that_the_station_does_not_have_is_barred():
    assert judged(session(6.0, evse_number=9)) == Barred("the station has no EVSE 9")


@pytest.mark.parametrize(
    ("limit", "unit", "power_w"),
    [
        (10.0, RateUnit.A, 6000.0),
        (3000.0, RateUnit.W, 3000.0),
        (1e6, RateUnit.W, 18_000.0),
        (None, RateUnit.A, 18_000.0),
        (-1.0, RateUnit.A, 18_000.0),
        (float("nan"), RateUnit.W, 18_000.0),
    ],
)
def test_a_limit_counts_on_all_phases_and_never_below_what_it_may_mean(limit, unit, power_w):
    """Amperes are per phase whatever numberPhases says (OCPP 1.6 §3.13.4); what cannot be read is unbounded."""
    evse = replace(specs(1)[0], nameplate_w=18_000.0, w_per_a=600.0, phase_count=3)
    assert change_w(session(limit, unit=unit), evse) == power_w


class Park:
    """A station of four EVSEs with cars that take all they may, an expert at the raw door, and the real allocator.

    The truth is kept apart from the ledger: what each EVSE's default and session profile really are. A car needs 4 s to
    come down. `lost` says that a call's answer got lost, whether or not the station did it.
    """

    COUNT = 4

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = NOW
        self.site = site(SAFE_W * self.COUNT + self.chance.choice([2000.0, 6000.0, 12_000.0]))
        self.entries: dict[int, list[LimitEntry]] = {number: [] for number in range(1, self.COUNT + 1)}
        self.verified = dict.fromkeys(self.entries, True)
        self.default_w = dict.fromkeys(self.entries, SAFE_W)
        self.profile: dict[int, tuple[float, datetime]] = {}
        self.recent: list[tuple[datetime, int, float]] = []
        self.order_no = 0
        self.worst_w = 0.0
        self.counts = {"let": 0, "barred": 0, "raised": 0}

    @property
    def specs(self) -> tuple[EvseSpec, ...]:
        return tuple(replace(spec, is_verified=self.verified[spec.evse_id]) for spec in specs(self.COUNT))

    @property
    def ledgers(self) -> dict[int, EvseLedger]:
        entries = [entry for each in self.entries.values() for entry in each]
        return ledgers(self.specs, *entries)

    def allowed_w(self, number: int) -> float:
        power_w, until_at = self.profile.get(number, (0.0, NOW))
        return power_w if self.now < until_at else self.default_w[number]

    def look(self) -> None:
        for number in self.entries:
            self.recent.append((self.now, number, self.allowed_w(number)))
        self.recent = [each for each in self.recent if each[0] > self.now - timedelta(seconds=4)]
        drawn_w = [max(power_w for _, each, power_w in self.recent if each == number) for number in self.entries]
        self.worst_w = max(self.worst_w, sum(drawn_w))

    def order(self, number: int, power_w: float, ledger_end_at: datetime, station_end_at: datetime) -> None:
        """Send one session profile: it is done, refused, or its answer is lost."""
        self.order_no += 1
        fate = self.chance.choice(["accepted", "accepted", "accepted", "refused", "lost and done", "lost"])
        if fate in ("accepted", "lost and done"):
            self.profile[number] = (power_w, station_end_at)
        accepted_at = self.now if fate == "accepted" else None
        self.entries[number].append(
            LimitEntry(self.order_no, number, power_w, self.now, ledger_end_at, accepted_at, fate == "refused")
        )

    def allocate(self) -> None:
        targets = {number: self.chance.choice([0.0, 1200.0, 3000.0, 6000.0]) for number in self.entries}
        wanted = {number: self.target(number, target_w) for number, target_w in targets.items()}
        for intent in allocate(
            self.site, self.specs, self.ledgers, wanted, grid_of(self.site, self.specs), self.now
        ).intents:
            self.order(intent.evse_id, intent.power_w, intent.ends_at, self.now + self.site.lease)

    def target(self, number: int, target_w: float) -> Target:
        accepted = [entry for entry in self.entries[number] if entry.accepted_at is not None]
        newest = accepted[-1] if accepted and accepted[-1].is_in_force_at(self.now) else None
        return Target(number, f"session {number}", target_w, newest, False)

    def call(self) -> None:
        """An expert sets or clears something, wildly."""
        kind = self.chance.choice([ChangeKind.SESSION, ChangeKind.SESSION, ChangeKind.DEFAULT, ChangeKind.CLEARED])
        number = self.chance.choice([None, 1, 2, 3, 4]) if kind is not ChangeKind.SESSION else self.chance.randint(1, 4)
        limit = self.chance.choice([0.0, 6.0, 10.0, 20.0, 30.0, 60.0, None])
        change = LimitChange(kind, number, limit, is_replaceable=kind is ChangeKind.SESSION)
        grid = grid_of(self.site, self.specs)
        verdict = judge(self.site, self.specs, self.ledgers, self.entries, grid, "s1", (change,), self.now)
        self.counts["let" if isinstance(verdict, Let) else "barred"] += 1
        if isinstance(verdict, Let):
            self.send(change, verdict)

    def send(self, change: LimitChange, let: Let) -> None:
        for entry in let.entries:
            self.counts["raised"] += entry.power_w > SAFE_W
            self.order(entry.evse_id, entry.power_w, self.now + FOR_EVER, self.now + FOR_EVER)
        for number in let.unproven:
            self.verified[number] = False
            if self.chance.random() < 0.8:
                self.default_w[number] = change_w(change, specs(1)[0])
                if change.kind is ChangeKind.CLEARED:
                    self.profile.pop(number, None)

    def prove(self) -> None:
        """Install the defaults again; they count once the cars have come down."""
        due = [number for number, is_verified in self.verified.items() if not is_verified]
        self.default_w |= dict.fromkeys(due, SAFE_W)
        self.look()
        self.now += self.site.settle
        self.verified |= dict.fromkeys(due, True)

    def play(self, steps: int = 150) -> "Park":
        for _ in range(steps):
            self.chance.choice([self.call, self.call, self.allocate, self.prove])()
            self.look()
            self.now += timedelta(seconds=self.chance.choice([1, 3, 15, 60, 400]))
            self.look()
        return self


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_inv1_holds_whatever_experts_call_between_the_allocators_orders(seed):
    park = Park(seed).play()
    assert park.counts["let"] > 0
    assert park.worst_w <= park.site.limit_w + 1e-6


def test_the_experts_of_that_park_do_raise_and_are_barred():
    parks = [Park(seed).play() for seed in range(10)]
    assert sum(park.counts["raised"] for park in parks) > 20
    assert sum(park.counts["barred"] for park in parks) > 100


def test_a_gate_that_keeps_no_entry_breaks_the_limit():
    class Forgetful(Park):
        def send(self, change: LimitChange, let: Let) -> None:
            super().send(change, let)
            for entry in let.entries:
                self.entries[entry.evse_id].pop()

    assert any(park.worst_w > park.site.limit_w + 1 for park in (Forgetful(seed).play() for seed in range(20)))


def test_a_gate_that_trusts_the_old_proof_breaks_the_limit():
    class Trusting(Park):
        def send(self, change: LimitChange, let: Let) -> None:
            super().send(change, let)
            self.verified.update(dict.fromkeys(let.unproven, True))

    assert any(park.worst_w > park.site.limit_w + 1 for park in (Trusting(seed).play() for seed in range(20)))


def panel(feeder_id: str, rating_a: float, parent_id: str | None = None, **more) -> Feeder:
    return Feeder(feeder_id, parent_id, FeederKind.PANEL, rating_a=rating_a, **more)


TREE = (panel("main", 60.0), panel("f1", 30.0, "main"), panel("f2", 50.0, "main"))
WIRED = tuple(
    replace(evse, feeder_id=feeder_id, wiring=wiring)
    for evse, feeder_id, wiring in zip(
        specs(4),
        ("f1", "f1", "f2", "f2"),
        (Wiring.L1_L2, Wiring.L2_L3, Wiring.L3_L1, Wiring.UNKNOWN),
        strict=True,
    )
)


def judged_in_tree(change: LimitChange, tree=TREE, evses=WIRED, entries=(), available_w=100_000.0, **more):
    spec = replace(site(available_w), feeders=tree, **more)
    return judge(spec, evses, ledgers(evses, *entries), (1, 2, 3, 4), grid_of(spec, evses), "s1", (change,), NOW)


def test_r3_a_raise_is_barred_by_the_conductor_of_the_feeder_that_lacks_most():
    """Of 30 A, L2 of f1 has 24 A beside the other car's 6 A; L1 has them all."""
    assert judged_in_tree(session(24.0)) == Let((Entry(1, 4800.0),))
    verdict = judged_in_tree(session(28.0))
    assert verdict == Barred("feeder f1 (L2) has no room for it", verdict.missing_w, ("f1", Conductor.L2))
    assert verdict.missing_w == pytest.approx(4 * 200.0)


def test_r3_what_feeds_a_feeder_bars_too():
    """L1 of main: 6 A of EVSE 3 and 6 A of EVSE 4, which may use any conductor, leave 22 A; f1 has all its 30 A."""
    tree = (panel("main", 34.0), *TREE[1:])
    assert judged_in_tree(session(22.0), tree) == Let((Entry(1, 4400.0),))
    verdict = judged_in_tree(session(24.0), tree)
    assert isinstance(verdict, Barred)
    assert (verdict.reason, verdict.row) == ("feeder main (L1) has no room for it", ("main", Conductor.L1))
    assert verdict.missing_w == pytest.approx(400.0)


def test_a_feeders_power_and_the_sites_bar_by_their_own_names():
    tree = (panel("main", 60.0, limit_w=7000.0), *TREE[1:])
    verdict = judged_in_tree(session(20.0), tree)
    assert (verdict.reason, verdict.row) == ("feeder main has no room for it", ("main", None))
    verdict = judged_in_tree(session(20.0), available_w=7000.0)
    assert (verdict.reason, verdict.row) == ("the site has no room for it", (None, None))
    assert verdict.missing_w == pytest.approx(600.0)


def test_what_loads_no_conductor_that_lacks_room_is_let_in():
    """L2 of f1 is full of EVSE 2's lease; EVSE 3 hangs elsewhere."""
    held = LimitEntry(1, 2, 4800.0, NOW, NOW + timedelta(minutes=10))
    assert isinstance(judged_in_tree(session(10.0, 1), entries=(held,)), Barred)
    assert judged_in_tree(session(20.0, 3), entries=(held,)) == Let((Entry(3, 4000.0),))


def test_an_evse_of_unknown_wiring_needs_the_room_in_every_conductor():
    tree = (*TREE[:2], panel("f2", 40.0, "main"))
    verdict = judged_in_tree(session(30.0, 4), tree, entries=(LimitEntry(1, 3, 4000.0, NOW, NOW + FOR_EVER),))
    assert isinstance(verdict, Barred)
    assert verdict.row == ("f2", Conductor.L1)  # of L1 and L3, where EVSE 3 holds 20 A


@pytest.mark.parametrize("unit", RateUnit)
def test_a_limit_in_w_needs_the_room_of_its_current_at_the_lowest_voltage_whatever_ours_are_in(unit):
    evses = (replace(WIRED[0], rate_unit=unit), *WIRED[1:])
    assert isinstance(judged_in_tree(session(24.0)), Let)  # in A
    watts = replace(session(4800.0), unit=RateUnit.W)
    verdict = judged_in_tree(watts, evses=evses)  # 26.7 A
    assert isinstance(verdict, Barred)
    assert verdict.missing_w == pytest.approx((4800.0 / 180.0 - 24.0) * 200.0)


def test_a_limit_in_w_at_three_phases_may_all_flow_in_one():
    three = replace(WIRED[0], nameplate_w=18_000.0, w_per_a=600.0, phase_count=3, wiring=Wiring.L1_L2_L3)
    watts = replace(session(3600.0), unit=RateUnit.W)
    assert counted_w(watts, three, site(1e6)) == pytest.approx(3600.0 * 3 / 0.9)  # 20 A
    assert counted_w(session(6.0), three, site(1e6)) == 3600.0
    assert counted_w(watts, replace(three, rate_unit=RateUnit.W), site(1e6)) == 3600.0


def test_the_room_for_surprised_stations_is_not_given_away():
    alone = tuple(replace(evse, station_id=f"s{evse.evse_id}") for evse in WIRED)
    spec = replace(site(100_000.0), feeders=TREE, surprised_count=1)
    verdict = judge(spec, alone, ledgers(alone), (1,), grid_of(spec, alone), "s1", (session(6.1),), NOW)
    assert isinstance(verdict, Barred)
    assert verdict.row == ("f1", Conductor.L2)  # 6 A and 6 A, and one of them might draw 24 A more


def test_standing_profiles_need_the_nameplates_in_every_conductor():
    cleared = LimitChange(ChangeKind.CLEARED, 1)
    assert isinstance(judged_in_tree(cleared), Barred)
    tree = (panel("main", 60.0), panel("f1", 36.0, "main"), TREE[2])
    assert judged_in_tree(cleared, tree) == Let(unproven=(1,))
