"""uvicorn inside our own loop: it neither owns the signals nor the sockets' lifetime."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.domain.errors import Invalid

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10
MOST_CONNECTIONS_COUNT = 400
HEAD_TIMEOUT_S = 10.0


class _Connection(H11Protocol):
    """A connection that may not hold a place without asking for anything: uvicorn itself waits for ever.

    One whose request's head has not come within `head_timeout_s` (after the accept, or after the last answer) is hung
    up on; where places run out, the one that has said nothing for longest goes at once, never the newcomer.
    """

    def __init__(self, *args: Any, head_timeout_s: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_timeout_s = head_timeout_s
        self._silent_since_s = self.loop.time()
        self._seen: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection was accepted; somebody else's may be hung up for it."""
        super().connection_made(transport)
        self._look()
        if len(self.connections) > MOST_CONNECTIONS_COUNT:
            others = [each for each in self.connections if isinstance(each, _Connection) and each is not self]
            silent = [each for each in others if each.is_silent]
            if silent:
                min(silent, key=lambda each: each._silent_since_s).hang_up()

    @property
    def is_silent(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def hang_up(self) -> None:
        """End the connection without a word."""
        self.connections.discard(self)
        self.transport.abort()

    def _look(self) -> None:
        """Look again and again whether a whole period has passed without a request."""
        if self.transport.is_closing():
            return
        now_s = self.loop.time()
        if not self.is_silent or self.cycle is not self._seen:
            self._silent_since_s, self._seen = now_s, self.cycle
        elif now_s - self._silent_since_s >= self._head_timeout_s:
            self.hang_up()
            return
        self.loop.call_later(self._head_timeout_s / 2, self._look)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever runs the house."""
        yield


def bind(host: str, port: int, *, setting: str) -> socket.socket:
    """Return a listening socket; raises Invalid naming the setting when the port is taken or the host is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), backlog=2048, family=family)
    except OSError as broken:
        raise Invalid(f"cannot listen on {host}:{port} ({broken.strerror or broken})", field=setting) from broken
    listener.setblocking(False)
    return listener


@asynccontextmanager
async def serve_http(app: Any, host: str, port: int, head_timeout_s: float = HEAD_TIMEOUT_S) -> AsyncIterator[int]:
    """Serve an ASGI app and yield the port; raises Invalid when the port cannot be had."""
    listener = bind(host, port, setting="SUNSLOT_HTTP_PORT")
    config = uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(_Connection, head_timeout_s=head_timeout_s)),
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        limit_concurrency=500,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not server.started:
                if serving.done():
                    raise RuntimeError("the HTTP server ended while starting")
                await asyncio.sleep(0.02)
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await asyncio.wait({serving}, timeout=STOP_TIMEOUT_S + 20)
        listener.close()
