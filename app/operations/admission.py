"""Who may connect: a station's handshake against its provisioned key, and which socket of a station is the newest."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from app.bus.subjects import site_changed, site_limits, station_orders
from app.domain.identity import Admission, Knock, Proof, StationAdmitted, StationRefused
from app.operations import findings
from app.operations.transaction import Tx
from app.store.base import among, stored_text
from app.store.plan import LimitRow, sites_with_limits
from app.store.station import StationRow, lock_connections, note_stranger, write_connections

LONGEST_IDENTITY_COUNT = 48
NOBODY_SALT = b"nobody has this salt"
NOBODY_HASH = bytes(32)
CERTIFIED = 3
PLAIN = Proof()


def hash_key(salt: bytes, key: bytes) -> bytes:
    """Return the salted SHA-256 of an AuthorizationKey; enough, because keys are random and never chosen by people."""
    return hashlib.sha256(salt + key).digest()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A station's newest authenticated socket is up; the older one loses at once."""

    station_id: str
    dialect: str
    connection_id: str


@dataclass(frozen=True, slots=True)
class Departure:
    """A socket is gone."""

    station_id: str
    connection_id: str


async def admit(tx: Tx, knocks: Sequence[Knock], organisation: str | None = None) -> list[Admission]:
    """Decide handshakes, in their order.

    A station is let in when the security profile that it uses is at least its own (OCPP 2.0.1 A00, A05): 1 the right
    key, 2 the right key over TLS, 3 a certificate whose CN is the serial number that is expected of it (and whose
    organisation is ours, where one is set). An unknown identity, a wrong key and too low a profile cost the same: one
    query and the same hashes. A key may come as its hexadecimal text, as some products send it. The first login with a
    pending key makes it the key; the first one at the target profile makes that the least (A05.FR.02).
    """
    identities = {each.identity for each in knocks}
    storable = {each for each in identities if stored_text(each, LONGEST_IDENTITY_COUNT) == each}
    rows = await tx.session.scalars(select(StationRow).where(among(StationRow.station_id, storable)))
    stations = {row.station_id: row for row in rows}
    return [await _decide(tx, each, stations.get(each.identity), organisation) for each in knocks]


async def _decide(tx: Tx, knock: Knock, station: StationRow | None, organisation: str | None) -> Admission:
    key, proof = knock.key, knock.proof
    fits_current = _fits(key, None if station is None else (station.key_salt, station.key_hash))
    fits_pending = _fits(key, None if station is None else (station.pending_salt, station.pending_hash))
    if station is None:
        return StationRefused("unknown identity")
    is_certified = _is_certified(station, proof, organisation)
    used_profile = 3 if is_certified else (2 if proof.is_tls else 1) if fits_current or fits_pending else 0
    if used_profile < station.security_profile:
        return StationRefused(_why(station, key, proof, used_profile))
    if fits_pending and not fits_current:
        await _promote(tx, station)
    if station.target_profile is not None and used_profile >= station.target_profile:
        await _raise_profile(tx, station)
    serial = proof.common_name if is_certified else None
    return StationAdmitted(station.station_id, station.dialect, station.needs_boot, serial, station.is_commissioned)


def _is_certified(station: StationRow, proof: Proof, organisation: str | None) -> bool:
    is_its_own = proof.common_name is not None and proof.common_name == station.expected_serial
    return proof.is_tls and is_its_own and (organisation is None or proof.organisation == organisation)


def _why(station: StationRow, key: bytes | None, proof: Proof, used_profile: int) -> str:
    if station.security_profile == CERTIFIED and proof.common_name is not None:
        return "foreign certificate"
    if used_profile:
        return "lower profile"
    if station.security_profile == CERTIFIED and key is None:
        return "no certificate"
    return "no key" if key is None else "wrong key"


