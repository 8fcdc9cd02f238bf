"""The demo's child process: one JSON object per line in, one back; nothing else on stdout.

prepare → setup → (step → act)* → finish. `step` lets time pass up to the first second at which something has to be
sent, `act` sends it and waits for the answers: in between, the parent moves its own clock to the same second.
"""

import asyncio
import ctypes
import logging
import os
import signal
import stat
import sys
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO

import orjson

from simulators.clock import seconds_of
from simulators.prepared import PreparedDay, Unknown, local_text, prepare
from simulators.report import report_of
from simulators.theatre import Setup, Theatre

logger = logging.getLogger(__name__)

LINE_LIMIT_BYTES = 4 << 20
SETTLE_TIMEOUT_S = 60.0
PR_SET_PDEATHSIG = 1

Request = dict[str, Any]


class BadRequest(ValueError):
    """A request that cannot be meant; `field` names what is wrong with it."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


def _field(request: Request, name: str, *kinds: type, default: Any = ...) -> Any:
    value = request.get(name, default)
    if value is ...:
        raise BadRequest(f"{name} is missing", name)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise BadRequest(f"{name} must be {' or '.join(kind.__name__ for kind in kinds)}, not {value!r}", name)
    return value


def _instant_s(request: Request, name: str) -> int:
    text = _field(request, name, str)
    try:
        return seconds_of(text)
    except ValueError:
        raise BadRequest(f"{name} must be an ISO 8601 time, not {text!r}", name) from None


class DayChild:
    """Answers the parent's requests; `tasks` owns the stations' links."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._day: PreparedDay | None = None
        self._seed = 0
        self._theatre: Theatre | None = None
        self._links: asyncio.Task[None] | None = None
        self._handlers: dict[str, Callable[[Request], Awaitable[Request]]] = {
            "prepare": self._prepare,
            "setup": self._setup,
            "step": self._step,
            "act": self._act,
            "finish": self._finish,
        }

    async def answer(self, line: bytes) -> Request:
        """Return the answer to one line; bad input and whatever fails outside is an answer of type error."""
        try:
            request = orjson.loads(line)
            if not isinstance(request, dict):
                raise BadRequest("a request is a JSON object")
            handler = self._handlers.get(str(request.get("type")))
            if handler is None:
                raise BadRequest(f"type must be one of {', '.join(self._handlers)}", "type")
            return await handler(request)
        except (BadRequest, Unknown) as bad:
            return {"type": "error", "message": str(bad), "field": bad.field}
        except orjson.JSONDecodeError as bad:
            return {"type": "error", "message": f"not JSON: {bad}"}
        except TimeoutError:
            return {"type": "error", "message": "the house did not answer in time"}
        except OSError as broken:
            return {"type": "error", "message": str(broken)}

    def _playing(self) -> Theatre:
        if self._theatre is None:
            raise BadRequest("setup comes first", "type")
        return self._theatre

    async def _prepare(self, request: Request) -> Request:
        if self._theatre is not None:
            raise BadRequest("the day is already set up", "type")
        self._seed = _field(request, "seed", int, default=7)
        self._day = prepare(
            _field(request, "stations", int, default=20),
            self._seed,
            _field(request, "day", str, type(None), default=None),
            as_recorded=_field(request, "as_recorded", bool, default=False),
            surplus_ratio=float(_field(request, "surplus_ratio", int, float, default=1.5)),
            attendance_share=float(_field(request, "attendance_share", int, float, default=1.0)),
        )
        return {"type": "prepared", **self._day.told()}

    async def _setup(self, request: Request) -> Request:
        if self._day is None or self._theatre is not None:
            raise BadRequest("setup comes once, after prepare", "type")
        theatre = Theatre(
            self._day,
            Setup(
                central_url=_field(request, "central_url", str),
                api_url=_field(request, "api_url", str),
                site_id=_field(request, "site_id", str),
                site_limit_w=float(_field(request, "site_limit_w", int, float)),
                station_keys=_field(request, "station_keys", dict),
                meter_token=_field(request, "meter_token", str),
                driver_tokens=_field(request, "driver_tokens", dict),
                now_s=_instant_s(request, "now"),
                meter_interval_s=_field(request, "meter_interval_s", int, default=60),
                outages=_field(request, "outages", int, default=0),
                seed=self._seed,
            ),
        )
        self._theatre = theatre
        self._links = self._tasks.create_task(theatre.park.run_links())
        await theatre.open()
        return {"type": "ready", "state": theatre.park.state()}

    async def _step(self, request: Request) -> Request:
        theatre, to_s = self._playing(), _instant_s(request, "to")
        if to_s < theatre.clock.now_s:
            raise BadRequest("business time cannot run backwards", "to")
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            await theatre.park.settled()
        has_events = theatre.park.advance(to_s)
        return {"type": "stepped", "at": local_text(theatre.clock.now_s), "has_events": has_events}

    async def _act(self, request: Request) -> Request:  # noqa: ARG002 - every handler takes the request
        theatre = self._playing()
        await theatre.park.act()
        return {"type": "acted", "state": theatre.park.state()}

    async def _finish(self, request: Request) -> Request:  # noqa: ARG002 - every handler takes the request
        theatre = self._playing()
        await theatre.park.act()
        return {"type": "report", **report_of(theatre)}

    async def close(self) -> None:
        """Hang up and end the links."""
        if self._links is not None:
            self._links.cancel()
        if self._theatre is not None:
            await self._theatre.close()


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends (Linux); elsewhere the end of stdin does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def serve(reader: asyncio.StreamReader, out: BinaryIO) -> None:
    """Answer line by line until the input ends; waiting for the parent is the only wait without a timeout."""
    async with asyncio.TaskGroup() as tasks:
        child = DayChild(tasks)
        try:
            while line := await reader.readline():
                out.write(orjson.dumps(await child.answer(line)) + b"\n")
                out.flush()
        finally:
            await child.close()


async def run() -> None:
    """Serve stdin and stdout until the end of input or SIGTERM; raises ValueError when stdin is not a pipe."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        raise ValueError("day takes its requests from a pipe")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    serving = asyncio.ensure_future(serve(reader, sys.stdout.buffer))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        logger.info("ended by a signal")
    except BrokenPipeError:
        logger.info("the parent has gone")
