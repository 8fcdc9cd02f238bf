"""The yardstick: days as defined, policies that keep their word, and (where the records lie) the published rows."""

import gzip
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.backtest.days import Car, Day, car_of, days_of, scaled
from app.backtest.flows import best_of
from app.backtest.policies import grid_late, least_and_surplus, least_laxity, surplus_only, uncontrolled
from app.backtest.production import Setting, Sunslot
from app.backtest.records import read_series, read_sessions
from app.backtest.replay import Rules, replay
from app.backtest.runs import POLICIES, Question, runs_of
from app.backtest.table import table_of
from app.backtest.yardstick import courses, lay_out, measure
from app.domain.errors import Invalid

EVSE_W, LEAST_W = 6656.0, 1248.0
RECORDS = Path(__file__).resolve().parents[3] / "shared" / "data"


def question(files, **changes) -> Question:
    asked = Question(
        files["sessions"], files["solar"], files["load"], shift_years=7, weekdays=True, policies=("uncontrolled",)
    )
    return replace(asked, **changes)


def test_arrivals_round_up_departures_down_and_stays_end_at_midnight(files):
    first, second, overnight, _ = (car_of(record, EVSE_W) for record in read_sessions(files["sessions"]))
    assert (first.first, first.last, first.declared, first.stays) == (33, 64, 68, False)
    assert (second.first, second.last, second.declared, second.stays) == (36, 48, 44, True)
    assert (overnight.first, overnight.last) == (32, 96)


def test_a_need_is_capped_by_what_fits_and_a_small_one_is_none(files):
    record = read_sessions(files["sessions"])[1]
    assert car_of(replace(record, delivered_wh=90_000.0), EVSE_W).need_wh == 12 * 0.25 * EVSE_W
    assert car_of(replace(record, delivered_wh=200.0), EVSE_W) is None


def test_weekends_and_days_with_few_sessions_or_gaps_are_left_out(files):
    records, solar, load = read_sessions(files["sessions"]), read_series(files["solar"]), read_series(files["load"])
    asked = {"evse_w": EVSE_W, "shift_years": 7, "weekdays": True, "least_session_count": 1}
    assert [day.date.day for day in days_of(records, solar, load, **asked)] == [1, 2]
    assert [day.date.day for day in days_of(records, solar, load, **(asked | {"weekdays": False}))] == [1, 2, 4]
    assert [day.date.day for day in days_of(records, solar, load, **(asked | {"least_session_count": 2}))] == [1]
    del solar.power_w[next(at for at in solar.power_w if (at.month, at.day, at.hour) == (5, 2, 3))]
    assert [day.date.day for day in days_of(records, solar, load, **asked)] == [1]
    with pytest.raises(Invalid):
        days_of(records, solar, load, **(asked | {"shift_years": 3}))


@pytest.mark.parametrize("ratio", [0.5, 1.5, 4.0])
def test_the_sun_is_scaled_until_the_surplus_is_the_asked_multiple_of_the_energy(files, ratio):
    material = lay_out(question(files, surplus_ratio=ratio))
    surplus_wh = sum(day.surplus_w.sum() / 4 for day in material.days)
    assert surplus_wh == pytest.approx(ratio * 28_000, rel=1e-6)
    assert len(material.before[0]) == 20


@st.composite
def days(draw) -> Day:
    cars = []
    for number in range(draw(st.integers(1, 6))):
        first = draw(st.integers(20, 70))
        last = draw(st.integers(first + 1, 90))
        need_wh = draw(st.floats(300, (last - first) * 0.25 * EVSE_W + 300))
        declared = draw(st.integers(first + 1, 95))
        cars.append(Car(first, last, declared, min(need_wh, (last - first) * 0.25 * EVSE_W), None, f"A{number}", ""))
    surplus_w = np.zeros(96)
    for slot in range(30, 70):
        surplus_w[slot] = draw(st.floats(0, 30_000))
    return Day(date(2019, 5, 1), tuple(cars), surplus_w, np.zeros(96), surplus_w)


@settings(deadline=None, max_examples=30)
@given(days())
def test_with_true_departures_everybody_is_full_and_nobody_beats_perfect_foresight(day):
    best_wh = best_of(day.cars, day.surplus_w, EVSE_W, 1e9).solar_wh
    for policy in (uncontrolled, least_laxity, grid_late, Sunslot(Setting("true"))):
        tally = replay([day], [[day.pv_w]], policy, Rules(EVSE_W, LEAST_W, "true"))
        assert tally.delivered_wh >= tally.need_wh - 5.0 * len(day.cars)
        assert tally.solar_wh <= best_wh + len(day.cars) + 96


@settings(deadline=None, max_examples=20)
@given(days(), st.floats(1_500, 20_000))
def test_nobody_takes_more_than_the_site_may_and_nobody_beats_perfect_foresight_under_that_limit(day, site_w):
    best = best_of(day.cars, day.surplus_w, EVSE_W, site_w)
    assert best.powers_w.max() <= site_w + 1e-6
    policies = (
        uncontrolled,
        surplus_only,
        least_and_surplus,
        least_laxity,
        grid_late,
        Sunslot(Setting("true", site_w)),
    )
    for policy in policies:
        tally = replay([day], [[day.pv_w]], policy, Rules(EVSE_W, LEAST_W, "true", site_w=site_w))
        assert tally.highest_w <= site_w + 1.0
        assert tally.delivered_wh <= best.delivered_wh + len(day.cars) + 96


