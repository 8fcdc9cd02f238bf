"""Keys that stations log in with, and their rotation, which survives a lost answer.

A new key is stored as pending before it leaves, beside the current one: either logs in, and the first login with the
pending one makes it the key (`admission`). Only where it is certain that the station does not have it is it dropped.
Keys are random, kept as salted SHA-256 and shown at most once.
"""

import secrets
import string
from dataclasses import dataclass, field

from app.domain.commands import Accepted, Outcome, Rejected, Unsupported, WriteSetting
from app.domain.errors import Conflict, NotFound, StationOffline
from app.operations.admission import hash_key
from app.operations.transaction import Tx
from app.store import station_queries
from app.store.station import StationRow

KEY_LENGTH = 20  # the most that OCPP 1.6 can hold, enough for 2.0.1 (16 to 40)
KEY_ALPHABET = string.ascii_letters + string.digits
SALT_BYTE_COUNT = 16
NEVER_SENT = {"invalid", "command_refused"}


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that is pending now. `command` gives it to the station, None where an operator does."""

    key: str = field(repr=False)
    hashed: bytes = field(repr=False)
    command: WriteSetting | None = field(repr=False)


def random_key() -> str:
    """Return a key that suits both dialects: about 119 bits."""
    return "".join(secrets.choice(KEY_ALPHABET) for _ in range(KEY_LENGTH))


def salted(key: str) -> tuple[bytes, bytes]:
    """Return a new salt and the key's hash with it."""
    salt = secrets.token_bytes(SALT_BYTE_COUNT)
    return salt, hash_key(salt, key.encode())


async def renew(tx: Tx, station_id: str, *, is_delivered: bool, is_forced: bool) -> NewKey:
    """Make a new key pending and return it.

    While one is pending that the station may have, replacing it could lock the station out when it comes back with
    that one: refused unless `is_forced`. Raises NotFound, Conflict, StationOffline (nothing has changed then).
    """
    row = await station_queries.locked_station(tx.session, station_id)
    if row is None:
        raise NotFound(f"there is no station {station_id}")
    if row.pending_hash is not None and not is_forced:
        raise Conflict("a key is pending that the station may already use; replacing it may lock it out", field="force")
    key = random_key()
    command = _command(row, key) if is_delivered else None
    row.pending_salt, row.pending_hash = salted(key)
    return NewKey(key, row.pending_hash, command)


def _command(row: StationRow, key: str) -> WriteSetting:
    """OCPP 1.6 whitepaper A01 wants the key's bytes as hexadecimal text; OCPP 2.0.1 A01 the password as it is."""
    if row.connection_id is None:
        raise StationOffline(f"{row.station_id} is not connected; a key can be made without delivering it")
    if row.connected_dialect == "ocpp1.6":
        return WriteSetting("AuthorizationKey", key.encode().hex())
    return WriteSetting("SecurityCtrlr.BasicAuthPassword", key)


async def settle(tx: Tx, station_id: str, new: NewKey, result: Outcome | str) -> None:
    """Keep both keys after an acceptance or a lost answer (`result` is an error's code then), else drop the new one."""
    row = await station_queries.locked_station(tx.session, station_id)
    if row is None or row.pending_hash != new.hashed:
        return
    match result:
        case Accepted():
            pass
        case Rejected() | Unsupported():
            row.pending_salt = row.pending_hash = None
        case str(code):
            if code in NEVER_SENT:
                row.pending_salt = row.pending_hash = None
