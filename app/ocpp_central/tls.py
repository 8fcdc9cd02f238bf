"""TLS as the standard wants it: its four suites of TLS 1.2, and 1.3; an RSA and an ECDSA chain; stations' certificates.

OCPP 2.0.1 A00.FR.306 to A00.FR.319 and A00.FR.406 to A00.FR.429, OCPP 1.6 security whitepaper A00.FR.306 and following.
"""

import ssl
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import structlog

from app.domain.identity import Proof

log = structlog.get_logger()

# OCPP 2.0.1 A00.FR.318: TLS_ECDHE_ECDSA_… and TLS_RSA_…, each with 128 and 256 bits, as OpenSSL names them.
SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: chains (leaf first) and their keys; at least one pair. `station_roots` vouch for stations."""

    rsa_certificate: Path | None = None
    rsa_key: Path | None = None
    ecdsa_certificate: Path | None = None
    ecdsa_key: Path | None = None
    station_roots: Path | None = None


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context that speaks what the standard names and nothing else.

    Clients may show a certificate; one that no station root vouches for ends the TLS handshake. Sessions are not
    resumed by ticket, so that a certificate is looked at every time. Raises OSError (ssl.SSLError is one) for files
    that are missing or do not fit together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(SUITES))
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    pairs = ((files.rsa_certificate, files.rsa_key), (files.ecdsa_certificate, files.ecdsa_key))
    for certificate, key in pairs:
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    if files.station_roots is not None:
        context.load_verify_locations(files.station_roots)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


class TlsMaterial:
    """The context of new connections, read again when a file has changed; broken files leave the old one in force."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen = self._look()
        self._context = server_context(files)

    def context(self) -> ssl.SSLContext:
        """Return the context for a new connection."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            try:
                self._context = server_context(self._files)
            except OSError as broken:
                log.error("tls_files_not_taken", error=type(broken).__name__, reason=broken.strerror)
            else:
                log.info("tls_files_taken")
        return self._context

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(getattr(self._files, each.name)) for each in fields(self._files))


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def proof_of(is_tls: bool, certificate: dict[str, Any] | None) -> Proof:
    """Return what a connection proved; `certificate` is what `SSLSocket.getpeercert()` says of a verified one."""
    names = {name: value for part in (certificate or {}).get("subject", ()) for name, value in part}
    return Proof(is_tls, names.get("commonName"), names.get("organizationName"))


def why_failed(failed: OSError) -> str:
    """Return why a TLS handshake failed, of a certificate as far as it goes: "certificate has expired"."""
    said = getattr(failed, "verify_message", None) or getattr(failed, "reason", None)
    return str(said or type(failed).__name__).replace("_", " ").lower()
