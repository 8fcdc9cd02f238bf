"""`sunslot tail`: what a station and Sunslot say to each other, one line a message, for people at a terminal.

Talks to the running server's API only. Start reading at `follow`.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import orjson
from rich.console import Console
from rich.text import Text

from app.domain.errors import DatabaseUnavailable, Forbidden, Invalid, NotFound, Unauthenticated

CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 45.0  # the stream says that it is there every 15 s
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
PAGE_COUNT = 500
MOST_SHOWN_COUNT = 5000
MOST_ASKED_COUNT = 200
ACTION_WIDTH = 30
UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, INVALID = 401, 403, 404, 422
SERVER_ERROR = 500
CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4
UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
COLOURS = {"call": "cyan", "result": "", "error": "red", "malformed": "red", "event": "yellow"}


@dataclass(frozen=True, slots=True)
class TailOptions:
    """What to show. `since` None and no `is_following`: the last hour; lines are JSON with `is_json`."""

    station_id: str
    url: str
    token: str
    since: timedelta
    is_following: bool = False
    action: str | None = None
    direction: str | None = None
    errors_only: bool = False
    is_json: bool = False


def read_token(path: Path) -> str:
    """Return the bearer token in a file; raises Invalid."""
    try:
        return path.read_text().strip()
    except OSError as broken:
        raise Invalid(f"cannot read {path} ({broken.strerror})", field="--token-file") from broken


def span_of(text: str) -> timedelta:
    """Return the span that `90s`, `15m`, `2h` or `3d` says; raises Invalid."""
    found = re.fullmatch(r"(\d{1,5})([smhd])", text)
    if found is None:
        raise Invalid("must be a number and one of s, m, h, d, like 15m", field="--since")
    return int(found[1]) * UNITS[found[2]]


async def follow(options: TailOptions, console: Console, now: datetime, zone: tzinfo | None = None) -> None:
    """Print what there is since then, and with `is_following` everything that comes, until cancelled.

    A server that restarts is waited for once something was read from it. Raises Unauthenticated, Forbidden,
    NotFound, Invalid, DatabaseUnavailable.
    """
    try:
        httpx.URL(options.url)
    except httpx.InvalidURL:
        raise Invalid("is not a URL", field="--url") from None
    lines = Lines(options, console, zone)
    timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=SILENCE_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {options.token}"}
    async with httpx.AsyncClient(base_url=options.url, headers=headers, timeout=timeout, trust_env=False) as client:
        try:
            newest_id = await _newest_id(client, options)
            shown = await _recent(client, options, now)
        except httpx.TransportError as broken:
            raise _unreachable(options, broken) from broken
        for frame in shown:
            lines.show(frame)
        if options.is_following:
            await _follow(client, options, lines, shown[-1]["frame_id"] if shown else newest_id)


async def _newest_id(client: httpx.AsyncClient, options: TailOptions) -> int:
    answer = await client.get(_path(options), params={"limit": "1"})
    _check(answer, options)
    return max((int(frame["frame_id"]) for frame in answer.json()["items"]), default=0)


async def _recent(client: httpx.AsyncClient, options: TailOptions, now: datetime) -> list[dict[str, Any]]:
    """Return what there is since then, oldest first; at most the newest 5,000."""
    found: list[dict[str, Any]] = []
    query = _query(options) | {"since": (now - options.since).astimezone(UTC).isoformat(), "limit": str(PAGE_COUNT)}
    while len(found) < MOST_SHOWN_COUNT:
        answer = await client.get(_path(options), params=query)
        _check(answer, options)
        page = answer.json()
        found += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    return found[::-1]


async def _follow(client: httpx.AsyncClient, options: TailOptions, lines: "Lines", last_id: int) -> None:
    pause_s, is_told = FIRST_PAUSE_S, False
    while True:
        query = _query(options) | {"after": str(last_id)}
        try:
            async with client.stream("GET", f"{_path(options)}/stream", params=query) as answer:
                if answer.status_code < SERVER_ERROR:
                    if answer.is_error:
                        await answer.aread()
                    _check(answer, options)
                    async for frame in _frames(answer):
                        if is_told:
                            lines.note("the server is back")
                            is_told = False
                        pause_s = FIRST_PAUSE_S
                        if frame is not None:
                            lines.show(frame)
                            last_id = frame["frame_id"]
        except httpx.TransportError:
            pass
        if not is_told:
            lines.note("the server hung up; trying again (Ctrl-C ends)")
            is_told = True
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def _frames(answer: httpx.Response) -> AsyncIterator[dict[str, Any] | None]:
    """Yield the frames of an event stream, None where the server only says that it is there."""
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            frame: dict[str, Any] = orjson.loads(line.removeprefix("data: "))
            yield frame
        elif line.startswith(":"):
            yield None


def _path(options: TailOptions) -> str:
    return f"/v1/stations/{quote(options.station_id, safe='')}/frames"


def _query(options: TailOptions) -> dict[str, str]:
    query = {"action": options.action, "direction": options.direction}
    if options.errors_only:
        query["errors_only"] = "true"
    return {name: value for name, value in query.items() if value is not None}


def _unreachable(options: TailOptions, broken: httpx.TransportError) -> Invalid:
    why = "does not answer" if isinstance(broken, httpx.TimeoutException) else "cannot be reached"
    return Invalid(f"the server at {options.url} {why}; does `sunslot serve` run there?", field="--url")


def _check(answer: httpx.Response, options: TailOptions) -> None:
    """Raise what an answer's status means, in the words of somebody at a terminal."""
    if answer.is_success:
        return
    if answer.status_code == UNAUTHENTICATED:
        raise Unauthenticated("the server does not know this token (--token-file)")
    if answer.status_code == FORBIDDEN:
        raise Forbidden("this token may not read messages: it takes the role operator or station_admin")
    if answer.status_code == NOT_FOUND:
        raise NotFound(f"there is no station {options.station_id} at {options.url}")
    if answer.status_code >= SERVER_ERROR:
        raise DatabaseUnavailable(f"the server is in trouble ({answer.status_code}); see {options.url}/health/ready")
    detail = answer.json().get("detail") if "json" in answer.headers.get("content-type", "") else ""
    raise Invalid(str(detail or f"the server answered with {answer.status_code}"))


