"""A central system for tests: answers everything, keeps what it got, and checks every payload against the schemas."""

import asyncio
import base64
import itertools
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Self

import jsonschema_rs
import ocpp
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SCHEMAS = Path(ocpp.__file__).parent
FOLDERS = {"ocpp1.6": "v16", "ocpp2.0.1": "v201"}
TIMEOUT_S = 10.0

Json = dict[str, Any]


@cache
def schema(dialect: str, action: str, is_answer: bool) -> Any:
    requests = "" if dialect == "ocpp1.6" else "Request"
    name = f"{action}{'Response' if is_answer else requests}.json"
    text = (SCHEMAS / FOLDERS[dialect] / "schemas" / name).read_text(encoding="utf-8-sig")
    return jsonschema_rs.Draft4Validator(json.loads(text), validate_formats=False)


def complaints(dialect: str, action: str, payload: Json, *, is_answer: bool = False) -> list[str]:
    """Return what the standard's schema has against a payload."""
    return [f"{action}: {error.message}" for error in schema(dialect, action, is_answer).iter_errors(payload)]


class FakeCentral:
    """Accepts and acknowledges; `answers` overrides by action, `errors` holds actions to be answered with an error."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, Json]] = []
        self.complaints: list[str] = []
        self.answers: dict[str, Callable[[Json], Json]] = {}
        self.errors: dict[str, int] = {}
        self.silent: set[str] = set()
        self.boot_statuses: list[str] = []
        self.headers: dict[str, str] = {}
        self.sockets: dict[str, ServerConnection] = {}
        self.connection_count = 0
        self._pending: dict[str, asyncio.Future[Json]] = {}
        self._numbers = itertools.count(1)
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        dialects = [Subprotocol(name) for name in FOLDERS]
        self._server = await serve(self._serve, "127.0.0.1", 0, subprotocols=dialects, ping_interval=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/ocpp"

    def actions(self, identity: str) -> list[str]:
        return [action for who, action, _ in self.received if who == identity]

    def payloads(self, identity: str, action: str) -> list[Json]:
        return [payload for who, what, payload in self.received if (who, what) == (identity, action)]

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        identity = socket.request.path.rsplit("/", 1)[1]
        self.headers[identity] = socket.request.headers.get("Authorization", "")
        self.sockets[identity] = socket
        self.connection_count += 1
        try:
            async for text in socket:
                await self._take(socket, identity, json.loads(text))
        except ConnectionClosed:
            return

    async def _take(self, socket: ServerConnection, identity: str, frame: list[Any]) -> None:
        kind, message_id = frame[0], frame[1]
        if kind != 2:
            waiting = self._pending.pop(message_id)
            waiting.set_result(frame[2] if kind == 3 else {"error": frame[2]})
            return
        action, payload = frame[2], frame[3]
        self.complaints += complaints(str(socket.subprotocol), action, payload)
        self.received.append((identity, action, payload))
        if action in self.silent:
            return
        if self.errors.get(action, 0) > 0:
            self.errors[action] -= 1
            await socket.send(json.dumps([4, message_id, "InternalError", "", {}]))
            return
        answer = self.answers.get(action, self._answer(action))(payload)
        await socket.send(json.dumps([3, message_id, answer]))

    def _answer(self, action: str) -> Callable[[Json], Json]:
        accepted = {"status": "Accepted"}
        plain: dict[str, Callable[[Json], Json]] = {
            "BootNotification": self._boot,
            "Heartbeat": lambda _: {"currentTime": "2019-05-14T00:00:00Z"},
            "Authorize": lambda p: {"idTagInfo": accepted} if "idTag" in p else {"idTokenInfo": accepted},
            "StartTransaction": lambda _: {"transactionId": next(self._numbers), "idTagInfo": accepted},
            "StopTransaction": lambda _: {"idTagInfo": accepted},
            "TransactionEvent": lambda p: {"idTokenInfo": accepted} if "idToken" in p else {},
        }
        return plain.get(action, lambda _: {})

    def _boot(self, _: Json) -> Json:
        status = self.boot_statuses.pop(0) if self.boot_statuses else "Accepted"
        return {"status": status, "currentTime": "2019-05-14T00:00:00Z", "interval": 300}

    async def call(self, identity: str, action: str, payload: Json) -> Json:
        """Call a station; an error frame comes back as {"error": code}."""
        socket, message_id = self.sockets[identity], f"central-{next(self._numbers)}"
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._pending[message_id] = future
        await socket.send(json.dumps([2, message_id, action, payload]))
        async with asyncio.timeout(TIMEOUT_S):
            answer = await future
        if "error" not in answer:
            self.complaints += complaints(str(socket.subprotocol), action, answer, is_answer=True)
        return answer


def credentials(header: str) -> str:
    """Return user:password of a Basic header."""
    return base64.b64decode(header.removeprefix("Basic ")).decode()
