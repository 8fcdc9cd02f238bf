"""A bound on request bodies, answered like every other error (FastAPI's own bound answers in plain text)."""

import asyncio
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY_BYTES = 256 * 1024
BODY_TIMEOUT_S = 30.0


class BodyLimit:
    """ASGI middleware: reading more than the bound, or what is announced as more, raises HTTPException 413.

    A body that is not complete in time raises HTTPException 408: bodies are read before their sender is known.
    """

    def __init__(self, app: ASGIApp, timeout_s: float = BODY_TIMEOUT_S) -> None:
        self._app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body bounded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read_bytes = 0
        announced_bytes = _announced_bytes(scope)
        ends_s: float | None = asyncio.get_running_loop().time() + self._timeout_s

        async def bounded() -> Message:
            nonlocal read_bytes, ends_s
            if announced_bytes > LARGEST_BODY_BYTES:
                raise _too_large()
            try:
                async with asyncio.timeout_at(ends_s):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time") from None
            if not message.get("more_body", False):
                ends_s = None
            read_bytes += len(message.get("body", b""))
            if read_bytes > LARGEST_BODY_BYTES:
                raise _too_large()
            return message

        await self._app(scope, bounded, send)


def _announced_bytes(scope: Scope) -> int:
    """What Content-Length says; 0 where it says nothing readable (the server checks it against the body)."""
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(values[0]) if values and values[0].isdigit() else 0


def _too_large() -> HTTPException:
    return HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {LARGEST_BODY_BYTES // 1024} KiB"
    )
