"""The message log's writing side: sessions note frames in memory, one writer stores them behind the messages.

Noting never waits and never fails: where the queue is full or the database is away, frames are dropped and counted,
and the station's log says how many. The writer takes secrets out just before it stores a frame (see `redaction`), so
that no answer waits for that. Nothing else sees the queue: who reads or follows the log reads the table.
"""

import asyncio
import contextlib
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.domain.clock import Clock
from app.domain.errors import DatabaseUnavailable
from app.ocpp_central.redaction import bounded, redacted
from app.ocpp_central.rpc import Call, CallError, CallResult, Frame, Malformed
from app.operations import frames
from app.operations.frames import LoggedFrame
from app.operations.transaction import Transactions

log = structlog.get_logger()

CAPACITY_COUNT = 10_000
MOST_CHARACTERS_COUNT = 32 * 2**20
REDACTED_AT_ONCE_COUNT = 20
CHARACTERS_AT_ONCE_COUNT = 64 * 1024
MOST_TOGETHER_COUNT = 500
PATIENCE_S = 0.5
PAUSE_S = 5.0
LAST_WRITE_S = 2.0
TRIM_EVERY_COUNT = 500
MOST_TRIMMED_COUNT = 20
MOST_ASKED_COUNT = 64


@dataclass(slots=True, repr=False)
class Noted:
    """A frame as it went over the wire, secrets and all: never stored, shown or logged like this."""

    station_id: str
    at: datetime
    direction: str
    kind: str
    action: str
    message_id: str
    text: str | bytes

    def redacted(self) -> LoggedFrame:
        """Return what may be stored."""
        shown = bounded(str(self.text)) if self.kind == "event" else redacted(self.text)
        return LoggedFrame(self.station_id, self.at, self.direction, self.kind, self.action, self.message_id, shown)


class FrameLog:
    """The queue and its writer, which works while `writing()` lasts. `keep_count` frames of a station stay; 0: none."""

    def __init__(self, transactions: Transactions, keep_count: int) -> None:
        self._transactions = transactions
        self._keep_count = keep_count
        self._queue: deque[Noted] = deque()
        self._queued_count = 0  # characters
        self._some = asyncio.Event()
        self._missed: Counter[str] = Counter()
        self._untrimmed: Counter[str] = Counter()

    def of(self, station_id: str) -> "StationFrames":
        """Return what one connection of a station notes its frames with."""
        return StationFrames(self, station_id, self._transactions.clock)

    @property
    def missed_count(self) -> int:
        """How many frames were dropped since the last ones were stored."""
        return self._missed.total()

    def note(self, frame: Noted) -> None:
        """Queue a frame; it counts as missed where the queue is full."""
        if self._keep_count <= 0:
            return
        if len(self._queue) >= CAPACITY_COUNT or self._queued_count > MOST_CHARACTERS_COUNT:
            self._missed[frame.station_id] += 1
            return
        self._queue.append(frame)
        self._queued_count += len(frame.text)
        self._some.set()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write while the context lasts, and at its end what is left, within a bounded time."""
        writer = asyncio.create_task(self._run())
        try:
            yield
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WRITE_S):
                    while self._queue and await self._write():
                        pass

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            if len(self._queue) < MOST_TOGETHER_COUNT:
                await asyncio.sleep(PATIENCE_S)
            if not await self._write():
                await asyncio.sleep(PAUSE_S)
            if not self._queue:
                self._some.clear()

    async def _write(self) -> bool:
        """Store the next frames, and what was missed before them; return whether that went well."""
        together = await self._next()
        missed, self._missed = self._missed, Counter()
        notes = [self._gap(station_id, count) for station_id, count in missed.items()]
        written = Counter(frame.station_id for frame in together)
        due = [station_id for station_id, count in self._untrimmed.items() if count >= TRIM_EVERY_COUNT]
        due = due[:MOST_TRIMMED_COUNT]
        try:
            async with self._transactions() as tx:
                await frames.record(tx, [*notes, *together])
                await frames.trim(tx, due, self._keep_count)
        except DatabaseUnavailable:
            self._lost(missed + written, "the database is away")
            return False
        except Exception as broken:
            log.error("frames_failed", error=type(broken).__name__, exc_info=True)
            self._lost(missed + written, type(broken).__name__)
            return False
        self._untrimmed.update(written)
        for station_id in due:
            del self._untrimmed[station_id]
        return True

    async def _next(self) -> list[LoggedFrame]:
        """Take the next frames from the queue, without their secrets; answers get their turn in between."""
        together: list[LoggedFrame] = []
        looked_at_count = 0
        while self._queue and len(together) < MOST_TOGETHER_COUNT:
            frame = self._queue.popleft()
            self._queued_count -= len(frame.text)
            together.append(frame.redacted())
            looked_at_count += len(frame.text)
            if len(together) % REDACTED_AT_ONCE_COUNT == 0 or looked_at_count > CHARACTERS_AT_ONCE_COUNT:
                looked_at_count = 0
                await asyncio.sleep(0)
        return together

    def _gap(self, station_id: str, count: int) -> LoggedFrame:
        at = self._transactions.clock.now()
        return LoggedFrame(station_id, at, "in", "event", "gap", "", f"{count} frames before this line were not logged")

    def _lost(self, counts: Counter[str], reason: str) -> None:
        self._missed.update(counts)
        log.warning("frames_not_logged", count=self._missed.total(), reason=reason)


class StationFrames:
    """Notes the frames of one connection. Remembers what was asked, so that an answer is listed under its call."""

    def __init__(self, frame_log: FrameLog, station_id: str, clock: Clock) -> None:
        self._log = frame_log
        self._station_id = station_id
        self._clock = clock
        self._asked: OrderedDict[str, str] = OrderedDict()

    def heard(self, text: str | bytes, frame: Frame) -> None:
        """Note a frame of the station."""
        match frame:
            case Call():
                self._note("in", "call", frame.action, frame.message_id, text)
            case CallResult():
                self._note("in", "result", self._asked.pop(frame.message_id, ""), frame.message_id, text)
            case CallError():
                self._note("in", "error", self._asked.pop(frame.message_id, ""), frame.message_id, text)
            case Malformed():
                self._note("in", "malformed", frame.problem, frame.message_id, text)

    def called(self, call: Call, text: str) -> None:
        """Note a call of ours that is about to be sent."""
        self._asked[call.message_id] = call.action
        while len(self._asked) > MOST_ASKED_COUNT:
            self._asked.popitem(last=False)
        self._note("out", "call", call.action, call.message_id, text)

    def answered(self, action: str, message_id: str, text: str, *, is_error: bool) -> None:
        """Note an answer of ours that is about to be sent; `action` empty where the call could not be read."""
        self._note("out", "error" if is_error else "result", action, message_id, text)

    def event(self, name: str, text: str) -> None:
        """Note what happened to the connection."""
        self._note("in", "event", name, "", text)

    def _note(self, direction: str, kind: str, action: str, message_id: str, text: str | bytes) -> None:
        self._log.note(Noted(self._station_id, self._clock.now(), direction, kind, action, message_id, text))
