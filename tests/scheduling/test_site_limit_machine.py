"""The site limit as a state machine: a three-phase, three-level tree, and everything that can be lost, late or dead.

The real ledger, allocator, gate and books decide (`app.scheduling`); the plant and its arithmetic are the tests' own.
Broken rules have to be found by what flows in the copper, or the machine would prove nothing.
"""

import random
from collections.abc import Callable

import pytest
from electric_books import Plant
from electric_plant import (
    BAYS,
    LAG,
    LEAF_RESERVE_A,
    LEAVES,
    LINES,
    MOST_A,
    PARENTS,
    RATINGS_A,
    RISE_SPAN,
    SAFE_A,
    STATIONS,
    above,
    leaf_count,
)
from electric_store import Violated
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.domain.commands import RateUnit
from app.domain.raw import ChangeKind, LimitChange
from app.domain.wiring import Wiring
from app.scheduling import allocation, feeders, ledger

EVSES = st.sampled_from([bay.evse_id for bay in BAYS])
AT_STATION = st.sampled_from(STATIONS)
AMPS = st.sampled_from([0.0, 6.0, 10.0, 16.0, 24.0, 32.0])
SECONDS = st.sampled_from([1, 2, 5, 9, 12, 13, 30, 60, 130, 250, 400, 600, 660])
CHANGES = st.builds(
    LimitChange,
    kind=st.sampled_from(ChangeKind),
    evse_number=st.sampled_from([None, 1, 2]),
    limit=st.none() | AMPS,
    unit=st.just(RateUnit.A),
    is_replaceable=st.booleans(),
)


def good_round(plant: Plant, _: object = None) -> None:
    """A whole round without a fault, so that the machine gets to places where faults matter."""
    plant.allocate()
    for station in STATIONS:
        plant.take(station)
        for _ in range(4):
            plant.deliver(station)
            plant.answer(station)


class SiteLimit(RuleBasedStateMachine):
    """Every rule is something that happens at a site on a bad day."""

    plant: Plant

    @initialize(
        surprised_count=st.sampled_from([0, 1]),
        load_a=st.sampled_from([0.0, 2.0, LEAF_RESERVE_A]),
        amps=AMPS,
        evse_ids=st.sets(EVSES, min_size=4),
    )
    def begin(self, surprised_count, load_a, amps, evse_ids):
        self.plant = Plant(surprised_count, load_a=load_a)
        for evse_id in sorted(evse_ids):
            self.plant.arrive(evse_id)
            self.plant.want(evse_id, amps)

    @rule(evse_id=EVSES, offset_s=st.sampled_from([-20.0, 0.0, 29.0]))
    def car_comes(self, evse_id, offset_s):
        self.plant.arrive(evse_id, offset_s)

    @rule(evse_id=EVSES)
    def car_leaves(self, evse_id):
        self.plant.leave(evse_id)

    @rule(evse_id=EVSES, amps=AMPS)
    def plan_wants(self, evse_id, amps):
        self.plant.want(evse_id, amps)

    @rule()
    def limit_loop_runs(self):
        self.plant.allocate()

    @rule(station=AT_STATION)
    def socket_takes(self, station):
        self.plant.take(station)

    @rule(station=AT_STATION, is_accepted=st.sampled_from([True, True, True, False]))
    def bytes_arrive(self, station, is_accepted):
        self.plant.deliver(station, is_accepted=is_accepted)

    @rule(station=AT_STATION)
    def bytes_are_lost(self, station):
        self.plant.lose(station)

    @rule(station=AT_STATION, number=st.integers(0, 3))
    def answer_arrives(self, station, number):
        self.plant.answer(station, number)

    @rule(station=AT_STATION)
    def answer_is_lost(self, station):
        self.plant.lose_answer(station)

    @rule(station=AT_STATION)
    def call_times_out(self, station):
        self.plant.time_out(station)

    @rule()
    def everything_goes_well(self):
        good_round(self.plant)

    @rule(seconds=SECONDS)
    def time_passes(self, seconds):
        self.plant.pass_time(seconds)

    @rule(station=AT_STATION)
    def socket_breaks(self, station):
        self.plant.hang_up(station)

    @rule(station=AT_STATION)
    def station_is_back(self, station):
        self.plant.wires[station].is_online = True

    @rule(station=AT_STATION)
    def station_reboots(self, station):
        self.plant.reboot(station)

    @rule(station=AT_STATION)
    def station_forgets(self, station):
        self.plant.forget(station)

    @rule(station=AT_STATION)
    def surprise_is_noticed(self, station):
        self.plant.heal(station)

    @rule(station=AT_STATION)
    def defaults_are_proven(self, station):
        self.plant.prove(station)

    @rule()
    def controller_crashes(self):
        self.plant.crash()

    @rule()
    def leader_is_paused_and_replaced(self):
        self.plant.pause_leader()

    @rule()
    def old_leader_wakes(self):
        self.plant.wake_old_leader()

    @rule(station=AT_STATION, change=CHANGES)
    def expert_calls(self, station, change):
        self.plant.raw(station, change)

    @rule(leaf=st.sampled_from(LEAVES), line=st.sampled_from(LINES), share=st.sampled_from([0.0, 0.5, 1.0]))
    def building_takes(self, leaf, line, share):
        self.plant.loads.move(leaf, line, share, self.plant.now)

    @rule()
    def meter_speaks(self):
        self.plant.measure()

    @rule(evse_id=EVSES)
    def electrician_looks(self, evse_id):
        self.plant.learn_wiring(evse_id)

    @rule(node=st.sampled_from(sorted(RATINGS_A)), more_a=st.sampled_from([0.0, 15.0]))
    def rating_changes(self, node, more_a):
        self.plant.rerate(node, more_a)

    @invariant()
    def the_limit_holds(self):
        self.plant.check("INV-1", "INV-2", "Q")


