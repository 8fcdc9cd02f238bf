"""Who knocks: the station's identity from the raw path, its key from basic authentication, and who knocks too often.

Pure but for the counting of failures. There is one parser of identities, for authentication and registration alike.
"""

import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from app.ocpp_central.dialect import Dialect

LONGEST_IDENTITY_COUNT = 48
LONGEST_KEY_BYTES = 64
MOST_SOURCES_COUNT = 10_000
PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def identity_of(raw_path: str) -> str | None:
    """Return the station identity: the last path segment, percent-decoded once; None where there is none.

    Any prefix, one trailing slash and a query are tolerated. 1 to 48 printable characters; ':' cannot be a user name
    and '/' cannot be a segment (OCPP 1.6J §3.1.1, OCPP 2.0.1 part 4).
    """
    path = raw_path.partition("?")[0].removesuffix("/")
    segment = path.rpartition("/")[2]
    if not segment or PERCENT.search(segment):
        return None
    try:
        identity = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return None
    if len(identity) > LONGEST_IDENTITY_COUNT or not identity.isprintable() or {":", "/"} & set(identity):
        return None
    return identity


@dataclass(frozen=True, slots=True)
class Credentials:
    """What basic authentication carried. `is_sound` is False where it cannot be this station's, whatever the key."""

    key: bytes | None
    is_sound: bool


def credentials_of(headers: Sequence[str], identity: str) -> Credentials:
    """Read the Authorization headers: split at the first ':' as bytes, the user must equal the identity.

    OCPP 1.6 security whitepaper A00.FR.204 and A00.FR.207; a 1.6 AuthorizationKey may be any bytes.
    """
    if not headers:
        return Credentials(None, is_sound=True)
    scheme, _, encoded = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "basic":
        return Credentials(None, is_sound=False)
    try:
        user, colon, key = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return Credentials(None, is_sound=False)
    if user != identity.encode() or not colon or len(key) > LONGEST_KEY_BYTES:
        return Credentials(None, is_sound=False)
    return Credentials(key, is_sound=True)


class FailureLimit:
    """Counts failed handshakes per source (address and identity) in a sliding window of real time.

    Only failures are limited: a correct key is checked and admitted however many wrong ones came before it.
    """

    def __init__(self, limit_count: int, window_s: float) -> None:
        self._limit_count = limit_count
        self._window_s = window_s
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def failed(self, address: str, identity: str, now_s: float) -> bool:
        """Count a failure; return whether the source has had too many."""
        source = (address, identity)
        recent = [at_s for at_s in self._failures.pop(source, []) if now_s - at_s < self._window_s]
        self._failures[source] = [*recent[-self._limit_count :], now_s]
        while len(self._failures) > MOST_SOURCES_COUNT:
            self._failures.popitem(last=False)
        return len(self._failures[source]) > self._limit_count

    def admitted(self, address: str, identity: str) -> None:
        """Forget the failures of a source."""
        self._failures.pop((address, identity), None)


def choose_dialect(
    provisioned: str | None, offered: Sequence[str], known: Mapping[str, Dialect]
) -> tuple[Dialect | None, str]:
    """Return the dialect to speak and an empty text, or None and the reason to close with.

    A station provisioned for OCPP 1.6 may offer no subprotocol at all; otherwise it must offer its own, or any known
    one where it is free to choose (its order counts). Without a common one the handshake is completed without the
    header, then closed (OCPP 1.6J §3.2).
    """
    if provisioned is None:
        common = [known[name] for name in offered if name in known]
        return (common[0], "") if common else (None, f"no common subprotocol; known: {', '.join(known)}")
    dialect = known.get(provisioned)
    if dialect is not None and (provisioned in offered or (not offered and dialect.is_subprotocol_optional)):
        return dialect, ""
    return None, f"this station is provisioned for {provisioned}"
