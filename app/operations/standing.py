"""How a station stands: whether there is anything to do at it. Read for many stations at once, when they come back.

What is due is then read again by whoever does it: this only spares those the looking for whom nothing is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.commands import RateUnit
from app.operations.transaction import Tx
from app.store import station_queries


@dataclass(frozen=True, slots=True)
class Standing:
    """`has_limit_work`: a default is unproven, an order waits, or an EVSE is to be helped along (`has_remedies`).

    `has_certificates`: one is to be signed or delivered. `lease_slack` is how late its leases may end, as far as known.
    `make` is what its fingerprint says of it (see `onboarding`); `set_up_as` the fingerprint that it was set up as
    (None: never), `is_set_up_again` whether that is to be repeated, `unmet` why settings are not met, `ended_at` when
    it was set up.
    """

    unit: RateUnit
    lease_slack: timedelta | None
    has_limit_work: bool
    has_remedies: bool
    has_certificates: bool
    make: tuple[str | None, ...]
    booted_at: datetime | None
    set_up_as: str | None
    is_set_up_again: bool
    unmet: frozenset[str]
    ended_at: datetime | None


async def of(tx: Tx, station_ids: Sequence[str]) -> list[Standing | None]:
    """Return how these stations stand, None for those that are not provisioned."""
    found = {
        row.station_id: Standing(
            unit=RateUnit(row.rate_unit),
            lease_slack=row.lease_slack,
            has_limit_work=row.has_limit_work,
            has_remedies=row.has_remedies,
            has_certificates=row.has_certificates,
            make=(row.vendor, row.model, row.serial, row.firmware),
            booted_at=row.booted_at,
            set_up_as=row.fingerprint,
            is_set_up_again=row.retry_at is not None,
            unmet=frozenset((row.unmet or {}).values()),
            ended_at=row.ended_at,
        )
        for row in await station_queries.standings(tx.session, set(station_ids))
    }
    return [found.get(station_id) for station_id in station_ids]
