"""Sites: one car park behind one limit."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from app.bus.subjects import SITES_CHANGED, site_changed, site_limits, station_orders
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.pages import Page, PageAsked
from app.domain.units import kw_from_w, power_w
from app.operations.transaction import Tx
from app.store import site_queries, station_queries
from app.store.site import SiteRow

DEFAULTS: Mapping[str, Any] = {
    "margin_w": 0.0,
    "reserve_w": 0.0,
    "voltage_v": 200.0,
    "safe_current_a": 6.0,
    "min_current_a": 6.0,
    "default_need_wh": 12_000.0,
    "default_stay": timedelta(hours=8),
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
    check_room(row, ())
    tx.session.add(row)
    await tx.session.flush()
    tx.ring(SITES_CHANGED)
    return row


async def change(tx: Tx, site_id: str, values: Mapping[str, Any]) -> SiteRow:
    """Change columns of a site; raises NotFound, Invalid, Conflict.

    Where the safe current changes, every EVSE's default profile must be proven again and counts as its nameplate until
    it is (site-limit rule R8).
    """
    row = await site_queries.locked_site(tx.session, site_id)
    if row is None:
        raise NotFound(f"there is no site {site_id}")
    evses = await site_queries.evse_currents(tx.session, site_id)  # a query would write what is not checked yet
    is_safe_current_new = values.get("safe_current_a", row.safe_current_a) != row.safe_current_a
    for name, value in values.items():
        setattr(row, name, value)
    check_room(row, evses)
    await tx.session.flush()
    if is_safe_current_new:
        for station_id in await station_queries.unverify_site(tx.session, site_id):
            tx.ring(station_orders(station_id))
    tx.ring(site_changed(site_id))
    tx.ring(site_limits(site_id))
    return row


def check_room(site: SiteRow, evses: Sequence[tuple[float, int]]) -> None:
    """Check that the site is safe with the controller off for ever (site-limit INV-4).

    `evses` are (max_current_a, phase_count). Raises Invalid when nothing is left for cars, Conflict when the safe
    currents of all EVSEs together do not fit under the limit.
    """
    if site.margin_w + site.reserve_w >= site.limit_w:
        raise Invalid("margin_kw and reserve_kw together must be less than limit_kw", field="limit_kw")
    room_w = site.limit_w - site.margin_w - site.reserve_w
    safe_w = sum(
        power_w(min(site.safe_current_a, max_current_a), site.voltage_v, phase_count)
        for max_current_a, phase_count in evses
    )
    if safe_w > room_w:
        raise Conflict(
            f"the safe currents of all EVSEs need {kw_from_w(safe_w)} kW together, "
            f"the limit leaves {kw_from_w(room_w)} kW for them"
        )
