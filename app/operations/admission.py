"""Who may connect: a station's handshake against its provisioned key, and which socket of a station is the newest."""

import hashlib
import hmac

from sqlalchemy import update

from app.bus.subjects import site_changed, site_limits, station_orders
from app.domain.identity import Admission, StationAdmitted, StationRefused
from app.operations.transaction import Tx
from app.store.base import stored_text
from app.store.plan import LimitRow
from app.store.station import StationRow, note_stranger, quarantine

LONGEST_IDENTITY_COUNT = 48
NOBODY_SALT = b"nobody has this salt"
NOBODY_HASH = bytes(32)


def hash_key(salt: bytes, key: bytes) -> bytes:
    """Return the salted SHA-256 of an AuthorizationKey; enough, because keys are random and never chosen by people."""
    return hashlib.sha256(salt + key).digest()


async def admit(tx: Tx, identity: str, key: bytes | None, address: str) -> Admission:
    """Decide a handshake. `key` is what basic authentication carried, None without it.

    An unknown identity and a wrong key cost the same: one hash and one written row (the stranger, or a note of the
    attempt). Some products send the key as its hexadecimal text: both are accepted.
    """
    station = None
    if stored_text(identity, LONGEST_IDENTITY_COUNT) == identity:
        station = await tx.session.get(StationRow, identity)
    is_right = _fits(station, key)
    if station is None:
        if identity and len(identity) <= LONGEST_IDENTITY_COUNT and identity.isprintable():
            await note_stranger(tx.session, identity, address, tx.now)
        return StationRefused("unknown identity")
    if not is_right and station.security_profile > 0:
        reason = "no key" if key is None else "wrong key"
        await quarantine(tx.session, station.station_id, tx.now, "Handshake", reason, {"address": address[:64]})
        return StationRefused(reason)
    return StationAdmitted(station.station_id, station.dialect, station.needs_boot)


def _fits(station: StationRow | None, key: bytes | None) -> bool:
    salt, expected = NOBODY_SALT, NOBODY_HASH
    if station is not None and station.key_salt is not None and station.key_hash is not None:
        salt, expected = station.key_salt, station.key_hash
    fits = hmac.compare_digest(hash_key(salt, key or b""), expected)
    fits_as_hex = hmac.compare_digest(hash_key(salt, _from_hex(key or b"")), expected)
    return key is not None and (fits or fits_as_hex)


def _from_hex(key: bytes) -> bytes:
    try:
        return bytes.fromhex(key.decode("ascii"))
    except ValueError:
        return key


async def connected(tx: Tx, station_id: str, dialect: str, connection_id: str) -> None:
    """Remember a station's newest authenticated socket; the older one loses at once."""
    station = await tx.session.get(StationRow, station_id, with_for_update={"key_share": True}, populate_existing=True)
    if station is None:
        return
    station.connection_id = connection_id
    station.connected_dialect = dialect
    station.connected_at = station.last_seen_at = tx.now
    _ring(tx, station)


async def disconnected(tx: Tx, station_id: str, connection_id: str) -> None:
    """Forget a socket, unless a newer one has taken its place: then nothing changes."""
    station = await tx.session.get(StationRow, station_id, with_for_update={"key_share": True}, populate_existing=True)
    if station is None or station.connection_id != connection_id:
        return
    station.connection_id = None
    _ring(tx, station)


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


def _ring(tx: Tx, station: StationRow) -> None:
    tx.ring(site_changed(station.site_id))
    tx.ring(site_limits(station.site_id))
    tx.ring(station_orders(station.station_id))
