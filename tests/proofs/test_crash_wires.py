import numpy as np
import pytest

from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Feeder, Wiring
from app.scheduling.feeders import grid_of
from proofs.crash.site import RATED_A, SAFE_A, VOLTAGE_V, ground
from proofs.crash.wires import Wires

COUNTS = (6, 12, 39, 40, 60, 200)


def drawn(site, current_a):
    return np.array([current_a(spot) for spot in site.spots])


def run_for(wires, seconds, evses_a, loads_a, building_w=0.0):
    begun = []
    for number in range(round(seconds * 10)):
        begun += wires.step(number / 10, evses_a, loads_a, building_w)
    return begun


@pytest.mark.parametrize("count", COUNTS)
def test_the_site_is_safe_without_a_controller_and_its_ratings_bind(count):
    site = ground(count)
    wires = Wires(site)
    loads_a = np.array([node.base_a + node.rise_a if node.load_wirings else 0.0 for node in site.nodes])
    safe = drawn(site, lambda spot: SAFE_A)
    safe[-1] = RATED_A  # and one surprises
    assert run_for(wires, 15, safe, loads_a, site.base_w + site.rise_w) == []
    nameplates = Wires(site)
    over = {(each.node, each.conductor) for each in run_for(nameplates, 15, drawn(site, lambda spot: RATED_A), loads_a)}
    assert {node.feeder_id for node in site.nodes} | {"site"} == {node for node, _ in over}


def test_a_violation_is_a_ten_second_mean_and_is_told_once_with_its_length():
    site = ground(12)
    wires = Wires(site)
    high = drawn(site, lambda spot: RATED_A)
    nothing = np.zeros(len(site.nodes))
    run_for(wires, 20, np.zeros(len(site.spots)), nothing)
    assert run_for(wires, 1, high, nothing) == []
    begun = run_for(wires, 20, high, nothing)
    assert len(begun) == len({(each.node, each.conductor) for each in begun}) > 0
    assert all(each.duration_s > 5 and each.peak > each.rating for each in begun)


def test_the_sum_of_the_ledger_is_never_below_what_flows():
    """Scalar sums, as INV-1 counts, bound the phasors of the wires."""
    site = ground(60)
    wires = Wires(site)
    rng = np.random.default_rng(1)
    feeders = tuple(Feeder(node.feeder_id, node.parent_id, rating_a=node.rating_a) for node in site.nodes)
    spec = SiteSpec("crash", "Asia/Tokyo", site.limit_w, 0.0, 0.0, feeders=feeders)
    grid = grid_of(spec, specs(site))
    for _ in range(20):
        currents_a = rng.uniform(0.0, RATED_A, len(site.spots))
        wires.step(0.0, currents_a, np.zeros(len(site.nodes)), 0.0)
        sums = grid.loads({number: float(each) * VOLTAGE_V for number, each in enumerate(currents_a)})
        counted = {row.key: load for row, load in zip(grid.rows, sums, strict=True)}
        for row, (node, line) in enumerate(wires.names[:-1]):
            assert wires.now[row] <= counted[node, line] + 1e-9


def specs(site):
    return [
        EvseSpec(
            number,
            spot.station_id,
            1,
            RATED_A * VOLTAGE_V,
            SAFE_A * VOLTAGE_V,
            SAFE_A * VOLTAGE_V,
            VOLTAGE_V,
            1,
            is_verified=True,
            is_online=True,
            feeder_id=spot.feeder_id,
            wiring=Wiring(spot.wiring),
        )
        for number, spot in enumerate(site.spots)
    ]
