"""Networks with coupled phases: files read strictly, the published garage, policies side by side."""

import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from app.backtest.foresight import silent_highs
from app.backtest.network import read_network, read_stays
from app.backtest.network_policies import by_arrival, by_departure, by_laxity, planned, round_robin, sorted_by
from app.backtest.network_replay import most_possible, needs_kwh, replay
from app.backtest.network_table import solver_for
from app.cli import app
from app.domain.errors import Invalid

GARAGE = Path(__file__).resolve().parents[2] / "app" / "backtest" / "networks" / "caltech_acn.csv"
RECORDS = Path(__file__).resolve().parents[3] / "shared" / "data" / "acn_caltech_2019-03_5min.csv.gz"
STEP, STEP_H = timedelta(minutes=5), 1 / 12
SMALL = """# two lines that share one conductor
station,angle_deg,max_a,voltage_v,shared,own
limit_a,,,,,16
limit_a_per_kw,,,,4,
A,0,32,230,1,1
B,120,32,230,1,
"""
STAYS = """arrival_step,departure_step,station,requested_kwh,session
0,12,A,3,first
2,8,B,2,second
20,26,B,1,third
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.csv"
    path.write_text(SMALL)
    return path


@pytest.fixture
def few(tmp_path):
    path = tmp_path / "stays.csv"
    path.write_text(STAYS)
    return path


def test_the_garage_has_54_stations_in_five_groups_and_a_transformer_of_the_cap():
    garage = read_network(GARAGE, 30)
    assert len(garage.stations) == 54
    assert garage.coupling.group_count == 5
    assert garage.coupling.limits_a == pytest.approx([80, 80, *[30_000 / 3 / 120] * 3, *[30_000 / 3 / 277] * 3])


def test_a_balanced_garage_carries_its_cap_and_one_pair_of_lines_half_of_it():
    garage = read_network(GARAGE, 30)
    ab, bc, ca = (garage.stations[name].group for name in ("CA-308", "CA-304", "CA-307"))

    def stretch_at(kw_by_group):
        currents_a = np.zeros(garage.coupling.group_count)
        for group, kw in kw_by_group.items():
            currents_a[group] = kw * 1000 / 208
        return garage.coupling.stretch_factor(currents_a)

    assert stretch_at({ab: 10, bc: 10, ca: 10}) == pytest.approx(1, abs=2e-3)
    assert stretch_at({ab: 15}) == pytest.approx(1, abs=2e-3)


def test_stays_are_read_in_amperes_hours_of_their_station(small, few):
    network = read_network(small, 10)
    first, second, third = read_stays(few, network, STEP)
    assert (first.arrives, first.leaves, first.station.max_a) == (0, 12, 32)
    assert second.need_ah * 230 == pytest.approx(2000)
    assert third.station is network.stations["B"]


def test_stays_told_by_the_clock_are_rounded_inwards(small, tmp_path):
    path = tmp_path / "clock.csv"
    path.write_text("arrival,departure,delivered_kwh,station\n2019-05-01 00:01,2019-05-01 01:04,1,A\n")
    (stay,) = read_stays(path, read_network(small, 10), STEP)
    assert (stay.arrives, stay.leaves) == (1, 12)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0,1,C,3,x", "no station C"),
        ("5,1,A,3,x", "before the arrival"),
        ("0,1.5,A,3,x", "whole number"),
        ("0,1,A,much,x", "no number"),
        ("0,,A,3,x", "departure_step missing"),
        ("0,999999,A,3,x", "longer than 60 days"),
    ],
)
def test_a_bad_stay_is_named_by_file_and_line(small, few, line, why):
    few.write_text(STAYS + line + "\n")
    with pytest.raises(Invalid, match=why) as refused:
        read_stays(few, read_network(small, 10), STEP)
    assert refused.value.field == f"{few}:5"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("A,0,32,230,1,1", "told twice"),
        ("C,0,32,230,1", "5 cells under a heading of 6"),
        ("C,north,32,230,1,1", "angle_deg 'north' is no number"),
        ("C,0,0,230,1,1", "max_a must lie between"),
        ("C,0,32,230,nan,1", "shared must lie between"),
        (",0,32,230,1,1", "station missing"),
    ],
)
def test_a_bad_station_is_named_by_file_and_line(small, line, why):
    small.write_text(SMALL + line + "\n")
    with pytest.raises(Invalid, match=why) as refused:
        read_network(small, 10)
    assert refused.value.field == f"{small}:7"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("limit_a,,,,,16", "limit_a,,,,,", "own needs one limit"),
        ("limit_a,,,,,16", "limit_a,,,,5,16", "shared needs one limit"),
        ("limit_a,,,,,16", "limit_a,,,,,0", "more than 0"),
        ("station,angle", "evse,angle", "heading must be"),
        ("shared,own", "own,own", "heading must be"),
        ("A,0,32,230,1,1\nB,120,32,230,1,\n", "", "no stations"),
    ],
)
def test_a_network_without_sense_is_refused(small, old, new, why):
    small.write_text(SMALL.replace(old, new))
    with pytest.raises(Invalid, match=why):
        read_network(small, 10)


def test_a_cap_that_is_needed_is_asked_for(small):
    with pytest.raises(Invalid, match="shared is limited by it") as refused:
        read_network(small, None)
    assert refused.value.field == "--cap-kw"


def test_no_policy_beats_perfect_foresight_and_who_can_be_filled_is(small, few):
    network = read_network(small, 10)
    stays = read_stays(few, network, STEP)
    best_wh = most_possible(stays, network, STEP_H, silent_highs()).delivered_wh.sum()
    assert best_wh == pytest.approx(needs_kwh(stays) * 1000)
    orders = (by_arrival, by_departure, by_laxity)
    for policy in (planned(solver_for()), round_robin, *map(sorted_by, orders)):
        outcome = replay(stays, network, STEP_H, policy)
        assert best_wh * 0.9 < outcome.delivered_wh.sum() <= best_wh + 1e-6
        assert outcome.delivered_wh[-1] == pytest.approx(1000, abs=5)


def test_what_a_car_draws_is_learnt_in_one_step_and_its_rest_goes_to_others(small, few):
    network = read_network(small, 10)
    few.write_text("arrival_step,departure_step,station,requested_kwh\n0,6,A,9\n0,6,B,9\n")
    stays = read_stays(few, network, STEP, 1.15)
    seen = []

    def watched(moment):
        seen.append(moment.seen_a.tolist())
        return planned(solver_for())(moment)

    outcome = replay(stays, network, STEP_H, watched)
    assert seen[0] == [float("inf")] * 2
    assert seen[-1] == pytest.approx([5.0, 5.0])
    assert outcome.delivered_wh == pytest.approx([575, 575])


def test_a_policy_that_breaks_a_limit_ends_the_replay(small, few):
    network = read_network(small, 10)
    with pytest.raises(RuntimeError, match="broke a limit"):
        replay(read_stays(few, network, STEP), network, STEP_H, lambda moment: moment.cars.most_a + 20)


def test_the_command_prints_the_table_and_writes_the_figures(small, few, tmp_path):
    told = tmp_path / "figures.json"
    asked = ["backtest-network", str(few), "--network", str(small), "--cap-kw", "10", "--json", str(told)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    figures = orjson.loads(told.read_bytes())
    assert [row["policy"] for row in figures["policies"]] == [
        "perfect foresight", "sunslot", "quick charge", "LLF", "EDF", "RR", "FCFS",
    ]  # fmt: skip
    assert all(row["published_percent"] is None for row in figures["policies"])
    assert re.search(r"3 sessions, 6\.0 kWh at 10 kW", done.output)


def test_an_unknown_policy_is_refused(small, few):
    done = CliRunner().invoke(app, ["backtest-network", str(few), "--network", str(small), "--policy", "best"])
    assert isinstance(done.exception, Invalid)


@pytest.mark.skipif(not RECORDS.exists(), reason="the records of March 2019 are not here")
def test_a_day_of_the_records_is_served_better_than_by_least_laxity(tmp_path):
    garage = read_network(GARAGE, 30)
    days = [stay for stay in read_stays(RECORDS, garage, STEP, 6.6) if 13 * 288 <= stay.arrives < 14 * 288]
    ours = replay(days, garage, STEP_H, planned(solver_for()))
    laxity = replay(days, garage, STEP_H, sorted_by(by_laxity))
    best = most_possible(days, garage, STEP_H, solver_for(is_large=True))
    assert laxity.delivered_wh.sum() < 0.97 * ours.delivered_wh.sum()
    assert 0.99 * best.delivered_wh.sum() < ours.delivered_wh.sum() <= best.delivered_wh.sum() + 1
