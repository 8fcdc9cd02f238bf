"""What stations report beside sessions: kept as events (bounded), and told to the job that it is about."""

from typing import Any

from sqlalchemy import delete, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from app.bus.subjects import station_certificates
from app.domain.errors import NotFound
from app.domain.facts import CertificateRequested, ReportKind, StationReported
from app.domain.pages import Page, PageAsked
from app.operations import reservations
from app.operations.hearing import Hearing, clean
from app.operations.transaction import Tx
from app.store import station_queries, upkeep_queries
from app.store.base import stored_text
from app.store.device import CertificateRow
from app.store.upkeep import StationEventRow, StationJobRow

LONGEST_EVENTS_COUNT = 1000
LONGEST_NAME_COUNT = 100
LONGEST_STATUS_COUNT = 50
LONGEST_REQUESTS_COUNT = 50
JOB_KINDS = {
    ReportKind.FIRMWARE: "firmware",
    ReportKind.LOG: "log",
    ReportKind.PROFILES: "profiles",
    ReportKind.MONITORS: "monitors",
    ReportKind.CUSTOMER_INFORMATION: "customer_information",
}
IDLE = "Idle"
PARTS = {ReportKind.PROFILES, ReportKind.MONITORS, ReportKind.CUSTOMER_INFORMATION}
ENDS = {
    "Installed",
    "InstallationFailed",
    "DownloadFailed",
    "InvalidSignature",
    "InvalidCertificate",
    "RevokedCertificate",
    "InstallVerificationFailed",
    "Uploaded",
    "UploadFailed",
    "UploadFailure",
    "BadMessage",
    "NotSupportedOperation",
    "PermissionDenied",
    "AcceptedCanceled",
}


async def reported(hearing: Hearing, fact: StationReported) -> None:
    """Keep an event, unless it is known: queued ones are told again with new ids. A station's newest 1,000 stay."""
    session, station_id = hearing.tx.session, hearing.station.station_id
    said = {
        "station_id": station_id,
        "kind": fact.kind,
        "name": stored_text(fact.name, LONGEST_NAME_COUNT),
        "at": fact.at,
        "request_id": fact.request_id,
        "evse_number": fact.evse_number,
        "detail": clean(fact.detail),
    }
    if fact.at != fact.received_at and await _is_known(hearing, said):
        return
    session.add(StationEventRow(received_at=fact.received_at, **said))
    await session.flush()
    newest = select(StationEventRow.event_id).where(StationEventRow.station_id == station_id)
    surplus = newest.order_by(StationEventRow.event_id.desc()).offset(LONGEST_EVENTS_COUNT)
    await session.execute(delete(StationEventRow).where(StationEventRow.event_id.in_(surplus)))
    await _tell_job(hearing, fact)
    await reservations.reported(hearing.tx, station_id, fact)


async def events(tx: Tx, station_id: str, kind: ReportKind | None, page: PageAsked) -> Page[StationEventRow]:
    """Return a station's events, newest first; raises NotFound."""
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
    return await upkeep_queries.events(tx.session, station_id, None if kind is None else kind.value, page)


async def _is_known(hearing: Hearing, said: dict[str, Any]) -> bool:
    """Whether the same event with the station's own time is kept already."""
    same = select(StationEventRow.event_id)
    for name, value in said.items():
        column = getattr(StationEventRow, name)
        same = same.where(column == literal(value, JSONB) if name == "detail" else column.is_not_distinct_from(value))
    return await hearing.tx.session.scalar(same.limit(1)) is not None


async def _tell_job(hearing: Hearing, fact: StationReported) -> None:
    """Note a job's progress. Without a request id (OCPP 1.6) the newest job of that kind is meant.

    "Idle" answers a trigger: it says that nothing is going on, and so nothing of a job.
    """
    kind = JOB_KINDS.get(fact.kind)
    if kind is None or fact.name == IDLE:
        return
    query = select(StationJobRow).where(StationJobRow.station_id == hearing.station.station_id)
    query = query.where(StationJobRow.kind == kind)
    if fact.request_id is not None:
        query = query.where(StationJobRow.request_id == fact.request_id)
    job = await hearing.tx.session.scalar(query.order_by(StationJobRow.request_id.desc()).limit(1))
    if job is None or job.ended_at is not None:
        return
    is_parts = fact.kind in PARTS
    job.status = ("done" if fact.is_last else "reporting") if is_parts else stored_text(fact.name, LONGEST_STATUS_COUNT)
    job.changed_at = hearing.tx.now
    if fact.name in ENDS or (is_parts and fact.is_last):
        job.ended_at = hearing.tx.now


async def certificate_requested(hearing: Hearing, fact: CertificateRequested) -> None:
    """Keep a request to sign a certificate; the station's own task sees to it (OCPP 2.0.1 A02, A03)."""
    session, station_id = hearing.tx.session, hearing.station.station_id
    row = CertificateRow(
        station_id=station_id,
        use=fact.use,
        csr=stored_text(fact.csr, 5500),
        state="asked",
        reason="",
        asked_at=hearing.tx.now,
        changed_at=hearing.tx.now,
    )
    session.add(row)
    await session.flush()
    newest = select(CertificateRow.certificate_id).where(CertificateRow.station_id == station_id)
    surplus = newest.order_by(CertificateRow.certificate_id.desc()).offset(LONGEST_REQUESTS_COUNT)
    await session.execute(delete(CertificateRow).where(CertificateRow.certificate_id.in_(surplus)))
    hearing.is_taken = True
    hearing.tx.ring(station_certificates(station_id))
