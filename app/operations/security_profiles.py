"""Raising a station's security profile: what has to be there first, how the station is told, and the ratchet.

OCPP 2.0.1 A05, B09; OCPP 1.6 security whitepaper A05. The target is stored before the station hears of it, because it
may come back at once; the first login at the target makes it the least that is let in (`admission`), and nothing ever
lowers it.
"""

from dataclasses import dataclass
from typing import Any

from app.domain.commands import Command, ReadSettings, WriteSetting
from app.domain.errors import Conflict, Invalid, NotFound, StationOffline
from app.domain.facts import CertificateUse
from app.domain.upkeep import SetNetwork
from app.operations import certificates
from app.operations.transaction import Tx
from app.store import station_queries

ENCRYPTED, CERTIFIED = 2, 3
ACTIVE, PRIORITY = "OCPPCommCtrlr.ActiveNetworkProfile", "OCPPCommCtrlr.NetworkConfigurationPriority"
READ_NETWORK = ReadSettings((ACTIVE, PRIORITY))


@dataclass(frozen=True, slots=True)
class PublicUrls:
    """Where stations reach us, without and with TLS, up to their identity; None: not told."""

    plain: str | None = None
    tls: str | None = None


@dataclass(frozen=True, slots=True)
class Raise:
    """A station that is being raised to `profile`, where it is to connect then, and what it speaks now."""

    profile: int
    previous: int | None
    url: str
    dialect: str


async def check(tx: Tx, station_id: str, profile: int, urls: PublicUrls, *, is_prepared: bool) -> Raise:
    """Return how a station is to be raised; nothing is changed yet.

    `is_prepared`: the operator knows that the station has its certificates. Raises NotFound, Invalid, Conflict,
    StationOffline.
    """
    row = await station_queries.station(tx.session, station_id)
    if row is None:
        raise NotFound(f"there is no station {station_id}")
    if profile <= row.security_profile:
        raise Invalid(f"must be above {row.security_profile}; a security profile is never lowered", field="profile")
    url = urls.tls if profile >= ENCRYPTED else urls.plain
    if url is None:
        setting = "SUNSLOT_OCPP_TLS_PUBLIC_URL" if profile >= ENCRYPTED else "SUNSLOT_OCPP_PUBLIC_URL"
        raise Conflict(f"stations have to be told where to connect; {setting} is not set")
    if profile == CERTIFIED and row.expected_serial is None:
        raise Conflict("profile 3 compares the certificate with expected_serial, which is not set", field="profile")
    if (
        profile == CERTIFIED
        and not is_prepared
        and not await certificates.has_valid(tx, station_id, CertificateUse.STATION)
    ):
        raise Conflict("the station has no valid certificate of ours; have it ask for one first", field="profile")
    if row.connection_id is None or row.connected_dialect is None:
        raise StationOffline(f"{station_id} is not connected")
    return Raise(profile, row.target_profile, url, row.connected_dialect)


async def aim(tx: Tx, station_id: str, profile: int | None) -> None:
    """Set (or take back) the profile that the station's first login reaches."""
    row = await station_queries.locked_station(tx.session, station_id)
    if row is not None and (profile is None or profile > row.security_profile):
        row.target_profile = profile


def commands(raised: Raise, network: dict[str, Any]) -> tuple[Command, ...]:
    """Return what the station is told; `network` is what a 2.0.1 station said to `READ_NETWORK`.

    A 2.0.1 station gets a network profile in a slot that it is not using, put first; the old one stays behind it until
    the new one has worked (A05.FR.01). It changes over when it restarts.
    """
    if raised.dialect == "ocpp1.6":
        return (WriteSetting("SecurityProfile", str(raised.profile)),)
    active = str(network.get(ACTIVE) or "1")
    slot = "2" if active == "1" else "1"
    others = [each.strip() for each in str(network.get(PRIORITY) or active).split(",")]
    priority = ",".join([slot, *(each for each in others if each and each != slot)])
    return SetNetwork(int(slot), raised.url, raised.profile), WriteSetting(PRIORITY, priority)
