"""The raw message log over HTTP."""

import asyncio
import json
from datetime import timedelta

import pytest
from rows import MORNING

from app.operations import frames
from app.operations.frames import LoggedFrame

pytestmark = pytest.mark.database

FRAMES = "/v1/stations/one/frames"


def frame(number, **changes):
    values = {
        "station_id": "one",
        "at": MORNING + timedelta(seconds=number),
        "direction": "in",
        "kind": "call",
        "action": "Heartbeat",
        "message_id": f"m{number}",
        "text": f'[2,"m{number}","Heartbeat",{{}}]',
    }
    return LoggedFrame(**(values | changes))


@pytest.fixture
async def talk(site, transactions):
    """Six frames of the station `one`, and one of `two`."""
    async with transactions() as tx:
        await frames.record(
            tx,
            [
                frame(0),
                frame(1, direction="out", kind="result", message_id="m0"),
                frame(2, action="Authorize", text='[2,"m2","Authorize",{"idTag":"…100%"}]'),
                frame(3, direction="out", kind="error", action="Authorize", message_id="m2"),
                frame(4, kind="malformed", action="frame", message_id="-1", text="nonsense_"),
                frame(5, kind="event", action="closed", message_id="", text="1000"),
                frame(9, station_id="two"),
            ],
        )


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [5, 4, 3, 2, 1, 0]),
        ("?direction=out", [3, 1]),
        ("?kind=event", [5]),
        ("?action=Authorize", [3, 2]),
        ("?message_id=m0", [1, 0]),
        ("?errors_only=true", [4, 3]),
        ("?contains=AUTHORIZE", [2]),
        ("?contains=%25", [2]),
        ("?contains=_", [4]),
        ("?since=2026-04-01T07:00:02Z&until=2026-04-01T07:00:04Z", [3, 2]),
        ("?limit=2", [5, 4]),
    ],
)
async def test_frames_are_listed_newest_first_as_asked(operator, talk, query, numbers):
    listed = await operator.ok("GET", FRAMES + query)
    assert [int(item["at"][17:19]) for item in listed["items"]] == numbers


async def test_pages_follow_each_other(operator, talk):
    first = await operator.ok("GET", f"{FRAMES}?limit=4")
    second = await operator.ok("GET", f"{FRAMES}?limit=4&cursor={first['next_cursor']}")
    assert [int(item["at"][17:19]) for item in first["items"] + second["items"]] == [5, 4, 3, 2, 1, 0]
    assert second["next_cursor"] is None


async def test_a_station_that_is_not_there_is_404_for_list_and_stream(operator, site):
    for path in ("/v1/stations/nobody/frames", "/v1/stations/nobody/frames/stream"):
        assert (await operator.send("GET", path)).status_code == 404


@pytest.mark.parametrize("query", ["direction=up", "kind=odd", "contains=", f"contains={'x' * 101}", "since=yesterday"])
async def test_what_cannot_be_meant_is_422(operator, site, query):
    assert (await operator.send("GET", f"{FRAMES}?{query}")).status_code == 422


def data(body):
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: ")]


async def test_a_stream_begins_where_it_is_told_and_ends_with_the_house(operator, talk, context, transactions):
    listed = await operator.ok("GET", f"{FRAMES}?limit=3")
    after = listed["items"][2]["frame_id"]
    stream = asyncio.create_task(operator.send("GET", f"{FRAMES}/stream?after={after}&errors_only=true"))
    await asyncio.sleep(0.2)
    async with transactions() as tx:
        await frames.record(tx, [frame(6), frame(7, kind="error"), frame(8, station_id="two", kind="error")])
    await asyncio.sleep(1.2)
    context.closing.set()
    async with asyncio.timeout(10):
        answer = await stream
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [int(item["at"][17:19]) for item in data(answer.text)] == [4, 7]
    assert f"id: {data(answer.text)[-1]['frame_id']}\n" in answer.text
    context.closing.clear()
    context.closing.set()
    again = await operator.send("GET", f"{FRAMES}/stream")
    assert data(again.text) == []


async def test_no_more_streams_than_the_bound(operator, talk, context):
    for _ in range(32):
        await context.streams.acquire()
    answer = await operator.send("GET", f"{FRAMES}/stream")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "too many streams are open"
