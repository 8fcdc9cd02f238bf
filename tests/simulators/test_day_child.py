import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fake_central import FakeCentral

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60.0
Json = dict[str, Any]


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one segment per answer

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b'{"items":[]}')

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def api() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


class Child:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ask_raw(self, line: bytes) -> Json:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + b"\n")
        await self.process.stdin.drain()
        async with asyncio.timeout(TIMEOUT_S):
            answer: Json = json.loads(await self.process.stdout.readline())
        return answer

    async def ask(self, kind: str, **fields: Any) -> Json:
        return await self.ask_raw(json.dumps({"type": kind, **fields}).encode())


@asynccontextmanager
async def child_process() -> AsyncIterator[Child]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulators", "day"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 26,
        cwd=ROOT,
    )
    try:
        yield Child(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(TIMEOUT_S):
            await process.communicate()


def setup_of(prepared: Json, central_url: str, api_url: str) -> Json:
    return {
        "central_url": central_url,
        "api_url": api_url,
        "site_id": "site",
        "site_limit_w": 6000,
        "station_keys": {station["station_id"]: "k" * 20 for station in prepared["stations"]},
        "meter_token": "m",
        "driver_tokens": {commuter["commuter_id"]: "t" for commuter in prepared["commuters"]},
        "now": prepared["starts_at"],
        "meter_interval_s": 300,
        "outages": 2,
    }


async def test_a_whole_day_over_the_protocol() -> None:
    with api() as api_url:
        async with FakeCentral() as central, child_process() as child:
            prepared = await child.ask("prepare", stations=4, seed=7, day="2019-05-14")
            assert prepared["type"] == "prepared"
            ready = await child.ask("setup", **setup_of(prepared, central.url, api_url))
            assert (ready["type"], ready["state"]["plugged"]) == ("ready", 0)
            assert {station["state"] for station in ready["state"]["stations"]} == {"free"}
            at, seen = prepared["starts_at"], []
            while at < prepared["ends_at"]:
                before = len(central.received)
                stepped = await child.ask("step", to=prepared["ends_at"])
                assert len(central.received) == before, "a step sends nothing"
                assert at <= stepped["at"]
                at = stepped["at"]
                if stepped["has_events"]:
                    seen.append((await child.ask("act"))["state"])
            report = await child.ask("finish")
            assert max(state["plugged"] for state in seen) > 1
            _check(report, prepared, central)


def _check(report: Json, prepared: Json, central: FakeCentral) -> None:
    assert central.complaints == []
    assert len(report["sessions"]) == len(prepared["commuters"])
    for session in report["sessions"]:
        assert session["delivered_wh"] == session["requested_wh"], "nobody limits these cars"
    assert report["messages_lost"] == 0
    assert report["messages_sent"] == report["messages_acked"] == len(central.received)
    assert 1 <= len(report["outages"]) <= 2
    assert central.connection_count == 4 + len(report["outages"])
    transactions = [entry for book in report["journal"].values() for entry in book["transactions"]]
    assert len(transactions) == len(report["sessions"])
    delivered_wh = sum(entry["meter_stop_wh"] - entry["meter_start_wh"] for entry in transactions)
    assert abs(delivered_wh - report["energy_delivered_wh"]) <= len(transactions)
    assert report["uncontrolled"]["delivered_wh"] == pytest.approx(report["energy_delivered_wh"])
    assert report["uncontrolled"]["solar_wh"] == pytest.approx(report["solar_wh"])
    assert report["uncontrolled"]["peak_site_w"] == pytest.approx(report["peak_site_w"])
    assert report["limit_violations"] == len(report["violations"]) > 0, "two cars at once are above this limit"
    assert report["solar_wh"] + report["grid_wh"] == pytest.approx(report["energy_delivered_wh"], abs=0.2)
    assert len(report["series"]) == 12 * 60
    booked = sum(commuter["announces"] == "booking" for commuter in prepared["commuters"])
    assert report["bookings"] == {"made": booked, "refused": 0}


async def test_bad_requests_are_answered_with_an_error_and_the_child_goes_on() -> None:
    async with child_process() as child:
        for line, word in (
            (b"nonsense", "JSON"),
            (b"[1]", "object"),
            (b'{"type": "dance"}', "prepare, setup"),
            (b'{"type": "step", "to": "2019-05-14T07:00:00Z"}', "setup comes first"),
            (b'{"type": "setup"}', "after prepare"),
            (b'{"type": "prepare", "stations": "many"}', "stations must be int"),
            (b'{"type": "prepare", "stations": 0}', "between 1"),
            (b'{"type": "prepare", "day": "1999-01-01"}', "2019-05-01 to 2019-05-31"),
        ):
            answer = await child.ask_raw(line)
            assert answer["type"] == "error"
            assert word in answer["message"]
        prepared = await child.ask("prepare", stations=2, seed=1)
        assert prepared["type"] == "prepared"
        incomplete = {**setup_of(prepared, "ws://127.0.0.1:1", "http://127.0.0.1:1"), "now": "noon"}
        assert (await child.ask("setup", **incomplete))["field"] == "now"


async def test_a_house_that_is_not_there_is_an_error_without_secrets() -> None:
    async with child_process() as child:
        prepared = await child.ask("prepare", stations=2, seed=1)
        answer = await child.ask("setup", **setup_of(prepared, "ws://127.0.0.1:1/ocpp", "http://127.0.0.1:1"))
        assert answer["type"] == "error"
        assert "CP-001 is not online" in answer["message"]
        assert "kkkk" not in answer["message"]


async def test_the_child_ends_cleanly_on_sigterm_and_at_the_end_of_its_input() -> None:
    for how in ("signal", "end of input"):
        async with child_process() as child:
            assert (await child.ask("prepare", stations=2, seed=1))["type"] == "prepared"
            assert child.process.stdin is not None
            if how == "signal":
                child.process.send_signal(signal.SIGTERM)
            else:
                child.process.stdin.close()
            async with asyncio.timeout(TIMEOUT_S):
                assert await child.process.wait() == 0


def simulators(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulators", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


def test_the_commuters_of_a_day_can_be_printed() -> None:
    run = simulators("records", "--stations", "3", "--day", "2019-05-14")
    assert run.returncode == 0
    assert len(json.loads(run.stdout)["stations"]) == 3


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("records", "--day", "1999-01-01"), "2019-05-01 to 2019-05-31"),
        (("records", "--stations", "0"), "between 1"),
        (("records", "--warp", "9"), "--warp"),
        (("station", "--id", "A", "--url", "ws://127.0.0.1:1", "--minutes", "-3"), "positive"),
        (("day",), "pipe"),
        ((), "command"),
    ],
)
def test_wrong_use_is_a_clear_line_and_exit_code_2(arguments: tuple[str, ...], word: str) -> None:
    run = simulators(*arguments)
    assert run.returncode == 2
    assert word in run.stderr
    assert "Traceback" not in run.stderr


async def test_one_station_plugs_in_and_leaves_in_real_time() -> None:
    async with FakeCentral() as central:
        run = await asyncio.to_thread(
            simulators,
            *("station", "--url", central.url, "--id", "SOLO", "--dialect", "ocpp2.0.1", "--minutes", "0.05"),
            SUNSLOT_STATION_KEY="0123456789abcdefghij",
        )
        assert run.returncode == 0, run.stderr
        assert central.complaints == []
        events = [payload["eventType"] for payload in central.payloads("SOLO", "TransactionEvent")]
        assert (events[0], events[-1]) == ("Started", "Ended")
        assert len(json.loads(run.stdout.splitlines()[-1])["transactions"]) == 1
