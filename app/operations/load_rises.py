"""What a site's own history proves of how fast its uncontrolled load rises (ΔB); the operator decides what to use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.domain.errors import NotFound
from app.operations.transaction import Tx
from app.scheduling.feeders import RowKey
from app.scheduling.lateness import APPLY_DELAY
from app.scheduling.load_rise import LOOK_BACK, Evidence, evidence, horizon_of
from app.scheduling.uncontrolled import SITE
from app.store.electrical import feeders_of
from app.store.meter import building_minutes, feeder_minutes
from app.store.specs import read_site, site_spec


@dataclass(frozen=True, slots=True)
class LoadRises:
    """The evidence for every row that was measured, within the horizon that it has to hold for."""

    horizon: timedelta
    rows: Mapping[RowKey, Evidence]


async def load_rises(tx: Tx, site_id: str, feeder_id: str | None) -> LoadRises:
    """Return what the last 28 days of readings say of the site's load, or of a feeder's; raises NotFound."""
    row, pairs = await read_site(tx.session, site_id)
    site, since_at = site_spec(row), tx.now - LOOK_BACK
    if feeder_id is None:
        minutes = {SITE: await building_minutes(tx.session, site_id, since_at)}
    elif feeder_id in {feeder.feeder_id for feeder in await feeders_of(tx.session, site_id)}:
        minutes = await feeder_minutes(tx.session, site_id, feeder_id, since_at)
    else:
        raise NotFound("the site has no such feeder", field="feeder_id")
    slacks = [spec.lease_slack for _, spec in pairs if spec.is_controllable]
    horizon = horizon_of(site, max(slacks, default=APPLY_DELAY))
    return LoadRises(horizon, {key: evidence(of_row, horizon, tx.now) for key, of_row in minutes.items()})