TestSiteLimit = SiteLimit.TestCase
TestSiteLimit.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def change_of_mind(plant: Plant, chance: random.Random) -> None:
    """A leader decides, is paused, and wakes when its successor has given the room to others."""
    first = set(chance.sample([bay.evse_id for bay in BAYS], 5))
    for bay in BAYS:
        plant.want(bay.evse_id, 32.0 if bay.evse_id in first else 0.0)
    plant.pause_leader()
    for bay in BAYS:
        plant.want(bay.evse_id, 0.0 if bay.evse_id in first else 32.0)
    for _ in range(3):
        good_round(plant)
        plant.pass_time(13)
    plant.wake_old_leader()


MOVES = (
    (8, lambda plant, chance: plant.want(chance.choice(BAYS).evse_id, chance.choice([0.0, 6.0, 16.0, 32.0]))),
    (3, lambda plant, chance: plant.arrive(chance.choice(BAYS).evse_id, chance.choice([-20.0, 0.0, 29.0]))),
    (1, lambda plant, chance: plant.leave(chance.choice(BAYS).evse_id)),
    (8, lambda plant, _: plant.allocate()),
    (10, lambda plant, chance: plant.take(chance.choice(STATIONS))),
    (12, lambda plant, chance: plant.deliver(chance.choice(STATIONS))),
    (1, lambda plant, chance: plant.lose(chance.choice(STATIONS))),
    (10, lambda plant, chance: plant.answer(chance.choice(STATIONS), chance.randint(0, 3))),
    (2, lambda plant, chance: plant.time_out(chance.choice(STATIONS))),
    (2, good_round),
    (10, lambda plant, chance: plant.pass_time(chance.choice([1, 2, 5, 13, 20, 130, 250, 660]))),
    (1, lambda plant, _: plant.crash()),
    (1, change_of_mind),
    (2, lambda plant, _: plant.measure()),
    (1, lambda plant, chance: plant.loads.move(chance.choice(LEAVES), chance.choice(LINES), 1.0, plant.now)),
)


def play(seed: int, plant: Plant, move_count: int = 400) -> None:
    """Make random moves; raises Violated where more flows than a conductor may carry."""
    chance = random.Random(seed)
    for bay in BAYS:
        plant.arrive(bay.evse_id)
    moves, weights = [move for _, move in MOVES], [weight for weight, _ in MOVES]
    for move in chance.choices(moves, weights, k=move_count):
        move(plant, chance)
        plant.check("INV-2")


def seed_that_finds(make: Callable[[], Plant] = Plant, seed_count: int = 20) -> int | None:
    """Return the first seed that finds a violation; None: the broken rule went unnoticed."""
    for seed in range(seed_count):
        try:
            play(seed, make())
        except Violated:
            return seed
    return None


def test_all_rules_together_are_not_found_guilty():
    assert seed_that_finds(seed_count=10) is None


