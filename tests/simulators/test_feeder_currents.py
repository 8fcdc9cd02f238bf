"""The electrical model against currents worked out by hand."""

import math

import numpy as np
import pytest

from simulators.feeders import FeederTree, Load, Node, Supply, Trace, phasors_of, snapped_a


def tree(supply: Supply = Supply.THREE_PHASE) -> FeederTree:
    return FeederTree(supply, [Node("main", None, 100.0), Node("panel", "main", 50.0), Node("breaker", "panel", 20.0)])


def at_main(*loads: tuple[str, float], supply: Supply = Supply.THREE_PHASE) -> list[float]:
    model = tree(supply)
    for wiring, current_a in loads:
        model.add(Load("breaker", wiring, Trace(current_a)))
    exact = list(model.currents_a_at("main", 5.0).values())
    series = model.currents_a(0, 20)
    assert [float(series["main", line][5]) for line in ("L1", "L2", "L3")[: len(exact)]] == pytest.approx(exact)
    return exact


def test_a_load_between_two_lines_is_in_both_and_not_in_the_third():
    assert at_main(("L1-L2", 30.0)) == pytest.approx([30.0, 30.0, 0.0], abs=1e-9)


def test_two_loads_that_share_a_line_add_as_phasors_sixty_degrees_apart():
    assert at_main(("L1-L2", 30.0), ("L3-L1", 30.0)) == pytest.approx([30 * math.sqrt(3), 30.0, 30.0])


def test_three_equal_delta_loads_are_a_balanced_three_phase_load():
    loads = [(wiring, 30.0) for wiring in ("L1-L2", "L2-L3", "L3-L1")]
    assert at_main(*loads) == pytest.approx([30 * math.sqrt(3)] * 3)


def test_loads_against_the_neutral_stay_in_their_lines():
    assert at_main(("L1-N", 10.0), ("L2-N", 20.0), ("L3-N", 30.0)) == pytest.approx([10.0, 20.0, 30.0])


def test_a_load_against_the_neutral_and_one_across_are_thirty_degrees_apart():
    expected = abs(10 + 10 * complex(math.cos(math.pi / 6), math.sin(math.pi / 6)))
    assert at_main(("L1-N", 10.0), ("L1-L2", 10.0))[0] == pytest.approx(expected)


def test_in_a_split_phase_supply_loads_of_one_line_add_like_numbers():
    assert at_main(("L1-L2", 30.0), ("L1-N", 10.0), supply=Supply.SPLIT_PHASE) == pytest.approx([40.0, 30.0])


def test_lagging_loads_add_to_less_than_their_sum():
    model = tree()
    model.add(Load("panel", "L1-N", Trace(10.0), lag_degrees=60.0))
    model.add(Load("panel", "L1-N", Trace(10.0)))
    assert model.currents_a_at("main", 0.0)["L1"] == pytest.approx(10 * math.sqrt(3))


def test_the_phasors_of_every_pair_have_the_length_of_one_ampere():
    for wiring in ("L1-N", "L1-L2", "L3-L1"):
        assert [abs(each) for each in phasors_of(Supply.THREE_PHASE, wiring).values()] == pytest.approx(
            [1.0] * (1 if wiring.endswith("N") else 2)
        )


def test_a_rating_is_compared_with_ten_second_means():
    model = tree()
    trace = model.add(Load("breaker", "L1-N", Trace()))
    trace.cut(100.0, 40.0)
    trace.cut(104.0, 0.0)
    assert model.overloads(0, 300) == []
    trace.cut(200.0, 40.0)
    trace.cut(208.0, 0.0)
    (overload,) = model.overloads(0, 300)
    assert (overload.node, overload.conductor, overload.rating_a) == ("breaker", "L1", 20.0)
    assert overload.peak_a == pytest.approx(32.0)
    assert 190 <= overload.began_s <= 200


def test_a_movement_holds_first_and_then_goes_in_a_straight_line():
    trace = Trace(20.0)
    trace.move(10.0, 10.0, hold_s=2.0, ramp_s=2.0)
    assert [trace.current_a_at(at_s) for at_s in (9.0, 12.0, 13.0, 14.0, 99.0)] == [20.0, 20.0, 15.0, 10.0, 10.0]
    trace.move(13.0, 0.0, hold_s=0.0, ramp_s=1.0)
    assert [trace.current_a_at(at_s) for at_s in (13.5, 14.5)] == [12.5, 0.0]


def test_a_contactor_opens_at_once():
    trace = Trace(20.0)
    trace.move(10.0, 0.0, hold_s=4.0, ramp_s=1.0)
    trace.cut(12.0)
    assert list(trace.by_second(np.array([11.0, 12.0, 13.0]))) == [20.0, 0.0, 0.0]


def test_the_charge_of_a_movement_is_its_area():
    trace = Trace(0.0)
    trace.move(0.0, 36.0, hold_s=0.0, ramp_s=100.0)
    assert trace.charge_ah(0.0, 200.0) == pytest.approx((36 * 100 / 2 + 36 * 100) / 3600)


def test_the_charge_until_a_contactor_opens_is_not_halved():
    trace = Trace(0.0)
    trace.cut(100.0, 6.0)
    trace.cut(1000.0)
    assert trace.charge_ah(100.0, 1000.0) == pytest.approx(6 * 900 / 3600)


@pytest.mark.parametrize(
    ("limit_a", "up", "offered_a"), [(3.0, True, 6.0), (3.0, False, 0.0), (0.0, True, 0.0), (6.0, False, 6.0)]
)
def test_nothing_exists_between_zero_and_six_amperes(limit_a, up, offered_a):
    assert snapped_a(limit_a, up=up) == offered_a
