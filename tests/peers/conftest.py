"""A whole Sunslot in a process of its own, with an embedded PostgreSQL, as an operator would start it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

START_TIMEOUT_S, STOP_TIMEOUT_S = 120, 30
TOKEN = "04A1B2C3D4"


@dataclass(frozen=True)
class Served:
    """The running server: its API with the operator's token, where stations connect, and a driver's card."""

    api: httpx.Client
    ocpp_url: str
    token: str = TOKEN

    def adopt(self, station_id: str, dialect: str) -> str:
        """Provision a station with one EVSE; return its key."""
        station = {"station_id": station_id, "site_id": "hq", "security_profile": 1, "dialect": dialect}
        answer = self.api.post("/v1/stations", json=station | {"evses": [{"max_current_a": 30, "phase_count": 1}]})
        assert answer.status_code == 201, answer.text
        return answer.json()["key"]

    def read(self, path: str, **query: str) -> dict:
        answer = self.api.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="sunslot-peers-"))
    folder.chmod(0o755)  # as root the database runs as another account
    http_port, ocpp_port = free_port(), free_port()
    settings = {
        "SUNSLOT_DATA_DIR": str(folder / "data"),
        "SUNSLOT_HTTP_PORT": str(http_port),
        "SUNSLOT_OCPP_HOST": "127.0.0.1",
        "SUNSLOT_OCPP_PORT": str(ocpp_port),
        "SUNSLOT_LOG_LEVEL": "WARNING",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve"], env=os.environ | settings, stdout=log, stderr=log
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=30, trust_env=False) as api:
                _wait_until_ready(api, process, folder / "log")
                token = (folder / "data" / "operator.token").read_text().strip()
                api.headers["Authorization"] = f"Bearer {token}"
                _furnish(api)
                yield Served(api, f"ws://127.0.0.1:{ocpp_port}/ocpp")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_TIMEOUT_S)
            shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(api: httpx.Client, process: subprocess.Popen, log: Path) -> None:
    until_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until_s:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            if api.get("/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail("the server did not become ready: " + log.read_text()[-2000:])


def _furnish(api: httpx.Client) -> None:
    """A site with room for everything, and a driver with a card."""
    site = {"site_id": "hq", "name": "Head office", "zone": "Asia/Tokyo", "limit_kw": 60}
    assert api.post("/v1/sites", json=site).status_code == 201
    driver = api.post("/v1/drivers", json={"name": "A. Tanaka"})
    assert driver.status_code == 201
    card = api.post(f"/v1/drivers/{driver.json()['driver_id']}/tokens", json={"token": TOKEN})
    assert card.status_code == 201, card.text