def test_raising_above_what_was_acknowledged_is_found(monkeypatch):
    """R2: what may be in force is taken for what was accepted last."""

    def acknowledged_w(evse, now, settle):
        accepted = [entry for entry in evse.entries if entry.accepted_at and not entry.is_refused]
        newest = max(accepted, key=lambda entry: entry.order_no, default=None)
        return ledger.base_w(evse) if newest is None or now >= newest.ends_at else newest.power_w

    monkeypatch.setattr(allocation, "possible_w", acknowledged_w)
    assert seed_that_finds() is not None


def test_raising_without_room_is_found(monkeypatch):
    """R3: nobody asks whether the rows hold with the new entry."""
    monkeypatch.setattr(feeders.Sums, "highest_w", lambda _self, _evse_id: float("inf"))
    assert seed_that_finds() is not None


def test_freeing_at_the_acknowledgement_is_found(monkeypatch):
    """R4: no SETTLE."""
    real = ledger.possible_w
    monkeypatch.setattr(allocation, "possible_w", lambda evse, now, _settle: real(evse, now, 0 * LAG))
    assert seed_that_finds() is not None


def test_freeing_by_any_acknowledgement_is_found(monkeypatch):
    """Order numbers: the late answer to an older order frees a newer one."""

    def freed_at(evse, entry, settle):
        others = [each.accepted_at + settle for each in evse.entries if each is not entry and each.accepted_at]
        return min([entry.ends_at + settle, *others])

    monkeypatch.setattr(ledger, "freed_at", freed_at)
    assert seed_that_finds() is not None


def test_an_old_leader_that_still_writes_is_found():
    """R9: no fence."""
    assert seed_that_finds(lambda: Plant(is_fenced=False)) is not None


def test_swapped_conductors_are_found():
    """One of two cars between L1 and neutral is counted at L2."""

    def make():
        plant = Plant()
        plant.wired = lambda bay: Wiring.L2_N if bay.station == "j" else bay.wiring
        return plant

    assert seed_that_finds(make) is not None


def test_watts_that_are_believed_at_the_nominal_voltage_are_found():
    """A limit in W is counted as if it bounded the current of a phase like one in A."""

    def make():
        plant = Plant()
        plant.spelled = lambda _bay: RateUnit.A
        return plant

    assert seed_that_finds(make) is not None


@pytest.mark.parametrize("relies_on_meter", [True, False])
def test_a_call_without_an_end_may_not_rely_on_what_the_meter_says_now(relies_on_meter):
    """Both stations hang up with an expert's limit; then the building takes its whole reserve, by ΔB a lease."""
    plant = Plant(load_a=0.0)
    plant.raw_relies_on_meter = relies_on_meter
    plant.measure()
    for station, evse_id, limit in (("a", 1, 32.0), ("c", 3, 21.0)):
        plant.arrive(evse_id)
        plant.raw(station, LimitChange(ChangeKind.SESSION, 1, limit, RateUnit.A, is_replaceable=True))
        plant.deliver(station)
        plant.hang_up(station)
    for _ in range(3):
        plant.pass_time(RISE_SPAN.total_seconds() + 1)
        plant.loads.move("f11", "L1", 1.0, plant.now)
    if relies_on_meter:
        with pytest.raises(Violated, match="INV-2 at f11 L1"):
            plant.check("INV-2")
    else:
        plant.check("INV-1", "INV-2", "Q")


@pytest.mark.parametrize("surprised_count", [0, 1])
def test_the_plant_is_safe_without_a_controller(surprised_count):
    """INV-4, counted here: every default, the reserve and what the k most surprising stations add."""
    for node, rating_a in RATINGS_A.items():
        for line in LINES:
            below = [bay for bay in BAYS if node in above(bay.feeder) and line in bay.counted]
            safe_a = sum(bay.amps(SAFE_A * bay.w_per_a) for bay in below)
            gains_a = dict.fromkeys(STATIONS, 0.0)
            for bay in below:
                gains_a[bay.station] += MOST_A - bay.amps(SAFE_A * bay.w_per_a)
            most_gained_a = max(gains_a.values()) * surprised_count
            assert safe_a + most_gained_a + LEAF_RESERVE_A * leaf_count(node) + 1.0 <= rating_a
    assert set(PARENTS) == set(RATINGS_A)
