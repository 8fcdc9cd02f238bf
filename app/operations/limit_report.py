"""The safety report of a site: whether its limits hold now at every row, and with the controller off for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.errors import NotFound
from app.domain.snapshot import EvseSpec
from app.operations import measuring
from app.operations.obedience import doubted, why_steerless
from app.operations.transaction import Tx
from app.scheduling.burdens import Burden, burdens, place_of, why_resting_unsafe
from app.scheduling.demand_guard import cars_of
from app.scheduling.feeders import path
from app.scheduling.ledger import possible_w
from app.scheduling.orders import ledgers_of
from app.store import site_queries, station_queries
from app.store.electrical import feeders_of
from app.store.plan import desired_limits, open_limits
from app.store.site import lock_site
from app.store.specs import entry_of, read_site, site_spec
from app.store.station import EvseRow, StationRow

TOO_HIGH = "it drew more than may be in force; the next value of its meter decides"


@dataclass(frozen=True, slots=True)
class DoubtfulEvse:
    """An EVSE that counts with more than its safe current, or can be given no more, and why (empty: not so)."""

    station_id: str
    evse_number: int
    feeder_id: str | None
    unproven_for: str
    uncontrollable_for: str


@dataclass(frozen=True, slots=True)
class LimitReport:
    """How a site's limits stand at `at`.

    `unsafe` says, row by row, why INV-4 does not hold; empty: it does. `meter_troubles` is why a meter (by what it
    measures) is not relied on. `demand_cap_w` is what the demand guard lets all cars have now, None without a target.
    """

    site_id: str
    at: datetime
    surprised_count: int
    rows: tuple[Burden, ...]
    unsafe: tuple[str, ...]
    doubtful: tuple[DoubtfulEvse, ...]
    meter_troubles: Mapping[str, str]
    demand_cap_w: float | None

    @property
    def holds(self) -> bool:
        """Whether INV-1 holds at every row."""
        return all(row.holds for row in self.rows)

    @property
    def is_safe_unattended(self) -> bool:
        """Whether the site is safe with the controller off for ever (INV-4)."""
        return not self.unsafe


async def report(tx: Tx, site_id: str) -> LimitReport:
    """Return how the site's limits stand now; raises NotFound.

    It takes its turn with the limit loop, so that the tree and the ledger belong together.
    """
    if await site_queries.site(tx.session, site_id) is None:
        raise NotFound(f"there is no site {site_id}")
    await lock_site(tx.session, site_id)
    row, pairs = await read_site(tx.session, site_id)
    site = site_spec(row, await feeders_of(tx.session, site_id))
    evses = await doubted(tx, site_id, [spec for _, spec in pairs])
    entries = [entry_of(each) for each in await open_limits(tx.session, site_id)]
    ledgers = ledgers_of(evses, entries, tx.now, site.settle)
    in_force_w = {evse_id: possible_w(ledger, tx.now, site.settle) for evse_id, ledger in ledgers.items()}
    busy = {each.evse_id for each, _ in await desired_limits(tx.session, site_id)}
    measured = await measuring.look(tx, site, cars_of(evses, ledgers, in_force_w, busy))
    rows = burdens(site, evses, in_force_w, measured.loads)
    feeders = {feeder.feeder_id: feeder for feeder in site.feeders}
    above = {evse.evse_id: {None, *(each.feeder_id for each in path(evse.feeder_id, feeders))} for evse in evses}
    unsafe = [
        f"{place_of(each.key)}: {why_resting_unsafe(each, _unproven(evses, above, each))}"
        for each in rows
        if each.missing_resting
    ]
    told = [(evse, spec) for (evse, _), spec in zip(pairs, evses, strict=True)]
    odd = [(evse, spec) for evse, spec in told if not (spec.is_verified and spec.is_controllable)]
    stations = await station_queries.stations_among(tx.session, {evse.station_id for evse, _ in odd})
    doubtful = [_doubt(evse, spec, stations[evse.station_id]) for evse, spec in odd]
    return LimitReport(
        site_id=site_id,
        at=tx.now,
        surprised_count=site.surprised_count,
        rows=rows,
        unsafe=tuple(unsafe),
        doubtful=tuple(doubtful),
        meter_troubles=measured.bounds.troubles,
        demand_cap_w=measured.cap_w,
    )


def _unproven(evses: Sequence[EvseSpec], above: dict[int, set[str | None]], row: Burden) -> list[str]:
    """Return the EVSEs below a row whose default is not proven."""
    below = [evse for evse in evses if row.key[0] in above[evse.evse_id] and not evse.is_verified]
    return [f"{evse.station_id}/{evse.evse_number}" for evse in below]


def _doubt(evse: EvseRow, spec: EvseSpec, station: StationRow) -> DoubtfulEvse:
    uncontrollable_for = ""
    if evse.distrusted_at is not None:
        uncontrollable_for = evse.distrusted_for or "it does not do what it is told"
    elif not spec.is_controllable:
        uncontrollable_for = why_steerless(station)
    unproven_for = ""
    if not spec.is_verified:
        is_proven = evse.default_verified_at is not None
        why = TOO_HIGH if is_proven else "its default profile was not read back yet"
        unproven_for = evse.unproven_for or uncontrollable_for or why
    return DoubtfulEvse(evse.station_id, evse.evse_number, evse.feeder_id, unproven_for, uncontrollable_for)
