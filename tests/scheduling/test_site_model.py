"""Whatever somebody describes is judged without an error of our own, and what passes can be reckoned with."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.electrical import EvsePlace, Flaw, SiteModel
from app.domain.snapshot import SiteSpec
from app.domain.wiring import Conductor, Feeder, Wiring
from app.scheduling.burdens import burdens, place_of, planned_burdens, spell, why_resting_unsafe, why_unsafe
from app.scheduling.feeders import grid_of
from app.scheduling.site_model import flaws_of

NAMES = ["a", "b", "c", "d", "nowhere"]
AMPERES = st.integers(0, 120).map(float)


@st.composite
def feeders(draw, name):
    rated = st.none() | st.integers(20, 400).map(float)
    return Feeder(
        feeder_id=name,
        parent_id=draw(st.none() | st.sampled_from(NAMES)),
        rating_a=draw(rated),
        limit_w=draw(st.none() | st.integers(5, 90).map(lambda power_kw: power_kw * 1000.0)),
        margin_a=draw(st.sampled_from([0.0, 0.0, 3.0])),
        reserve_a=draw(st.sampled_from([0.0, 0.0, 10.0])),
        reserve_w=draw(st.sampled_from([0.0, 0.0, 2000.0])),
    )


@st.composite
def models(draw):
    places = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        phases = draw(st.sampled_from([1, 1, 3]))
        fitting = [Wiring.UNKNOWN, Wiring.L1_L2_L3] if phases == 3 else [*Wiring]
        place = EvsePlace(
            station_id=f"s{draw(st.integers(1, 3))}",
            evse_number=number,
            max_current_a=draw(st.integers(6, 32).map(float)),
            phase_count=phases,
            feeder_id=draw(st.none() | st.sampled_from(NAMES)),
            wiring=draw(st.sampled_from(fitting)),
        )
        places.append(place)
    site = SiteSpec(
        site_id="site",
        zone="Asia/Tokyo",
        limit_w=draw(st.integers(10, 100)) * 1000.0,
        margin_w=0.0,
        reserve_w=draw(st.sampled_from([0.0, 4000.0])),
        feeders=tuple(draw(feeders(name)) for name in NAMES[: draw(st.integers(0, 4))]),
        surprised_count=draw(st.integers(0, 2)),
    )
    return SiteModel(site, tuple(places))


def is_right(model):
    return all(flaw.is_warning for flaw in flaws_of(model))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_what_passes_can_be_reckoned_with_and_what_fails_names_a_node(model):
    flaws = flaws_of(model)
    assert sorted(flaws, key=lambda flaw: flaw.is_warning) == list(flaws)
    assert all(flaw.path and flaw.reason for flaw in flaws)
    if not is_right(model):
        return
    rows = planned_burdens(model.site, model.planned())
    grid = grid_of(model.site, model.planned())
    assert [row.key for row in rows] == [row.key for row in grid.rows]
    loads = grid.loads({evse.evse_id: evse.safe_power_w for evse in model.planned()})
    for burden, row, load in zip(rows, grid.rows, loads, strict=True):
        assert burden.headroom == pytest.approx(row.capacity - load)
        assert burden.left_for_cars == pytest.approx(burden.headroom)
        assert burden.resting == pytest.approx(burden.safe)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models(), st.randoms(use_true_random=False))
def test_the_order_of_nodes_changes_nothing(model, random):
    shuffled = [list(model.site.feeders), list(model.places)]
    for each in shuffled:
        random.shuffle(each)
    other = replace(model, site=replace(model.site, feeders=tuple(shuffled[0])), places=tuple(shuffled[1]))
    circles = {flaw for flaw in flaws_of(model) if "feeds itself" in flaw.reason}
    others = {flaw for flaw in flaws_of(other) if "feeds itself" in flaw.reason}
    assert len(circles) == len(others)
    assert set(flaws_of(model)) - circles == set(flaws_of(other)) - others


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_a_site_whose_safe_currents_fit_holds_inv_1_with_every_station_at_rest(model):
    """INV-4 is INV-1 without leases and surprises."""
    calm = replace(model, site=replace(model.site, surprised_count=0))
    if not is_right(calm):
        return
    rows = planned_burdens(calm.site, calm.planned())
    fits = not any(row.missing_safe for row in rows)
    resting_w = {evse.evse_id: evse.safe_power_w for evse in calm.planned()}
    assert fits == (not grid_of(calm.site, calm.planned()).excesses(resting_w)) == all(row.holds for row in rows)


PANEL = Feeder("panel", rating_a=40.0, margin_a=4.0, reserve_a=10.0)
SITE = SiteSpec("site", "Asia/Tokyo", 20_000.0, 0.0, 3000.0, feeders=(PANEL,), surprised_count=1)


def test_an_unproven_evse_rests_at_its_nameplate_and_the_reserve_counts_whatever_the_meter_says():
    model = SiteModel(SITE, tuple(EvsePlace(f"s{n}", 1, 30.0, 1, "panel", Wiring.L1_L2) for n in (1, 2)))
    first, second = model.planned()
    evses = [replace(first, is_verified=False), second]
    rows = {row.key: row for row in burdens(SITE, evses, {1: 6000.0, 2: 1200.0}, {("panel", Conductor.L1): 2.0})}
    row = rows["panel", Conductor.L1]
    assert (row.safe, row.resting, row.in_force) == (12.0, 36.0, 36.0)
    assert (row.missing_safe, row.missing_resting) == (0.0, 10.0)
    assert (row.uncontrolled, dict(row.surprised), row.headroom) == (2.0, {"s2": 24.0}, 40.0 - 4.0 - 2.0 - 24.0 - 36.0)
    assert why_resting_unsafe(row, ["s1/1"]).endswith("(s1/1), may draw 36 A, 26 A are left for them")
    assert rows["panel", Conductor.L3].resting == 0.0


def test_rows_are_told_as_people_say_them():
    assert (place_of((None, None)), place_of(("p", Conductor.L2)), place_of(("p", None))) == (
        "the site",
        "feeder p (L2)",
        "feeder p",
    )
    assert (spell(1234.5, (None, None)), spell(12.34, ("p", Conductor.L1))) == ("1.234 kW", "12.3 A")
    model = SiteModel(SITE, tuple(EvsePlace(f"s{n}", 1, 30.0, 1, "panel", Wiring.L1_L2) for n in range(5)))
    (row, *_) = [row for row in planned_burdens(SITE, model.planned()) if row.missing_safe]
    assert why_unsafe(row) == "the safe currents of its EVSEs need 30 A together, 26 A are left for them: 4 A too much"


def test_a_flaw_is_told_by_the_path_that_its_sender_wrote():
    assert Flaw("", "limit_kw").path == "site.limit_kw"
    assert Flaw("", "rating_a", "panel").path == "feeders.panel.rating_a"
    assert Flaw("", "wiring", station_id="cp", evse_number=2).path == "stations.cp.evses[1].wiring"
    assert Flaw("", station_id="cp").path == "stations.cp"


def test_an_evse_that_is_there_twice_is_told():
    twice = (EvsePlace("s1", 1, 30.0), EvsePlace("s1", 1, 16.0))
    assert [(flaw.path, flaw.reason) for flaw in flaws_of(SiteModel(SITE, twice))] == [
        ("stations.s1.evses[0]", "is there twice")
    ]
    too_many = tuple(EvsePlace("s1", number, 30.0) for number in range(1501))
    assert "at most 1500" in flaws_of(SiteModel(SITE, too_many))[0].reason
