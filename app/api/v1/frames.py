"""The raw message log of a station, to look for a fault; and how often which repair each model needed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from app.api.deps import ApiContext, Asked, Context, StationCommander, StationKeeper, Transaction
from app.api.models import PRINTABLE, Instant, Out, PageOut, StationIdPath
from app.api.problems import documented
from app.domain.errors import DatabaseUnavailable
from app.operations import frames
from app.operations.frames import FrameFilter

router = APIRouter(prefix="/v1", tags=["messages"])

KEEP_ALIVE_S, LOOK_EVERY_S = 15.0, 0.5
MOST_TOGETHER_COUNT = 200
KEEP_ALIVE = ": still here\n\n"

Name = Annotated[str | None, Query(max_length=64, pattern=PRINTABLE)]


class FrameOut(Out):
    """One frame as it went over the wire, without secrets; `direction` is seen from Sunslot.

    `kind` is call, result, error, malformed or event (connected, closed, gap); the `action` of an answer is its call's.
    """

    frame_id: int
    at: datetime
    direction: Literal["in", "out"]
    kind: str
    action: str
    message_id: str
    text: str


async def frame_filter(
    *,
    since: Annotated[Instant | None, Query(description="not before this time")] = None,
    until: Annotated[Instant | None, Query(description="before this time")] = None,
    direction: Annotated[Literal["in", "out"] | None, Query(description="in: from the station")] = None,
    kind: Annotated[Literal["call", "result", "error", "malformed", "event"] | None, Query()] = None,
    action: Name = None,
    message_id: Name = None,
    contains: Annotated[str | None, Query(min_length=1, max_length=100, pattern=PRINTABLE)] = None,
    errors_only: bool = False,
) -> FrameFilter:
    """Return which frames are asked for."""
    return FrameFilter(since, until, direction, kind, action, message_id, contains, errors_only)


Wanted = Annotated[FrameFilter, Depends(frame_filter)]


@router.get(
    "/stations/{station_id}/frames",
    responses=documented("not_found"),
    operation_id="list_frames",
    summary="List a station's raw messages",
)
async def list_frames(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, wanted: Wanted, asked: Asked
) -> PageOut[FrameOut]:
    """List raw messages of the last days, newest first; secrets are taken out, long ones are cut.

    Who is refused at the handshake has no messages: see the station's security events, or the strangers.
    """
    return PageOut[FrameOut].model_validate(await frames.frames(tx, station_id, wanted, asked))


@router.get(
    "/stations/{station_id}/frames/stream",
    responses={**documented("not_found"), 200: {"content": {"text/event-stream": {}}, "description": "Frames"}},
    response_class=StreamingResponse,
    operation_id="follow_frames",
    summary="Follow a station's raw messages",
)
async def follow_frames(
    context: Context,
    _: StationCommander,
    station_id: StationIdPath,
    wanted: Wanted,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="a frame_id; absent: from now on")] = None,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**63 - 1)] = None,
) -> StreamingResponse:
    """Follow raw messages as server-sent events, each with its frame_id as id and the frame as JSON."""
    async with context.transactions() as tx:
        newest_id = await frames.last_frame_id(tx, station_id)
    if context.streams.locked():
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "too many streams are open")
    first_id = next((each for each in (last_event_id, after) if each is not None), newest_id)
    return StreamingResponse(_events(context, station_id, wanted, first_id), media_type="text/event-stream")


async def _events(context: ApiContext, station_id: str, wanted: FrameFilter, after_id: int) -> AsyncIterator[str]:
    """Yield events until the caller hangs up, the house closes or the database is gone (the caller tries again).

    Looks for new frames twice a second: the writer of the log does not come more often.
    """
    silent_s = KEEP_ALIVE_S
    async with context.streams:
        while not context.closing.is_set():
            try:
                async with context.transactions() as tx:
                    rows = await frames.frames_after(tx, station_id, wanted, after_id, MOST_TOGETHER_COUNT)
            except DatabaseUnavailable:
                return
            for row in rows:
                yield f"id: {row.frame_id}\ndata: {FrameOut.model_validate(row).model_dump_json()}\n\n"
                after_id, silent_s = row.frame_id, 0.0
            if silent_s >= KEEP_ALIVE_S:
                yield KEEP_ALIVE
                silent_s = 0.0
            if len(rows) < MOST_TOGETHER_COUNT:
                await _at_most(context.closing, LOOK_EVERY_S)
                silent_s += LOOK_EVERY_S


async def _at_most(event: asyncio.Event, seconds_s: float) -> None:
    """Wait for an event, but not longer than this in real time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds_s):
            await event.wait()
