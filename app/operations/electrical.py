"""The electrical side of a site: its own numbers, its feeders and where its EVSEs are wired, changed as one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.bus.subjects import site_changed, site_limits, station_orders
from app.domain.commands import RateUnit
from app.domain.electrical import EvsePlace, Flaw, SiteModel
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.wiring import Feeder
from app.operations import proofs
from app.operations.room import check, model_of, place_of_evse, told
from app.operations.transaction import Tx
from app.store import site_queries
from app.store.electrical import feeders_of, replace_feeders
from app.store.plan import open_limits
from app.store.site import SiteRow, lock_site
from app.store.station import EvseRow, evses_of_site

Places = Mapping[tuple[str, int], Mapping[str, Any]]
"""(station, EVSE number) → fields of its `EvsePlace`; absent ones stay."""


@dataclass(frozen=True, slots=True)
class Electrical:
    """A site's root, its feeders by id and its EVSEs by station and number."""

    site: SiteRow
    feeders: tuple[Feeder, ...]
    places: tuple[EvsePlace, ...]


async def get(tx: Tx, site_id: str) -> Electrical:
    """Return a site's electrical side; raises NotFound."""
    site = await site_queries.site(tx.session, site_id)
    if site is None:
        raise NotFound(f"there is no site {site_id}")
    places = [place_of_evse(evse, station) for evse, station in await evses_of_site(tx.session, site_id)]
    places.sort(key=lambda place: (place.station_id, place.evse_number))
    return Electrical(site, await feeders_of(tx.session, site_id), tuple(places))


async def change(
    tx: Tx,
    site_id: str,
    values: Mapping[str, Any],
    feeders: Sequence[Feeder] | None = None,
    places: Places | None = None,
) -> Electrical:
    """Change columns of a site, replace its feeders (None: they stay) and wire EVSEs as `places` say: all or nothing.

    EVSEs that are not named stay where they are. Where something got tighter, the limit loop sheds; where a default
    profile becomes another one, it must be proven again and counts as nameplate until it is (rule R8). Raises NotFound,
    Invalid and Conflict, naming every node that is wrong: with new feeders the whole site must be right, else what
    changes.
    """
    await lock_site(tx.session, site_id)
    site = await site_queries.locked_site(tx.session, site_id)
    if site is None:
        raise NotFound(f"there is no site {site_id}")
    pairs = await evses_of_site(tx.session, site_id)
    evses = [evse for evse, _ in pairs]
    sent = {row.evse_id for row in await open_limits(tx.session, site_id)}
    stored = await feeders_of(tx.session, site_id)
    was = model_of(
        site, stored, [place_of_evse(*pair) for pair in pairs]
    )  # a query would write what is not checked yet
    for name, value in values.items():
        setattr(site, name, value)
    _rewire(evses, places or {})
    now = model_of(site, stored if feeders is None else feeders, [place_of_evse(*pair) for pair in pairs])
    check(now, None if feeders is not None else was, within="site." if feeders is None else "")
    for station_id in _unprove(evses, was, now, sent):
        tx.ring(station_orders(station_id))
    for (evse, station), before in zip(pairs, was.places, strict=True):
        if evse.is_dc and not before.is_dc:
            await proofs.spell(tx, station, RateUnit.W)
    await tx.session.flush()
    if feeders is not None:
        await replace_feeders(tx.session, site_id, feeders)
    tx.ring(site_changed(site_id))
    tx.ring(site_limits(site_id))
    return await get(tx, site_id)


def _rewire(evses: Sequence[EvseRow], places: Places) -> None:
    """Write where EVSEs are; raises Invalid for those that the site does not have."""
    by_place = {(evse.station_id, evse.evse_number): evse for evse in evses}
    station_ids = {evse.station_id for evse in evses}
    unknown = [
        Flaw("the station has no EVSE of this number", station_id=station_id, evse_number=number)
        if station_id in station_ids
        else Flaw("is no station of this site; provision it first", station_id=station_id)
        for station_id, number in places
        if (station_id, number) not in by_place
    ]
    if unknown:
        flaws = list(dict.fromkeys(unknown))
        raise Invalid(told(flaws), wrong=[(flaw.path, flaw.reason) for flaw in flaws])
    for place, fields in places.items():
        for name, value in fields.items():
            setattr(by_place[place], name, value)


def _unprove(evses: Sequence[EvseRow], was: SiteModel, now: SiteModel, sent: Collection[int]) -> set[str]:
    """Mark EVSEs whose default profile is another one now as unproven; return their stations.

    What an ampere means in W cannot change while limits that were sent may be in force: the ledger counts them in W.
    """
    stations: set[str] = set()
    for evse, before, after in zip(evses, was.planned(), now.planned(), strict=True):
        if before.w_per_a != after.w_per_a and evse.evse_id in sent:
            name = "phase_count" if before.phase_count != after.phase_count else "voltage_v"
            place = Flaw("", name, station_id=evse.station_id, evse_number=evse.evse_number).path
            field = place if name == "phase_count" else f"site.{name}"
            reason = (
                f"limits may be in force at {evse.station_id}, EVSE {evse.evse_number}; change it when no car is there"
            )
            raise Conflict(reason, field=field)
        if (before.w_per_a, before.safe_power_w) != (after.w_per_a, after.safe_power_w):
            proofs.unprove(evse)
            stations.add(evse.station_id)
    return stations
