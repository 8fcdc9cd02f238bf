"""What the site can offer the grid, from its newest plan."""

from dataclasses import dataclass

from app.domain.flexibility import FlexibilityOffer
from app.operations import plans, sites
from app.operations.transaction import Tx
from app.scheduling import flexibility
from app.store.snapshot import read_snapshot


@dataclass(frozen=True, slots=True)
class SiteOffer:
    """An offer and what it was computed from; `zone` is the site's, for the market's slots."""

    zone: str
    revision: int
    offer: FlexibilityOffer


async def revision(tx: Tx, site_id: str) -> int:
    """Return the revision of the plan that an offer would be made from now; raises NotFound."""
    return (await plans.newest(tx, site_id)).revision


async def offer(tx: Tx, site_id: str) -> SiteOffer:
    """Return the site's offer; raises NotFound for an unknown site or before its first plan."""
    site = await sites.get(tx, site_id)
    kept = await plans.newest(tx, site_id)
    snapshot = await read_snapshot(tx.session, site_id, tx.now)
    return SiteOffer(site.zone, kept.revision, flexibility.offer(snapshot, kept.plan, tx.now))


def is_too_few(offer: FlexibilityOffer, least_count: int) -> bool:
    """Return whether so few cars are behind an offer that it would tell when people come and go.

    A plug-in time is a clock-in record. `least_count` 1 publishes always.
    """
    return least_count > 1 and offer.connected < least_count
