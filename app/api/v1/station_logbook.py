"""A station's logbook: what it reported, what it was commanded and by whom, its jobs and reservations."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from app.api.deps import Asked, StationKeeper, Transaction
from app.api.models import Out, PageOut, StationIdPath
from app.api.problems import documented
from app.domain.facts import ReportKind
from app.operations import audit, jobs, reservations, station_events

router = APIRouter(prefix="/v1/stations/{station_id}", tags=["stations"], responses=documented("not_found"))

NameQuery = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9]{1,64}$", description="of this name alone")]
OutcomeQuery = Annotated[str | None, Query(pattern=r"^[a-z_]{1,32}$", description="with this outcome alone")]
KindQuery = Annotated[ReportKind | None, Query(description="of this kind alone; `security` are security events")]
JobKindQuery = Annotated[str | None, Query(pattern=r"^[a-z_]{1,32}$", description="of this kind alone")]
RequestIdPath = Annotated[int, Path(ge=1, le=2**31 - 1)]


class EventOut(Out):
    """Something the station reported, or that Sunslot found; `name` is the station's own word."""

    kind: str
    name: str
    at: datetime
    received_at: datetime
    request_id: int | None
    evse_number: int | None
    detail: dict[str, Any]


class CommandOut(Out):
    """Who asked the station for what; secrets are left out, cards masked.

    `outcome` is null while nothing is known, else accepted, rejected, unsupported, answered (raw calls), refused (by
    the gate), or the code of the error.
    """

    command_id: int
    asked_at: datetime
    asked_by: str
    role: str
    name: str
    is_raw: bool
    payload: Any
    outcome: str | None
    answer: Any
    ended_at: datetime | None


class JobStateOut(Out):
    """Something that takes a while; `status` is the station's own word for the progress once it has said one."""

    request_id: int
    kind: str
    status: str
    detail: dict[str, Any]
    created_at: datetime
    changed_at: datetime
    ended_at: datetime | None


class ReservationOut(Out):
    """A reservation; `state` is asked, accepted, refused, cancelled, used, expired or removed."""

    reservation_id: int
    evse_number: int
    token: str
    expires_at: datetime
    state: str
    created_at: datetime
    changed_at: datetime


@router.get("/events", operation_id="list_events", summary="List a station's events")
async def list_events(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, asked: Asked, kind: KindQuery = None
) -> PageOut[EventOut]:
    """List what the station reported beside its sessions, newest first.

    Among the security events (`kind=security`) are those that Sunslot finds (`"found_by": "sunslot"` in the detail):
    refused handshakes in its name (`wrong_key`, `no_key`, `unsound_credentials`, `lower_profile`, `no_certificate`,
    `foreign_certificate`), `no_common_subprotocol` and `serial_mismatch`, each once with how often and from where last.
    """
    return PageOut[EventOut].model_validate(await station_events.events(tx, station_id, kind, asked))


@router.get("/commands", operation_id="list_commands", summary="List what a station was commanded")
async def list_commands(
    tx: Transaction,
    _: StationKeeper,
    station_id: StationIdPath,
    asked: Asked,
    name: NameQuery = None,
    outcome: OutcomeQuery = None,
) -> PageOut[CommandOut]:
    """List who asked the station for what and how it ended, newest first."""
    return PageOut[CommandOut].model_validate(await audit.commands(tx, station_id, name, outcome, asked))


@router.get("/jobs", operation_id="list_jobs", summary="List a station's jobs")
async def list_jobs(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, asked: Asked, kind: JobKindQuery = None
) -> PageOut[JobStateOut]:
    """List logs, firmware updates and reports that the station was asked for, newest first."""
    return PageOut[JobStateOut].model_validate(await jobs.jobs(tx, station_id, kind, asked))


@router.get("/jobs/{request_id}", operation_id="get_job", summary="Get a job")
async def get_job(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, request_id: RequestIdPath
) -> JobStateOut:
    """Get how one job goes."""
    return JobStateOut.model_validate(await jobs.job(tx, station_id, request_id))


@router.get("/reservations", operation_id="list_reservations", summary="List a station's reservations")
async def list_reservations(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, asked: Asked
) -> PageOut[ReservationOut]:
    """List reservations at the station, newest first."""
    page = await reservations.reservations(tx, station_id, asked)
    items = tuple(
        ReservationOut.model_validate(row).model_copy(update={"state": reservations.state_of(row, tx.now)})
        for row in page.items
    )
    return PageOut(items=items, next_cursor=page.next_cursor)
