"""The site meter's readings."""

from datetime import datetime, timedelta

from app.bus.subjects import site_changed
from app.domain.errors import Conflict, Invalid
from app.domain.pages import Page, PageAsked
from app.operations import sites
from app.operations.transaction import Tx
from app.store import site_queries
from app.store.site import SiteReadingRow

FUTURE = timedelta(minutes=5)
PAST = timedelta(days=7)


async def record(tx: Tx, site_id: str, *, at: datetime, pv_w: float, building_w: float) -> tuple[SiteReadingRow, bool]:
    """Store a reading (means until `at`) and return it and whether it is new; the same again changes nothing.

    Raises NotFound, Invalid for an impossible `at`, Conflict when that instant has another reading.
    """
    await sites.get(tx, site_id)
    check_time(at, tx.now, "at")
    row = SiteReadingRow(site_id=site_id, at=at, pv_w=pv_w, building_w=building_w, received_at=tx.now)
    if await site_queries.add_reading(tx.session, row):
        tx.ring(site_changed(site_id))
        return row, True
    stored = await site_queries.reading(tx.session, site_id, at)
    if stored is None or (stored.pv_w, stored.building_w) != (pv_w, building_w):
        raise Conflict("there is another reading of that instant", field="at")
    return stored, False


def check_time(at: datetime, now: datetime, field: str) -> None:
    """Raise Invalid, naming the field, for an instant that no meter or forecast can mean now."""
    if at > now + FUTURE:
        raise Invalid("lies more than 5 minutes in the future", field=field)
    if at < now - PAST:
        raise Invalid("lies more than 7 days in the past", field=field)


async def readings(
    tx: Tx, site_id: str, from_at: datetime | None, until_at: datetime | None, asked: PageAsked
) -> Page[SiteReadingRow]:
    """Return the site's readings in `[from_at, until_at)`, oldest first; raises NotFound."""
    await sites.get(tx, site_id)
    return await site_queries.readings(tx.session, site_id, from_at, until_at, asked)
