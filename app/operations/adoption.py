"""How a station comes to its site: who it is, where its EVSEs are wired, and the key that admits it."""

from collections.abc import Sequence

from app.bus.subjects import site_changed, site_limits
from app.domain.commands import RateUnit
from app.domain.electrical import EvsePlace
from app.domain.errors import Conflict, Invalid
from app.operations.room import check, model_of, place_of_evse
from app.operations.station_keys import random_key, salted
from app.operations.transaction import Tx
from app.store import certificate_queries, site_queries, station_queries
from app.store.electrical import feeders_of
from app.store.site import SiteRow
from app.store.station import EvseRow, StationRow, evses_of_site

CERTIFIED = 3


async def adopt(
    tx: Tx,
    *,
    station_id: str,
    site_id: str,
    security_profile: int,
    evses: Sequence[EvsePlace],
    dialect: str | None = None,
    key: str | None = None,
    is_commissioned: bool = True,
    expected_serial: str | None = None,
) -> str:
    """Provision a station with its EVSEs and return its key, shown this once.

    The key suits both dialects; a station of security profile 0 gets one too, for the day it is raised to 1. A stranger
    of that identity leaves the list. One that is not commissioned is told to wait. Raises Invalid, Conflict.
    """
    site = await site_queries.locked_site(tx.session, site_id)
    if site is None:
        raise Invalid("there is no such site", field="site_id")
    if await station_queries.station(tx.session, station_id) is not None:
        raise Conflict(f"the station {station_id} is provisioned already", field="station_id")
    await _check_places(tx, site, station_id, evses)
    if security_profile == CERTIFIED and expected_serial is None:
        raise Invalid("profile 3 compares the certificate with it", field="expected_serial")
    await check_serial(tx, station_id, expected_serial)
    secret = key or random_key()
    salt, hashed = salted(secret)
    tx.session.add(
        StationRow(
            station_id=station_id,
            site_id=site_id,
            security_profile=security_profile,
            key_salt=salt,
            key_hash=hashed,
            dialect=dialect,
            is_commissioned=is_commissioned,
            rate_unit=(RateUnit.W if any(evse.is_dc for evse in evses) else RateUnit.A).value,
            expected_serial=expected_serial,
            created_at=tx.now,
        )
    )
    await tx.session.flush()
    await _add_evses(tx, evses)
    await station_queries.forget_stranger(tx.session, station_id)
    tx.ring(site_changed(site_id))
    tx.ring(site_limits(site_id))
    return secret


async def _check_places(tx: Tx, site: SiteRow, station_id: str, evses: Sequence[EvsePlace]) -> None:
    """The EVSEs can be meant, and every row of the site bears their safe currents too (site-limit INV-4)."""
    feeders = await feeders_of(tx.session, site.site_id)
    places = [place_of_evse(evse, station) for evse, station in await evses_of_site(tx.session, site.site_id)]
    was = model_of(site, feeders, places)
    check(model_of(site, feeders, [*places, *evses]), was, within=f"stations.{station_id}.")


async def _add_evses(tx: Tx, evses: Sequence[EvsePlace]) -> None:
    for place in evses:
        tx.session.add(
            EvseRow(
                station_id=place.station_id,
                evse_number=place.evse_number,
                max_current_a=place.max_current_a,
                phase_count=place.phase_count,
                feeder_id=place.feeder_id,
                wiring=place.wiring.value,
                min_current_a=place.min_current_a,
                is_dc=place.is_dc,
            )
        )
        await tx.session.flush()


async def check_serial(tx: Tx, station_id: str, serial: str | None) -> None:
    """No two stations may be meant by one certificate; raises Conflict."""
    if serial is not None and await certificate_queries.expects_serial(tx.session, serial, besides=station_id):
        raise Conflict("another station has this serial number or identity", field="expected_serial")
