"""A station's WebSocket: OCPP-J frames, basic auth, one outstanding call of ours, everything with a real timeout."""

import asyncio
import base64
import itertools
import logging
from typing import Any
from urllib.parse import quote

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from simulators.messages import Call, Fault, Payload
from simulators.station import Station

logger = logging.getLogger(__name__)

CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4
CALL_LENGTH = 4
OPEN_TIMEOUT_S = 15.0
CALL_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0
MAX_FRAME_BYTES = 1 << 20


class LineLost(Exception):
    """The connection is gone."""


class Refused(Exception):
    """The central system answered a call with an error frame."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Link:
    """Keeps one station connected; `run` owns the socket, the station decides when to try again.

    `idle` is set while nothing is outstanding: no handshake, no call of ours, nothing that could be sent now.
    `key` None connects without credentials (security profile 0).
    """

    def __init__(
        self, station: Station, central_url: str, key: str | None, *, call_timeout_s: float = CALL_TIMEOUT_S
    ) -> None:
        self.station = station
        self.key = key
        self.is_up = False
        self.trouble: str | None = None
        self.idle = asyncio.Event()
        self.idle.set()
        self._url = f"{central_url.rstrip('/')}/{quote(station.identity, safe='')}"
        self._call_timeout_s = call_timeout_s
        self._wanted = asyncio.Event()
        self._stirred = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._numbers = itertools.count(1)
        self._answer: tuple[str, asyncio.Future[Payload]] | None = None
        station.line = self

    def wake(self) -> None:
        """There may be something to send."""
        if self.is_up:
            self.idle.clear()
            self._stirred.set()

    def connect(self) -> None:
        """Try to connect now (nothing happens while connected)."""
        if not self.is_up:
            self.idle.clear()
            self._wanted.set()

    def abort(self) -> None:
        """Drop the connection without a word, as a dead cable does."""
        if self._socket is not None and self.is_up:
            self.is_up = False
            self.idle.clear()
            self._socket.transport.abort()

    async def run(self) -> None:
        """Connect whenever the station wants to, and talk until the line is lost; ends only by cancellation."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                socket = await self._open()
            except (OSError, InvalidHandshake, InvalidURI, TimeoutError, ConnectionClosed, EOFError) as error:
                self.trouble = f"{type(error).__name__}: {error}"
                logger.warning("%s cannot connect: %s", self.station.identity, self.trouble)
            else:
                await self._converse(socket)
            self.is_up = False
            self.station.lost()
            self.idle.set()

    async def _open(self) -> ClientConnection:
        headers = {}
        if self.key is not None:
            secret = base64.b64encode(f"{self.station.identity}:{self.key}".encode()).decode()
            headers["Authorization"] = f"Basic {secret}"
        socket = await connect(
            self._url,
            subprotocols=[Subprotocol(self.station.dialect.subprotocol)],
            additional_headers=headers,
            compression=None,
            proxy=None,
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_FRAME_BYTES,
        )
        if socket.subprotocol != self.station.dialect.subprotocol:
            await socket.close(1002, "no common subprotocol")
            raise ConnectionError(f"the central system does not speak {self.station.dialect.subprotocol}")
        return socket

    async def _converse(self, socket: ClientConnection) -> None:
        self._socket, self.is_up, self.trouble = socket, True, None
        try:
            self.station.connected()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(socket))
                tasks.create_task(self._pump(socket))
        except* LineLost as lost:
            self.trouble = str(lost.exceptions[0])
        finally:
            self._socket = None
            socket.transport.abort()

    async def _pump(self, socket: ClientConnection) -> None:
        while True:
            call = self.station.outbox.next(self.station.clock.now_s, self.station.is_accepted)
            if call is not None:
                await self._deliver(socket, call)
                continue
            if not self._stirred.is_set():
                self.idle.set()
            await self._stirred.wait()
            self._stirred.clear()

    async def _deliver(self, socket: ClientConnection, call: Call) -> None:
        try:
            answer = await self._call(socket, call)
            self.station.acknowledged(call, answer)
        except Refused as refused:
            self.station.refused(call, refused.code)
        except (KeyError, TypeError, ValueError) as odd:
            logger.warning("%s: odd answer to %s: %r", self.station.identity, call.action, odd)
            if call.is_boot and call.on_failed is not None:
                call.on_failed(False)
        except TimeoutError:
            self.station.refused(call, "no answer in time")
            raise LineLost(f"no answer to {call.action} in time") from None

    async def _call(self, socket: ClientConnection, call: Call) -> Payload:
        message_id = f"{self.station.identity}-{next(self._numbers)}"[-36:]
        future: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self._answer = (message_id, future)
        try:
            await self._send(socket, [CALL, message_id, call.action, call.spell()])
            self.station.sent()
            async with asyncio.timeout(self._call_timeout_s):
                return await future
        finally:
            self._answer = None

    async def _send(self, socket: ClientConnection, frame: list[Any]) -> None:
        try:
            async with asyncio.timeout(self._call_timeout_s):
                await socket.send(orjson.dumps(frame), text=True)
        except ConnectionClosed as closed:
            raise LineLost(str(closed)) from closed
        except TimeoutError:
            raise LineLost("the central system does not read") from None

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                await self._take(socket, text)
        except ConnectionClosed as closed:
            raise LineLost(str(closed)) from closed
        raise LineLost("closed by the central system")

    async def _take(self, socket: ClientConnection, text: str | bytes) -> None:
        try:
            kind, message_id, *rest = orjson.loads(text)
            if kind == CALL:
                action, payload = rest
                await self._answer_to(socket, str(message_id), str(action), payload)
            elif kind in {CALL_RESULT, CALL_ERROR}:
                self._settle(kind, message_id, rest)
        except (ValueError, TypeError, IndexError):
            logger.warning("%s: ignored a malformed frame of %d characters", self.station.identity, len(text))

    def _settle(self, kind: int, message_id: Any, rest: list[Any]) -> None:
        if self._answer is None or self._answer[0] != message_id or self._answer[1].done():
            logger.warning("%s: ignored an answer nobody waits for", self.station.identity)
        elif kind == CALL_RESULT and isinstance(rest[0], dict):
            self._answer[1].set_result(rest[0])
        else:
            self._answer[1].set_exception(Refused(str(rest[0]) if kind == CALL_ERROR else "a result without payload"))

    async def _answer_to(self, socket: ClientConnection, message_id: str, action: str, payload: Any) -> None:
        try:
            frame: list[Any] = [CALL_RESULT, message_id, self.station.answer(action, payload)]
        except Fault as fault:
            frame = [CALL_ERROR, message_id, fault.code, fault.description, {}]
        await self._send(socket, frame)
        self.station.after_answer()

    async def close(self) -> None:
        """Say goodbye, within a bounded time."""
        if self._socket is not None:
            await self._socket.close()