async def _promote(tx: Tx, station: StationRow) -> None:
    """The pending key was used: it is the key now, and the old one is dead."""
    promoted = {
        "key_salt": StationRow.pending_salt,
        "key_hash": StationRow.pending_hash,
        "pending_salt": None,
        "pending_hash": None,
    }
    same = update(StationRow).where(StationRow.station_id == station.station_id)
    same = same.where(StationRow.pending_hash == station.pending_hash)
    await tx.session.execute(same.values(promoted).execution_options(synchronize_session=False))


async def _raise_profile(tx: Tx, station: StationRow) -> None:
    """The station has shown that it can: from now on nothing less is let in (OCPP 2.0.1 A05)."""
    reached = update(StationRow).where(StationRow.station_id == station.station_id)
    reached = reached.where(StationRow.target_profile == station.target_profile)
    reached = reached.where(StationRow.security_profile < StationRow.target_profile)
    raised = {"security_profile": StationRow.target_profile, "target_profile": None}
    await tx.session.execute(reached.values(raised).execution_options(synchronize_session=False))


async def note_refusal(tx: Tx, identity: str, reason: str, address: str, count: int = 1) -> None:
    """Keep a refused handshake: a stranger to adopt, or a security event of the station that somebody claimed to be."""
    is_storable = bool(identity) and identity.isprintable() and len(identity) <= LONGEST_IDENTITY_COUNT
    if not is_storable or stored_text(identity, LONGEST_IDENTITY_COUNT) != identity:
        return
    if await tx.session.get(StationRow, identity) is None:
        await note_stranger(tx.session, identity, address, tx.now, count)
    else:
        await findings.note(tx, identity, reason.replace(" ", "_"), {"address": address[:64]}, count)


def _fits(key: bytes | None, expected: tuple[bytes | None, bytes | None] | None) -> bool:
    """Compare in the same time whatever is expected, also where nothing is."""
    salt, hashed = expected or (None, None)
    if salt is None or hashed is None:
        salt, hashed = NOBODY_SALT, NOBODY_HASH
    fits = hmac.compare_digest(hash_key(salt, key or b""), hashed)
    fits_as_hex = hmac.compare_digest(hash_key(salt, _from_hex(key or b"")), hashed)
    return key is not None and (fits or fits_as_hex)


def _from_hex(key: bytes) -> bytes:
    try:
        return bytes.fromhex(key.decode("ascii"))
    except ValueError:
        return key


async def move(tx: Tx, moves: Sequence[Arrival | Departure]) -> list[None]:
    """Remember which sockets are up, in the order of the moves.

    A socket is forgotten unless a newer one has taken its place: then nothing changes. The limit loop hears of stations
    where a limit is wanted or may be in force; for the others it would find nothing to do, and the station's own loop
    looks by itself.
    """
    connections = await lock_connections(tx.session, {each.station_id for each in moves})
    news: dict[str, tuple[str | None, str | None]] = {}
    for each in moves:
        current = news[each.station_id][0] if each.station_id in news else connections.get(each.station_id)
        if each.station_id not in connections:
            continue
        if isinstance(each, Arrival):
            news[each.station_id] = each.connection_id, each.dialect
        elif current == each.connection_id:
            news[each.station_id] = None, None
    await write_connections(tx.session, news, tx.now)
    for station_id in news:
        tx.ring(station_orders(station_id))
    for site_id in set((await sites_with_limits(tx.session, set(news))).values()):
        tx.ring(site_changed(site_id))
        tx.ring(site_limits(site_id))
    return [None] * len(moves)


async def forget_connections(tx: Tx) -> None:
    """At start-up no socket is up: nobody is connected, and what was being sent has an unknown outcome (R5, R7)."""
    await tx.session.execute(update(StationRow).where(StationRow.connection_id.is_not(None)).values(connection_id=None))
    open_ones = update(LimitRow).where(~LimitRow.is_closed, LimitRow.outcome.is_(None))
    await tx.session.execute(
        open_ones.where(LimitRow.taken_at.is_not(None)).values(outcome="unknown", outcome_at=tx.now)
    )
    await tx.session.execute(
        open_ones.where(LimitRow.taken_at.is_(None)).values(outcome="unsent", outcome_at=tx.now, is_closed=True)
    )
