"""Certificates that stations ask for: checked, signed, delivered, each step recorded (OCPP 2.0.1 A02, A03).

A request is `asked` until an authority (or the operator) has signed it, `signed` until the station has taken it
(`delivered`) or not (`failed`); `refused` ones say why. Only the newest request of a use is seen to.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import select

from app.bus.subjects import station_certificates
from app.domain.certificates import Deferred, Refused, Signed, Signing
from app.domain.commands import Accepted, Outcome
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.facts import CertificateUse
from app.domain.pages import Page, PageAsked
from app.operations.certificate_requests import fault_of, read_chain
from app.operations.transaction import Tx
from app.store import certificate_queries, station_queries
from app.store.base import stored_text
from app.store.device import CertificateRow
from app.store.station import StationRow

log = structlog.get_logger()

MOST_ATTEMPTS_COUNT = 5
FIRST_RETRY = timedelta(minutes=1)
LONGEST_REASON_COUNT = 200


@dataclass(frozen=True, slots=True)
class CertificateDue:
    """A request to be signed (`chain` None) or a chain to be delivered. `pause` is what a failed delivery waits."""

    certificate_id: int
    use: CertificateUse
    request: str
    chain: str | None
    pause: timedelta


async def due(tx: Tx, station_id: str, organisation: str | None) -> tuple[CertificateDue, ...]:
    """Return what is to be signed or delivered for a station; requests that may not be signed are refused here."""
    rows = await certificate_queries.open_ones(tx.session, station_id)
    station = await station_queries.station(tx.session, station_id)
    found: dict[str, CertificateDue] = {}
    for row in rows:
        use = CertificateUse(row.use)
        if use in found:
            _conclude(tx, row, "failed", "a newer request took its place")
        elif row.chain is None and station is not None and (fault := await _fault(tx, station, row, organisation)):
            _conclude(tx, row, "refused", fault)
            log.warning("certificate_refused", station_id=station_id, reason=fault)
        else:
            pause = FIRST_RETRY * 2 ** min(row.attempt_count, MOST_ATTEMPTS_COUNT)
            found[use] = CertificateDue(row.certificate_id, use, row.csr, row.chain, pause)
    return tuple(found.values())


async def _fault(tx: Tx, station: StationRow, row: CertificateRow, organisation: str | None) -> str:
    """Check a request. Without a provisioned serial number its name is the identity, unless it is another's number."""
    name = station.expected_serial or station.station_id
    if await certificate_queries.expects_serial(tx.session, name, besides=station.station_id):
        return "the common name is another station's serial number"
    return fault_of(row.csr, CertificateUse(row.use), name, organisation)


async def record_signing(tx: Tx, certificate_id: int, signing: Signing) -> bool:
    """Record what the authority said; return whether there is a chain to deliver now."""
    row = await certificate_queries.locked(tx.session, certificate_id)
    if row is None or row.state != "asked":
        return False
    match signing:
        case Signed(chain):
            try:
                _take_chain(tx, row, chain)
            except Invalid as broken:
                _conclude(tx, row, "failed", f"the authority's chain {broken.detail}")
                return False
            return True
        case Refused(reason):
            _conclude(tx, row, "refused", reason)
        case Deferred():
            pass
    return False


async def record_attempt(tx: Tx, certificate_id: int) -> str | None:
    """Count that a chain is being sent; return it, None if it is not to be sent any more."""
    row = await certificate_queries.locked(tx.session, certificate_id)
    if row is None or row.state != "signed":
        return None
    if row.attempt_count >= MOST_ATTEMPTS_COUNT:
        _conclude(tx, row, "failed", "the station gave no answer")
        return None
    row.attempt_count += 1
    row.changed_at = tx.now
    return row.chain


async def record_delivery(tx: Tx, certificate_id: int, outcome: Outcome) -> None:
    """Record the station's answer to a delivered chain."""
    row = await certificate_queries.locked(tx.session, certificate_id)
    if row is None or row.state != "signed":
        return
    if isinstance(outcome, Accepted):
        _conclude(tx, row, "delivered", "")
    else:
        _conclude(tx, row, "failed", f"the station did not take it: {outcome.reason}")


async def certificates(tx: Tx, station_id: str, asked: PageAsked) -> Page[CertificateRow]:
    """Return a station's certificates and requests, newest first; raises NotFound."""
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
    return await certificate_queries.certificates(tx.session, station_id, asked)


async def get(tx: Tx, station_id: str, certificate_id: int) -> CertificateRow:
    """Return one of a station's certificates; raises NotFound."""
    row = await certificate_queries.locked(tx.session, certificate_id)
    if row is None or row.station_id != station_id:
        raise NotFound("the station has no such certificate")
    return row


async def hand_in(tx: Tx, station_id: str, certificate_id: int, chain: str) -> CertificateRow:
    """Take a chain that was signed elsewhere and have it delivered; raises NotFound, Conflict, Invalid."""
    row = await get(tx, station_id, certificate_id)
    if row.state not in {"asked", "signed", "failed"}:
        raise Conflict(f"the request is {row.state} already")
    _take_chain(tx, row, chain)
    row.attempt_count = 0
    tx.ring(station_certificates(station_id))
    return row


async def has_valid(tx: Tx, station_id: str, use: CertificateUse) -> bool:
    """Return whether a certificate of ours was delivered to the station and has not expired."""
    query = select(CertificateRow.certificate_id).where(CertificateRow.station_id == station_id)
    query = query.where(CertificateRow.use == use, CertificateRow.state == "delivered")
    return await tx.session.scalar(query.where(CertificateRow.expires_at > tx.now).limit(1)) is not None


def _take_chain(tx: Tx, row: CertificateRow, chain: str) -> None:
    facts = read_chain(chain, row.csr, tx.now)
    row.chain, row.serial_number, row.expires_at = chain, facts.serial_number, facts.expires_at
    row.state, row.reason, row.changed_at = "signed", "", tx.now


def _conclude(tx: Tx, row: CertificateRow, state: str, reason: str) -> None:
    row.state, row.reason, row.changed_at = state, stored_text(reason, LONGEST_REASON_COUNT), tx.now
