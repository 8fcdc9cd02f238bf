"""Charging sessions as people look at them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.errors import NotFound
from app.domain.pages import Page, PageAsked
from app.domain.snapshot import IntentSource
from app.operations.transaction import Tx
from app.store import session_queries
from app.store.session import SessionRow
from app.store.site import SiteRow
from app.store.station import EvseRow

SHORTEST_ASSUMED = timedelta(minutes=15)
BASES = {
    IntentSource.DRIVER: "said for this stay",
    IntentSource.BOOKING: "taken from the booking",
    IntentSource.LEARNT: "learnt from earlier stays",
    IntentSource.ASSUMED: "the site's default, nobody said anything",
}


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session; `need_wh` counts from plug-in, `power_w` is the last metered power of a running one (else None).

    `intent_basis` says in words what departure and energy are taken from.
    """

    session_id: UUID
    site_id: str
    station_id: str
    evse_id: int
    evse_number: int
    driver_id: UUID | None
    booking_id: UUID | None
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    delivered_wh: float
    departs_at: datetime
    need_wh: float
    intent_source: str
    intent_basis: str
    max_charge_w: float | None
    power_w: float | None


async def sessions(
    tx: Tx, *, owner_id: UUID | None, site_id: str | None, is_running: bool | None, asked: PageAsked
) -> Page[SessionState]:
    """Return sessions, newest first; `owner_id` None shows every driver's."""
    page = await session_queries.sessions(
        tx.session, driver_id=owner_id, site_id=site_id, is_running=is_running, asked=asked
    )
    return page.map(lambda found: _state(*found))


async def get(tx: Tx, session_id: UUID, owner_id: UUID | None = None) -> SessionState:
    """Return a session; raises NotFound, also for another driver's."""
    found = await session_queries.charging_session(tx.session, session_id, owner_id)
    if found is None:
        raise NotFound("there is no such session")
    return _state(*found)


def _state(row: SessionRow, evse: EvseRow) -> SessionState:
    return SessionState(
        session_id=row.session_id,
        site_id=row.site_id,
        station_id=row.station_id,
        evse_id=row.evse_id,
        evse_number=evse.evse_number,
        driver_id=row.driver_id,
        booking_id=row.booking_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        delivered_wh=row.delivered_wh,
        departs_at=row.departs_at,
        need_wh=row.need_wh,
        intent_source=row.intent_source,
        intent_basis=_basis(row),
        max_charge_w=row.max_charge_w,
        power_w=evse.power_w if row.ended_at is None else None,
    )


def _basis(row: SessionRow) -> str:
    source = IntentSource(row.intent_source)
    return row.intent_basis if source is IntentSource.LEARNT and row.intent_basis else BASES[source]


def assume_default(row: SessionRow, site: SiteRow, now: datetime) -> None:
    """Give a running session the site's default intent."""
    row.departs_at = max(row.started_at + site.default_stay, now + SHORTEST_ASSUMED)
    row.need_wh = site.default_need_wh
    row.intent_source, row.intent_basis = IntentSource.ASSUMED.value, None
