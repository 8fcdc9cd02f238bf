"""What runs once for every site there is, and for every one that is added while it runs."""

from collections.abc import Callable
from datetime import timedelta

from app.bus import Bus
from app.bus.subjects import SITES_CHANGED
from app.operations import sites
from app.operations.transaction import Transactions
from app.runtime.supervise import Health, supervise


async def for_every_site(
    name: str,
    transactions: Transactions,
    bus: Bus,
    health: Health,
    start: Callable[[str], None],
    look_at_least: timedelta,
) -> None:
    """Call `start` once with each site's id, until cancelled; supervised as `name`.

    New sites are looked for when the bus tells of one, and at least every `look_at_least`.
    """
    started: set[str] = set()

    async def start_new(went_well: Callable[[], None]) -> None:
        with bus.listen(SITES_CHANGED) as bell:
            while True:
                async with transactions() as tx:
                    site_ids = await sites.site_ids(tx)
                for site_id in sorted(set(site_ids) - started):
                    started.add(site_id)
                    start(site_id)
                went_well()
                await bell.next(transactions.clock.now() + look_at_least)

    await supervise(name, start_new, health)