class Lines:
    """Prints frames: time, direction, action, and what it says; a day's first line is preceded by its date."""

    def __init__(self, options: TailOptions, console: Console, zone: tzinfo | None) -> None:
        self._is_json = options.is_json
        self._console = console
        self._zone = zone
        self._day = ""
        self._asked: OrderedDict[str, datetime] = OrderedDict()

    def note(self, text: str) -> None:
        """Say something about the connection, beside the frames."""
        Console(stderr=True).print(f"— {text} —", style="yellow", highlight=False)

    def show(self, frame: Mapping[str, Any]) -> None:
        """Print one frame."""
        if self._is_json:
            self._console.file.write(orjson.dumps(frame).decode() + "\n")
            self._console.file.flush()
            return
        at = datetime.fromisoformat(frame["at"]).astimezone(self._zone)
        if (day := f"{at:%Y-%m-%d (%Z)}") != self._day:
            self._day = day
            self._console.print(Text(f"— {day} —", style="dim"))
        line = Text(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} ", style="dim", no_wrap=True, overflow="ellipsis")
        line.append(f"{arrow(frame)} {frame['action'] or '?':<{ACTION_WIDTH}} ", style=COLOURS.get(frame["kind"], ""))
        line.append(said(frame), style="red" if frame["kind"] in {"error", "malformed"} else "")
        line.append(self._took(frame, at), style="dim")
        if self._console.is_terminal:
            line.truncate(self._console.width, overflow="ellipsis")
        self._console.print(line, soft_wrap=True)

    def _took(self, frame: Mapping[str, Any], at: datetime) -> str:
        """Return how long an answer took, where its call was shown."""
        if frame["kind"] == "call":
            self._asked[frame["message_id"]] = at
            while len(self._asked) > MOST_ASKED_COUNT:
                self._asked.popitem(last=False)
            return ""
        asked_at = self._asked.pop(frame["message_id"], None)
        return "" if asked_at is None else f"  ({(at - asked_at).total_seconds() * 1000:.0f} ms)"


def arrow(frame: Mapping[str, Any]) -> str:
    """Return → for what the station sends, ← for what it gets; an answer's arrow is short."""
    if frame["kind"] == "event":
        return "● "
    is_in = frame["direction"] == "in"
    if frame["kind"] == "call":
        return "─▶" if is_in else "◀─"
    if frame["kind"] == "malformed":
        return "✗▶"
    return " ▸" if is_in else "◂ "


def said(frame: Mapping[str, Any]) -> str:
    """Return what a frame says in short: `name=value` for the parts of its payload; the text where it has none."""
    text = str(frame["text"])
    try:
        parts = orjson.loads(text)
        kind = parts[0] if isinstance(parts, list) else None
        if kind == CALL:
            return " ".join(_flat(parts[3]))
        if kind == CALL_RESULT:
            return " ".join(_flat(parts[2])) or "ok"
        if kind == CALL_ERROR:
            return " ".join(str(part) for part in parts[2:4] if part)
    except (ValueError, IndexError):
        pass
    return " ".join(text.split())


def _flat(value: Any, name: str = "") -> Iterator[str]:
    """Yield `name=value` for every part of a payload; the items of a list are put in brackets."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, str(key))
    elif isinstance(value, list):
        yield f"{name}=[{', '.join(' '.join(_flat(item)) for item in value)}]"
    elif value is not None:
        shown = " ".join(str(value).split()) if isinstance(value, str) else orjson.dumps(value).decode()
        yield f"{name}={shown}" if name else shown
