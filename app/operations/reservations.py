"""Reservations of EVSEs at stations (OCPP 1.6 §5.13, 2.0.1 H01): asked, and what became of them."""

from datetime import datetime

from app.domain.commands import Accepted, Outcome, Rejected, Unsupported
from app.domain.errors import Invalid, NotFound
from app.domain.facts import ReportKind, StationReported
from app.domain.pages import Page, PageAsked
from app.domain.upkeep import CancelReservation, Reserve
from app.operations.transaction import Tx
from app.store import station_queries, upkeep_queries
from app.store.upkeep import ReservationRow

LIVE = {"asked", "accepted"}
REPORTED = {"expired": "expired", "removed": "removed", "used": "used"}


async def reserve(tx: Tx, station_id: str, evse_number: int, token: str, expires_at: datetime) -> Reserve:
    """Write a reservation before it is asked for and return the command; raises NotFound, Invalid."""
    await _check_station(tx, station_id)
    if expires_at <= tx.now:
        raise Invalid("lies in the past", field="expires_at")
    row = ReservationRow(
        station_id=station_id,
        evse_number=evse_number,
        token=token,
        expires_at=expires_at,
        state="asked",
        created_at=tx.now,
        changed_at=tx.now,
    )
    tx.session.add(row)
    await tx.session.flush()
    return Reserve(row.reservation_id, evse_number, token, expires_at)


async def cancel(tx: Tx, station_id: str, reservation_id: int) -> CancelReservation:
    """Return the command that cancels a reservation of ours; raises NotFound, Invalid."""
    await _check_station(tx, station_id)
    if await upkeep_queries.reservation(tx.session, station_id, reservation_id) is None:
        raise Invalid("the station has no such reservation", field="reservation_id")
    return CancelReservation(reservation_id)


async def answered(tx: Tx, station_id: str, command: Reserve | CancelReservation, result: Outcome | str) -> None:
    """Keep what came of a reservation, or of its cancelling; an error leaves open whether the station holds it.

    A station that is offline was never asked.
    """
    row = await upkeep_queries.reservation(tx.session, station_id, command.reservation_id)
    if row is None or row.state not in LIVE:
        return
    state = row.state
    match result:
        case Accepted():
            state = "accepted" if isinstance(command, Reserve) else "cancelled"
        case Rejected() | Unsupported() | "station_offline" | "invalid":
            state = "refused" if isinstance(command, Reserve) else row.state
    if state != row.state:
        row.state, row.changed_at = state, tx.now


async def reported(tx: Tx, station_id: str, fact: StationReported) -> None:
    """Keep what the station says of a reservation: expired, removed or used (OCPP 2.0.1 H04, F.: its end is final)."""
    state = REPORTED.get(fact.name.lower())
    if fact.kind is not ReportKind.RESERVATION or fact.request_id is None or state is None:
        return
    row = await upkeep_queries.reservation(tx.session, station_id, fact.request_id)
    if row is not None and row.state in LIVE:
        row.state, row.changed_at = state, tx.now


async def reservations(tx: Tx, station_id: str, page: PageAsked) -> Page[ReservationRow]:
    """Return a station's reservations, newest first; raises NotFound."""
    await _check_station(tx, station_id)
    return await upkeep_queries.reservations(tx.session, station_id, page)


def state_of(row: ReservationRow, now: datetime) -> str:
    """Return the state; a live one whose time is over has expired, whether the station says so or not (OCPP 1.6)."""
    return "expired" if row.state in LIVE and row.expires_at <= now else row.state


async def _check_station(tx: Tx, station_id: str) -> None:
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
