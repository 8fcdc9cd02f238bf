"""What comes in over one socket, at a bounded pace: answers go to their waiters at once, calls wait for their turn.

Nothing is refused for being too much; reading just stops, and the station's own socket fills up:
- Calls that were sent without waiting for answers (a replay after an outage, by a sloppy station) queue up to a bound.
  Up to that bound answers to our calls overtake them. At the bound reading stops until one was answered; a call of ours
  whose answer is stuck behind them times out, which the limit ledger takes for unknown (rule R5), that is: safe.
- Beyond the rate bound every message waits. Only a station that keeps on for long is closed with 1008.
- Our pings are answered behind all of that, so any message counts as the answer to one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from websockets.exceptions import ConnectionClosed

from app.domain.clock import Clock
from app.ocpp_central.calls import StationCalls
from app.ocpp_central.frame_log import StationFrames
from app.ocpp_central.options import CentralOptions
from app.ocpp_central.rate import RateBound
from app.ocpp_central.rpc import Call, CallError, CallResult, Malformed, parse

NORMAL, POLICY, INTERNAL, TRY_AGAIN_LATER = 1000, 1008, 1011, 1013


class Socket(Protocol):
    """What a session needs of a WebSocket."""

    async def recv(self) -> str | bytes:
        """Return the next message; raises ConnectionClosed."""
        ...

    async def send(self, message: str) -> None:
        """Send a text message; raises ConnectionClosed."""
        ...

    async def ping(self) -> Awaitable[float]:
        """Send a ping; return what waits for its pong. Raises ConnectionClosed."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close, within a bounded time."""
        ...


class Over(Exception):
    """The session ends; how to close the socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Received:
    """A call (or a malformed frame) waiting for its turn; `hold` keeps business time until it is closed."""

    frame: Call | Malformed
    received_at: datetime
    hold: ExitStack


class Reader:
    """The receiving half of a connection. `count` is told what is odd."""

    def __init__(
        self,
        socket: Socket,
        calls: StationCalls,
        frames: StationFrames,
        clock: Clock,
        options: CentralOptions,
        count: Callable[[str], None],
    ) -> None:
        self._socket = socket
        self._calls = calls
        self._frames = frames
        self._clock = clock
        self._options = options
        self._count = count
        self._inbox: asyncio.Queue[Received] = asyncio.Queue(options.max_queue_count)
        self._rate = RateBound(options.message_rate_per_s, options.message_burst_count, options.flood_patience_s)
        self._heard_count = 0
        self._is_full = False

    async def run(self) -> None:
        """Read until the connection is over; raises Over."""
        try:
            while True:
                text = await self._socket.recv()
                self._heard_count += 1
                await self._keep_pace()
                frame = parse(text)
                self._frames.heard(text, frame)
                await self._take(frame)
        except ConnectionClosed:
            raise Over(NORMAL, "") from None

    async def next(self) -> Received:
        """Return the next call or malformed frame."""
        return await self._inbox.get()

    def close(self) -> None:
        """Let go of what was not answered."""
        while not self._inbox.empty():
            self._inbox.get_nowait().hold.close()

    async def _keep_pace(self) -> None:
        now_s = time.monotonic()
        pause_s = self._rate.pause_s(now_s, self._clock.now())
        if not pause_s:
            return
        self._count("slowed_down")
        if self._rate.is_flooding(now_s):
            raise Over(POLICY, "too many messages for too long")
        await asyncio.sleep(pause_s)

    async def _take(self, frame: Call | CallResult | CallError | Malformed) -> None:
        if isinstance(frame, CallResult | CallError):
            if not self._calls.settle(frame):
                self._count("unsolicited_answer")
            return
        if self._inbox.full():
            self._count("too_many_calls_at_once")
        hold = ExitStack()
        hold.enter_context(self._clock.hold())
        self._is_full = True
        try:
            await self._inbox.put(Received(frame, self._clock.now(), hold))
        except asyncio.CancelledError:
            hold.close()
            raise
        finally:
            self._is_full = False

    async def keep_alive(self) -> None:
        """Ping the station; one that answers nothing and sends nothing for a while is gone. Raises Over."""
        try:
            while True:
                await asyncio.sleep(self._options.ping_interval_s)
                heard_count = self._heard_count
                pong = await self._socket.ping()
                try:
                    async with asyncio.timeout(self._options.ping_timeout_s):
                        await pong
                except TimeoutError:
                    if self._heard_count == heard_count and not self._is_full:
                        raise Over(INTERNAL, "keepalive ping timeout") from None
        except ConnectionClosed:
            raise Over(NORMAL, "") from None