def test_a_row_for_each_price_of_a_miss_and_again_with_the_ledger(files):
    asked = question(files, policies=("sunslot-declared", "sunslot-true"), miss_prices_ratio=(0.0, 5.0), ledger=True)
    assert [run.name for run in runs_of(asked)] == [
        "sunslot-true", "sunslot-true ledger", "sunslot-declared V=0", "sunslot-declared V=0 ledger",
        "sunslot-declared V=5", "sunslot-declared V=5 ledger",
    ]  # fmt: skip


def test_processes_that_share_the_policies_change_nothing_but_the_time(files):
    asked = question(files, policies=("uncontrolled", "surplus-only"))
    material = lay_out(asked)
    told: list[tuple[str, int]] = []
    alone = courses(asked, material)
    shared = courses(asked, material, progress=lambda name, count: told.append((name, count)), jobs_count=2)
    assert list(shared) == list(alone)
    assert sorted(told) == [("surplus-only", 2), ("uncontrolled", 2)]
    for name, course in alone.items():
        assert [each.delivered_wh for each in shared[name].tallies] == [each.delivered_wh for each in course.tallies]


@settings(deadline=None, max_examples=30)
@given(days())
def test_surplus_only_takes_nothing_from_the_grid_and_min_plus_pv_never_rests(day):
    rules = Rules(EVSE_W, LEAST_W, "declared")
    assert replay([day], [[]], surplus_only, rules).grid_wh <= 1e-3
    least_wh = sum(min(car.need_wh, (car.last - car.first) * 0.25 * LEAST_W) for car in day.cars)
    assert replay([day], [[]], least_and_surplus, rules).delivered_wh >= least_wh - 1e-3


def test_a_policy_that_asks_for_too_much_is_given_what_the_car_takes(files):
    material = lay_out(question(files))
    tally = replay(material.days, material.before, lambda view: view.most_wh + 1e9, Rules(EVSE_W, LEAST_W, "none"))
    assert tally.delivered_wh == pytest.approx(28_000)


def test_with_needs_as_declared_a_full_car_is_seen_to_stop_and_a_modest_one_gets_only_what_it_asked_for(files):
    material = lay_out(question(files))
    rules = Rules(EVSE_W, LEAST_W, "true", is_need_declared=True)
    seen = []

    def watch(view):
        seen.append(float(view.left_wh[0]))
        return view.most_wh

    assert replay(material.days, material.before, watch, rules).delivered_wh == pytest.approx(28_000)
    assert seen[0] == 20_000
    assert 0.0 in seen
    assert rules.seen_wh(replace(material.days[0].cars[0], asked_wh=4_000.0), 6_000.0) == 0.0


def test_all_policies_stand_in_the_table_with_their_figures(files):
    asked = question(files, policies=())
    figures = measure(asked, lay_out(asked))
    assert [row["policy"] for row in figures["policies"]] == ["perfect-foresight", *POLICIES]
    assert figures["months"]["2019-05"] == figures["policies"]
    by_name = {row["policy"]: row for row in figures["policies"]}
    assert by_name["uncontrolled"]["delivered_percent"] == 100.0
    assert by_name["surplus-only"]["solar_share_percent"] == 100.0
    assert by_name["sunslot-true"]["capture_percent"] >= by_name["uncontrolled"]["capture_percent"]
    assert table_of(figures).row_count == len(POLICIES) + 1


def test_an_unknown_policy_is_refused_by_name(files):
    with pytest.raises(Invalid, match="no such policy: luck"):
        lay_out(question(files, policies=("luck",)))


@pytest.mark.skipif(not RECORDS.is_dir(), reason="the JPL records are not shipped")
@pytest.mark.parametrize(
    ("ratio", "published"),
    [
        (
            1.5,
            {
                "uncontrolled": (59.9, 100.0),
                "surplus-only": (96.6, 81.9),
                "min+pv": (91.7, 88.3),
                "least-laxity-true": (99.65, 100.0),
                "least-laxity-declared": (96.4, 94.9),
            },
        ),
        (
            0.75,
            {
                "uncontrolled": (60.9, 100.0),
                "surplus-only": (96.8, 59.2),
                "min+pv": (93.6, 75.1),
                "least-laxity-declared": (97.4, 90.4),
            },
        ),
    ],
)
def test_the_reference_rows_are_those_of_an_independent_evaluator(ratio, published):
    asked = Question(
        RECORDS / "jpl_2019-05_2019-08.csv.gz",
        RECORDS / "solar" / "nrel_system50_15min_2011-04_2013-12.csv.gz",
        RECORDS / "load" / "doe_medium_office_los_angeles_hourly.csv",
        surplus_ratio=ratio,
        shift_years=7,
        weekdays=True,
        least_session_count=16,
        policies=tuple(published),
    )
    figures = measure(asked, lay_out(asked))
    assert (figures["days"], figures["sessions"], round(figures["need_kwh"])) == (81, 5541, 79_999)
    rows = {row["policy"]: (row["capture_percent"], row["delivered_percent"]) for row in figures["policies"]}
    for policy, row in published.items():
        assert rows[policy] == pytest.approx(row, abs=0.1), policy


def test_the_scale_does_not_depend_on_the_order_of_the_files_rows(files, tmp_path):
    lines = files["sessions"].read_text().splitlines()
    turned = tmp_path / "turned.csv.gz"
    turned.write_bytes(gzip.compress("\n".join([lines[0], *lines[:0:-1]]).encode()))
    asked = question(files)
    assert (
        measure(asked, lay_out(asked))["need_kwh"]
        == measure(asked, lay_out(replace(asked, sessions=turned)))["need_kwh"]
    )
    days_a, factor = scaled(lay_out(asked).days, 1.5)
    assert days_a[0].cars == lay_out(replace(asked, sessions=turned)).days[0].cars
    assert factor > 0
