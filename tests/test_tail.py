"""What `sunslot tail` prints."""

import asyncio
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from app.domain.errors import Invalid, NotFound
from app.runtime.http import serve_http
from app.tail import Lines, TailOptions, follow, said, span_of

AT = datetime(2026, 4, 1, 7, 0, 0, 512_000, tzinfo=UTC)


def frame(number, kind="call", direction="in", action="Heartbeat", text=None, message_id="m"):
    return {
        "frame_id": number,
        "at": (AT + timedelta(milliseconds=number)).isoformat(),
        "direction": direction,
        "kind": kind,
        "action": action,
        "message_id": message_id,
        "text": text or json.dumps([2, "m", action, {}]),
    }


def options(**changes):
    return TailOptions("cp1", **({"url": "http://127.0.0.1:1", "token": "t", "since": timedelta(hours=1)} | changes))


def printed(*frames, **changes):
    out = io.StringIO()
    lines = Lines(options(**changes), Console(file=out, width=100), UTC)
    for each in frames:
        lines.show(each)
    return out.getvalue().splitlines()


def test_a_line_says_when_who_what_and_how_long_an_answer_took():
    status = '[2,"m","StatusNotification",{"connectorId":1,"status":"Charging","errorCode":"NoError"}]'
    assert printed(
        frame(0, action="StatusNotification", text=status),
        frame(40, "result", "out", "StatusNotification", '[3,"m",{}]'),
        frame(50, "call", "out", "Reset", '[2,"r","Reset",{"type":"Soft"}]', "r"),
        frame(60, "error", "in", "Reset", '[4,"r","InternalError","no",{}]', "r"),
        frame(70, "malformed", "in", "frame", "nonsense\n  here"),
        frame(80, "event", "in", "closed", "1000"),
    ) == [
        "— 2026-04-01 (UTC) —",
        "07:00:00.512 ─▶ StatusNotification             connectorId=1 status=Charging errorCode=NoError",
        "07:00:00.552 ◂  StatusNotification             ok  (40 ms)",
        "07:00:00.562 ◀─ Reset                          type=Soft",
        "07:00:00.572  ▸ Reset                          InternalError no  (10 ms)",
        "07:00:00.582 ✗▶ frame                          nonsense here",
        "07:00:00.592 ●  closed                         1000",
    ]


def test_a_terminal_gets_one_line_a_frame_however_long_it_is():
    out = io.StringIO()
    text = json.dumps([2, "m", "DataTransfer", {"data": "x" * 500}])
    Lines(options(), Console(file=out, width=80, force_terminal=True, color_system=None), UTC).show(frame(0, text=text))
    assert all(len(line) <= 80 for line in out.getvalue().splitlines())


def test_lists_and_what_was_cut_are_readable():
    values = {"meterValue": [{"sampledValue": [{"value": "7", "unit": "Wh"}, {"value": 1.5}]}]}
    assert said(frame(0, text=json.dumps([2, "m", "MeterValues", values]))) == (
        "meterValue=[sampledValue=[value=7 unit=Wh, value=1.5]]"
    )
    assert said(frame(0, text='[2,"m","X",{"a":1 … (9 more characters)')) == '[2,"m","X",{"a":1 … (9 more characters)'


def test_json_lines_are_the_frames_themselves():
    (line,) = printed(frame(1), is_json=True)
    assert json.loads(line) == frame(1)


@pytest.mark.parametrize(("text", "span"), [("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259_200)])
def test_spans_are_a_number_and_a_unit(text, span):
    assert span_of(text) == timedelta(seconds=span)


@pytest.mark.parametrize("text", ["", "1y", "h", "-1h", "1.5h", "9999999d"])
def test_other_spans_are_refused(text):
    with pytest.raises(Invalid):
        span_of(text)


async def test_a_server_that_does_not_run_is_one_clear_error():
    with pytest.raises(Invalid, match=r"http://127.0.0.1:1 cannot be reached"):
        await follow(options(), Console(file=io.StringIO()), AT)


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:port", "ftp://127.0.0.1", "nothing"])
async def test_an_address_that_cannot_be_meant_is_one_clear_error(url):
    with pytest.raises(Invalid) as refused:
        await follow(replace(options(), url=url), Console(file=io.StringIO()), AT)
    assert refused.value.field == "--url"


class Server:
    """Answers like the API: one page, then streams that end after each frame."""

    def __init__(self):
        self.asked = []

    async def __call__(self, scope, receive, send):
        query = scope["query_string"].decode()
        self.asked.append((scope["path"], query))
        status, kind, body = 200, b"application/json", json.dumps({"items": [frame(1)], "next_cursor": None})
        if "nobody" in scope["path"]:
            status, body = 404, "{}"
        elif scope["path"].endswith("/stream"):
            number = int(query.partition("after=")[2]) + 1
            kind, body = b"text/event-stream", f": here\n\nid: {number}\ndata: {json.dumps(frame(number))}\n\n"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": body.encode()})


async def test_following_goes_on_where_it_was_after_the_server_hung_up(monkeypatch):
    monkeypatch.setattr("app.tail.FIRST_PAUSE_S", 0.01)
    server, out = Server(), io.StringIO()
    async with serve_http(server, "127.0.0.1", 0) as port:
        wanted = options(url=f"http://127.0.0.1:{port}", is_following=True, is_json=True, errors_only=True)
        following = asyncio.create_task(follow(wanted, Console(file=out), AT))
        async with asyncio.timeout(10):
            while out.getvalue().count("\n") < 4:  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.01)
        following.cancel()
        await asyncio.wait({following})
        with pytest.raises(NotFound, match="no station nobody"):
            await follow(TailOptions("nobody", wanted.url, "t", timedelta(hours=1)), Console(file=out), AT)
    shown = [json.loads(line)["frame_id"] for line in out.getvalue().splitlines()]
    assert shown[:4] == [1, 2, 3, 4]
    assert all("errors_only=true" in query for path, query in server.asked if path.endswith("/stream"))
