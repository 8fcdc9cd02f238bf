"""Sites: one car park behind one limit."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from app.bus.subjects import SITES_CHANGED
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.pages import Page, PageAsked
from app.operations.room import check, model_of
from app.operations.transaction import Tx
from app.store import site_queries
from app.store.site import SiteRow

DEFAULTS: Mapping[str, Any] = {
    "margin_w": 0.0,
    "reserve_w": 0.0,
    "voltage_v": 200.0,
    "safe_current_a": 6.0,
    "min_current_a": 6.0,
    "default_need_wh": 12_000.0,
    "default_stay": timedelta(hours=8),
    "surprised_count": 1,
    "low_voltage_share": 0.9,
}


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


async def site_ids(tx: Tx) -> list[str]:
    """Return the ids of all sites, sorted."""
    return await site_queries.site_ids(tx.session)


async def get(tx: Tx, site_id: str) -> SiteRow:
    """Return a site; raises NotFound."""
    row = await site_queries.site(tx.session, site_id)
    if row is None:
        raise NotFound(f"there is no site {site_id}")
    return row


async def sites(tx: Tx, asked: PageAsked) -> Page[SiteRow]:
    """Return sites by id."""
    return await site_queries.sites(tx.session, asked)


async def create(tx: Tx, site_id: str, values: Mapping[str, Any]) -> SiteRow:
    """Add a site; `values` are columns of the row (absent ones get their default). Raises Conflict, Invalid."""
    if await site_queries.site(tx.session, site_id) is not None:
        raise Conflict(f"the site {site_id} exists already", field="site_id")
    if values["zone"] not in _zones():
        raise Invalid("is not a time zone of the IANA database", field="zone")
    row = SiteRow(site_id=site_id, created_at=tx.now, **{**DEFAULTS, **values})
    check(model_of(row, (), ()), within="site.")
    tx.session.add(row)
    await tx.session.flush()
    tx.ring(SITES_CHANGED)
    return row
