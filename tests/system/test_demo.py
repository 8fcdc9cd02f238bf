import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

KEYS = {
    "sessions",
    "energy_requested_kwh",
    "energy_delivered_kwh",
    "departures_met_share",
    "solar_kwh",
    "grid_kwh",
    "solar_share",
    "uncontrolled_solar_share",
    "perfect_foresight_solar_share",
    "peak_site_kw",
    "site_limit_kw",
    "limit_violations",
    "limits_sent",
    "limits_accepted",
    "bookings",
    "flexibility",
}


def sunslot(*arguments: str, timeout_s: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], dict]:
    folder = tmp_path_factory.mktemp("demo")
    file = folder / "day.json"
    run = sunslot(
        *("demo", "--headless", "--speed", "100000", "--stations", "8", "--seed", "3", "--json", str(file)),
        timeout_s=300,
        SUNSLOT_DATA_DIR=str(folder / "var"),
    )
    assert run.returncode in {0, 1}, run.stderr[-3000:]
    return run, json.loads(file.read_text())


def test_a_small_day_is_perfect(played):
    run, day = played
    assert day["wrong"] == []
    assert run.returncode == 0


def test_the_json_holds_every_promised_figure(played):
    _, day = played
    assert day.keys() >= KEYS
    assert day["limits_sent"] >= day["limits_accepted"] > 0
    assert day["bookings"]["made"] > 0
    assert day["flexibility"]["slots"]


def test_the_sun_is_used_better_than_by_charging_at_once(played):
    _, day = played
    assert day["solar_share"] > day["uncontrolled_solar_share"]
    assert day["peak_site_kw"] <= day["site_limit_kw"] < day["uncontrolled_peak_site_kw"]


def test_the_site_limit_is_at_most_half_of_the_nameplates_and_binds(played):
    _, day = played
    surprise_kw = 6.0 - 1.2  # what one station could draw that forgets its limit: in a small park on top
    assert day["site_limit_kw"] - surprise_kw <= 8 * 6.0 / 2
    assert day["minutes_limit_allotted"] > 0


def test_the_table_compares_with_charging_at_once_and_with_perfect_foresight(played):
    run, _ = played
    assert "everybody at once" in run.stdout
    assert "perfect foresight" in run.stdout


def test_an_unknown_day_is_one_clear_line_and_exit_code_2(tmp_path):
    run = sunslot("demo", "--headless", "--day", "1999-01-01", SUNSLOT_DATA_DIR=str(tmp_path))
    assert run.returncode == 2
    assert "1999-01-01" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_wrong_flag_is_one_clear_line_and_exit_code_2():
    run = sunslot("demo", "--warp", "9")
    assert run.returncode == 2
    assert "--warp" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_wrong_setting_names_its_variable():
    run = sunslot("serve", SUNSLOT_HTTP_PORT="many")
    assert run.returncode == 2
    assert "SUNSLOT_HTTP_PORT" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("name", ["SUNSLOT_HTTP_PORT", "SUNSLOT_OCPP_PORT"])
def test_a_taken_port_is_one_clear_line_naming_its_setting(name, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"SUNSLOT_HTTP_PORT": "0", "SUNSLOT_OCPP_PORT": "0", "SUNSLOT_OCPP_HOST": "127.0.0.1"}
        ports[name] = str(taken.getsockname()[1])
        run = sunslot("serve", SUNSLOT_DATA_DIR=str(tmp_path), **ports)
    assert run.returncode == 2
    assert name in run.stderr
    assert "Traceback" not in run.stderr


def test_an_unreachable_database_is_one_clear_line(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql://nobody:secret-word@127.0.0.1:{unused.getsockname()[1]}/none"
        run = sunslot("migrate", SUNSLOT_DATABASE_URL=url, SUNSLOT_DATA_DIR=str(tmp_path))
    assert run.returncode == 2
    assert "database" in run.stderr
    assert "Traceback" not in run.stderr
    assert "secret-word" not in run.stderr + run.stdout


def test_the_sample_records_carry_no_user(tmp_path):
    folder = Path(__file__).parents[2] / "simulators" / "data"
    heads = [path.read_text().splitlines()[0] for path in folder.glob("*.csv")]
    assert heads
    assert not any("user" in head for head in heads)
