"""What stations were asked to do that takes a while: logs, firmware, reports; `station_events` tells how it goes."""

from collections.abc import Mapping
from typing import Any

from app.domain.commands import Accepted, Outcome, Rejected, Unsupported
from app.domain.errors import NotFound
from app.domain.pages import Page, PageAsked
from app.operations.audit import kept
from app.operations.transaction import Tx
from app.store import station_queries, upkeep_queries
from app.store.base import stored_text
from app.store.upkeep import StationJobRow

SENT, UNANSWERED, DONE = "sent", "station_timeout", "done"
LONGEST_JOBS_COUNT = 500
LONGEST_STATUS_COUNT = 50


async def open_job(tx: Tx, station_id: str, kind: str, detail: Mapping[str, Any]) -> int:
    """Write a job before its command leaves and return its number; raises NotFound. The newest 500 stay."""
    await _check_station(tx, station_id)
    row = StationJobRow(
        station_id=station_id, kind=kind, status=SENT, detail=kept(detail), created_at=tx.now, changed_at=tx.now
    )
    tx.session.add(row)
    await tx.session.flush()
    await upkeep_queries.trim_jobs(tx.session, station_id, LONGEST_JOBS_COUNT)
    return row.request_id


async def answered(tx: Tx, request_id: int, result: Outcome | str) -> None:
    """Keep how the station answered a job's command, or the code of the error that came instead.

    A job that is not taken on has ended; one whose command stays unanswered may still be heard of. What the station has
    reported on it meanwhile counts more.
    """
    job = await tx.session.get(StationJobRow, request_id, with_for_update=True, populate_existing=True)
    if job is None or job.ended_at is not None:
        return
    match result:
        case Accepted(detail):
            job.status = "accepted" if job.status == SENT else job.status
            job.detail = {**job.detail, **kept(detail)} if detail else job.detail
        case Rejected(reason):
            _end(tx, job, reason or "rejected")
        case Unsupported():
            _end(tx, job, "unsupported")
        case str(code) if code == UNANSWERED:
            job.status = code if job.status == SENT else job.status
        case str(code):
            _end(tx, job, code)
    job.changed_at = tx.now


async def done(tx: Tx, request_id: int) -> None:
    """End a job whose result came with the answer."""
    job = await tx.session.get_one(StationJobRow, request_id, with_for_update=True, populate_existing=True)
    _end(tx, job, DONE)
    job.changed_at = tx.now


def _end(tx: Tx, job: StationJobRow, status: str) -> None:
    job.status, job.ended_at = stored_text(status, LONGEST_STATUS_COUNT), tx.now


async def jobs(tx: Tx, station_id: str, kind: str | None, page: PageAsked) -> Page[StationJobRow]:
    """Return a station's jobs, newest first; raises NotFound."""
    await _check_station(tx, station_id)
    return await upkeep_queries.jobs(tx.session, station_id, kind, page)


async def job(tx: Tx, station_id: str, request_id: int) -> StationJobRow:
    """Return one job; raises NotFound."""
    row = await upkeep_queries.job(tx.session, station_id, request_id)
    if row is None:
        raise NotFound(f"the station has no job {request_id}")
    return row


async def _check_station(tx: Tx, station_id: str) -> None:
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
