"""What a site's grid costs and emits: configuration, with its source."""

from app.bus.subjects import site_changed
from app.domain.errors import Invalid, NotFound
from app.domain.tariff import Tariff, document_of, tariff_of
from app.operations.transaction import Tx
from app.scheduling.tariff import flaws_of
from app.store import site_queries
from app.store.site import SiteRow

TOLD_COUNT = 5


async def put(tx: Tx, site_id: str, tariff: Tariff) -> Tariff:
    """Set the site's tariff; the next plan reckons with it. Raises NotFound, Invalid (every field that is wrong)."""
    flaws = flaws_of(tariff)
    if flaws:
        raise Invalid("; ".join(f"{field}: {reason}" for field, reason in flaws[:TOLD_COUNT]), wrong=flaws)
    (await _locked(tx, site_id)).tariff = document_of(tariff)
    tx.ring(site_changed(site_id))
    return tariff


async def get(tx: Tx, site_id: str) -> Tariff:
    """Return the site's tariff; raises NotFound where there is no site or it has none."""
    row = await site_queries.site(tx.session, site_id)
    if row is None:
        raise NotFound(f"there is no site {site_id}")
    return _told(row)


async def remove(tx: Tx, site_id: str) -> None:
    """Forget the tariff: all of the grid is alike again. Raises NotFound."""
    row = await _locked(tx, site_id)
    _told(row)
    row.tariff = None
    tx.ring(site_changed(site_id))


async def _locked(tx: Tx, site_id: str) -> SiteRow:
    row = await site_queries.locked_site(tx.session, site_id)
    if row is None:
        raise NotFound(f"there is no site {site_id}")
    return row


def _told(row: SiteRow) -> Tariff:
    if row.tariff is None:
        raise NotFound("the site has no tariff")
    return tariff_of(row.tariff)
