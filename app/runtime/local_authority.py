"""A certificate authority of our own in the data folder, for development and small sites without one.

Three roots: RSA and ECDSA vouch for stations and for our own two server chains, V2G for nothing else. What a leaf may
be used for stands in it (extended key usage), so that none of them can be taken for another kind. TLS is judged by the
wall clock, and `now` is given by whoever calls.
"""

import asyncio
import ipaddress
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.domain.certificates import Signed, Signing
from app.domain.facts import CertificateUse
from app.ocpp_central.tls import TlsFiles

ROOT_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=397)
RENEWED_BEFORE = timedelta(days=30)
SKEW = timedelta(hours=1)
ROOT_RSA_BITS, LEAF_RSA_BITS = 3072, 2048
RSA, ECDSA, V2G = "rsa", "ecdsa", "v2g"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class LocalAuthority:
    """See the module. Roots are made when they are first needed; keys have mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def sign(self, request: str, use: CertificateUse, now: datetime) -> Signing:
        """Sign a checked request."""
        return Signed(await asyncio.to_thread(self._sign_request, request, use, now))

    def _sign_request(self, request: str, use: CertificateUse, now: datetime) -> str:
        parsed = x509.load_pem_x509_csr(request.encode())
        key = parsed.public_key()
        is_v2g = use is CertificateUse.V2G
        root = V2G if is_v2g else RSA if isinstance(key, rsa.RSAPublicKey) else ECDSA
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if is_v2g else ExtendedKeyUsageOID.CLIENT_AUTH
        return _pem(self._leaf(root, parsed.subject, key, purpose, now)).decode()

    def server_files(self, hosts: Sequence[str], now: datetime) -> TlsFiles:
        """Return our own chains for these names and addresses, made or renewed where less than 30 days are left."""
        roots = self.station_roots(now)
        for name in (RSA, ECDSA):
            certificate, key = self._folder / f"server-{name}.pem", self._folder / f"server-{name}.key"
            if not _is_fresh(certificate, key, hosts, now):
                self._make_server(name, certificate, key, hosts, now)
        return TlsFiles(
            self._folder / "server-rsa.pem",
            self._folder / "server-rsa.key",
            self._folder / "server-ecdsa.pem",
            self._folder / "server-ecdsa.key",
            roots,
        )

    def station_roots(self, now: datetime) -> Path:
        """Return the file of the roots that vouch for stations."""
        roots = [_pem(self._root(name, now)[0]) for name in (RSA, ECDSA)]
        path = self._folder / "station-roots.pem"
        _write(path, b"".join(roots))
        return path

    def _make_server(self, name: str, certificate: Path, key: Path, hosts: Sequence[str], now: datetime) -> None:
        private = _new_key(name, LEAF_RSA_BITS)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
        leaf = self._leaf(name, subject, private.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, now, hosts)
        _write(key, _pem_of_key(private))
        _write(certificate, _pem(leaf))

    def _leaf(
        self,
        root: str,
        subject: x509.Name,
        key: CertificatePublicKeyTypes,
        purpose: x509.ObjectIdentifier,
        now: datetime,
        hosts: Sequence[str] = (),
    ) -> x509.Certificate:
        issuer, issuer_key = self._root(root, now)
        builder = _builder(subject, issuer.subject, key, now, min(now + LEAF_LIFE, issuer.not_valid_after_utc))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(is_authority=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = builder.add_extension(issuer_id, critical=False)
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False
            )
        return builder.sign(issuer_key, hashes.SHA256())

    def _root(self, name: str, now: datetime) -> tuple[x509.Certificate, PrivateKey]:
        certificate, key = self._folder / f"root-{name}.pem", self._folder / f"root-{name}.key"
        if not (certificate.exists() and key.exists()):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            private = _new_key(name, ROOT_RSA_BITS)
            _write(key, _pem_of_key(private))
            _write(certificate, _pem(_root_certificate(name, private, now)))
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, PrivateKey)  # noqa: S101 - we wrote it
        return x509.load_pem_x509_certificate(certificate.read_bytes()), loaded


def _new_key(name: str, rsa_bits: int) -> PrivateKey:
    return rsa.generate_private_key(65537, rsa_bits) if name == RSA else ec.generate_private_key(ec.SECP256R1())


def _root_certificate(name: str, key: PrivateKey, now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Sunslot local root {name.upper()}")])
    builder = _builder(subject, subject, key.public_key(), now, now + ROOT_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(is_authority=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, now: datetime, until_at: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - SKEW).not_valid_after(until_at)


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=not is_authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _is_fresh(certificate: Path, key: Path, hosts: Sequence[str], now: datetime) -> bool:
    if not (certificate.exists() and key.exists()):
        return False
    leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return list(names) == [_host(each) for each in hosts] and leaf.not_valid_after_utc - now > RENEWED_BEFORE


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file that only we can read, as a whole or not at all; the same content is left alone."""
    if path.exists() and path.read_bytes() == content:
        return
    part = path.with_suffix(path.suffix + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    part.replace(path)
