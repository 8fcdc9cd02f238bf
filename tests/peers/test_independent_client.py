"""A charge point that is not ours plays a whole session: npm's ocpp-rpc in strict mode, both versions."""

import json
import subprocess

import pytest
from tools import client_command, required

pytestmark = pytest.mark.system

PLAY_TIMEOUT_S = 180
DELIVERED_KWH = 0.25
READS = {"ocpp1.6": ("NumberOfConnectors", "GetConfiguration"), "ocpp2.0.1": ("EVSE.Power", "GetVariables")}


@pytest.fixture(scope="module")
def command() -> list[str]:
    return required(client_command)


@pytest.mark.parametrize("subprotocol", ["ocpp1.6", "ocpp2.0.1"])
def test_a_strict_client_of_another_make_charges_under_our_limit(command, served, subprotocol):
    station_id = f"IND-{subprotocol}"
    key = served.adopt(station_id, subprotocol)
    setting, read = READS[subprotocol]
    player = subprocess.Popen(
        [*command, served.ocpp_url, station_id, key, subprotocol, served.token],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with player:
        line = player.stdout.readline()
        if line == "charging\n":
            answer = served.api.post(f"/v1/stations/{station_id}/commands/read-settings", json={"names": [setting]})
            assert answer.status_code == 200, answer.text
            assert answer.json()["outcome"] == "accepted"
            line = player.stdout.readline()
        problems = player.stderr.read()
    seen = json.loads(line or "{}")
    assert (seen.get("surprise"), seen.get("failures")) == (None, []), problems
    assert player.returncode == 0
    assert read in seen["calls"]
    _limits_are_ours(seen["profiles"])
    _is_known(served, station_id)


def _limits_are_ours(profiles: list[dict]) -> None:
    """The standing default came first and a lease for the transaction later: two periods, the second one safe."""
    assert profiles[0]["chargingProfilePurpose"] == "TxDefaultProfile"
    leases = [each for each in profiles if each["chargingProfilePurpose"] == "TxProfile"]
    (schedule,) = (
        leases[-1]["chargingSchedule"]
        if isinstance(leases[-1]["chargingSchedule"], list)
        else [leases[-1]["chargingSchedule"]]
    )
    first, last = schedule["chargingSchedulePeriod"]
    assert first["startPeriod"] == 0
    assert 0 <= first["limit"] <= 30
    assert last["limit"] == 6


def _is_known(served, station_id: str) -> None:
    """Our side has the session with all of its energy, and the default limit proven."""
    sessions = served.read("/v1/sessions", site_id="hq")
    (session,) = [each for each in sessions["items"] if each["station_id"] == station_id]
    assert session["delivered_kwh"] == DELIVERED_KWH
    assert session["ended_at"] is not None
    station = served.read(f"/v1/stations/{station_id}")
    assert station["vendor"] == "Independent"
    assert [evse["is_verified"] for evse in station["evses"]] == [True]
