"""A charge point for tests: raw OCPP-J frames over a real socket, answers to our calls as the test wants them."""

import asyncio
import base64
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from rows import KEY
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

TIMEOUT_S = 10.0
Json = dict[str, Any]


def basic(user: str | bytes, key: bytes) -> str:
    name = user.encode() if isinstance(user, str) else user
    return "Basic " + base64.b64encode(name + b":" + key).decode()


class Charger:
    """`answers` maps an action to its answer (or a function of the payload); None leaves a call unanswered."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.answers: dict[str, Json | Callable[[Json], Json | None] | None] = {}
        self.errors: dict[str, str] = {}
        self.calls: list[tuple[str, Json]] = []
        self.unanswered: list[tuple[str, str]] = []
        self.frames: asyncio.Queue[list] = asyncio.Queue()
        self._numbers = itertools.count(1)
        self._heard = asyncio.Condition()

    async def run(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                frame = json.loads(text)
                if frame[0] != 2:
                    self.frames.put_nowait(frame)
                    continue
                await self._answer(frame[1], frame[2], frame[3])

    async def _answer(self, message_id: str, action: str, payload: Json) -> None:
        async with self._heard:
            self.calls.append((action, payload))
            self._heard.notify_all()
        if action in self.errors:
            await self.send([4, message_id, self.errors[action], "", {}])
            return
        answer = self.answers.get(action, {"status": "Accepted"})
        if callable(answer):
            answer = answer(payload)
        if answer is None:
            self.unanswered.append((message_id, action))
        else:
            await self.send([3, message_id, answer])

    async def send(self, frame: Any) -> None:
        await self.socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def frame(self) -> list:
        """The next answer from the central system."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self.frames.get()

    async def call(self, action: str, payload: Json) -> Json:
        """Send a call and return the payload of its result."""
        message_id = f"m{next(self._numbers)}"
        await self.send([2, message_id, action, payload])
        frame = await self.frame()
        assert frame[:2] == [3, message_id], frame
        return frame[2]

    async def refused(self, action: str, payload: Any) -> str:
        """Send a call and return the code of its error."""
        message_id = f"m{next(self._numbers)}"
        await self.send([2, message_id, action, payload])
        frame = await self.frame()
        assert frame[:2] == [4, message_id], frame
        assert len(frame) == 5
        return frame[2]

    async def heard(self, action: str, count: int = 1) -> list[Json]:
        """Wait until the central system has called this action so often; return the payloads."""
        async with asyncio.timeout(TIMEOUT_S), self._heard:
            await self._heard.wait_for(lambda: sum(each == action for each, _ in self.calls) >= count)
            return [payload for each, payload in self.calls if each == action]

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end of the connection; return code and reason."""
        async with asyncio.timeout(TIMEOUT_S):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def plugged(
    port: int,
    identity: str,
    *subprotocols: str,
    authorization: str | None = "",
    path: str | None = None,
    **options: Any,
) -> AsyncIterator[Charger]:
    """Connect a charger; `authorization` None sends none, "" the right one; with `ssl` over TLS."""
    headers = {"Authorization": authorization or basic(identity, KEY)} if authorization is not None else {}
    where = "wss://localhost" if "ssl" in options else "ws://127.0.0.1"
    async with connect(
        f"{where}:{port}{path or '/ocpp/' + quote(identity, safe='')}",
        subprotocols=list(subprotocols) or None,
        additional_headers=headers,
        open_timeout=TIMEOUT_S,
        close_timeout=2,
        proxy=None,
        **({"compression": None} | options),
    ) as socket:
        charger = Charger(socket)
        reader = asyncio.create_task(charger.run())
        try:
            yield charger
        finally:
            await socket.close()
            await asyncio.wait_for(reader, TIMEOUT_S)
