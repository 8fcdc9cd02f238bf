"""uvicorn inside our own loop: it neither owns the signals nor the sockets' lifetime."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from app.domain.errors import Invalid

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10


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
async def serve_http(app: Any, host: str, port: int) -> AsyncIterator[int]:
    """Serve an ASGI app and yield the port; raises Invalid when the port cannot be had."""
    listener = bind(host, port, setting="SUNSLOT_HTTP_PORT")
    config = uvicorn.Config(
        app,
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
