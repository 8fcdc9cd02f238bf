"""Certificates that tests make themselves: an authority, leaves of every kind, and the files that a server wants."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.ocpp_central.tls import TlsFiles

DAY = timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def new_key(kind: str = "ecdsa", bits: int = 2048) -> Key:
    return rsa.generate_private_key(65537, bits) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


def subject(common_name: str, organisation: str | None = "Sunslot") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def request(common_name: str, key: Key | None = None, hashed: hashes.HashAlgorithm | None = None, **names) -> str:
    """A PKCS #10 request in PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(common_name, **names))
    return builder.sign(key or new_key(), hashed or hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Pair:
    """A certificate, its chain behind it, and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """A root with its key; everything it issues is written to `folder`."""

    def __init__(self, folder: Path, name: str, kind: str = "ecdsa") -> None:
        self.folder, self.name, self.key = folder, name, new_key(kind)
        self.certificate = self._issue(subject(name), self.key.public_key(), subject(name), is_authority=True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _issue(self, of, key, issuer, *, is_authority=False, purpose=None, start=-DAY, end=30 * DAY, hosts=()):
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(of).issuer_name(issuer).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + start).not_valid_after(now + end)
        builder = builder.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(hosts)), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def leaf(self, common_name: str, kind: str = "ecdsa", *, organisation="Sunslot", **how) -> Pair:
        """Issue a leaf; `purpose`, `start`, `end` and `hosts` as wanted."""
        key = new_key(kind)
        found = self._issue(subject(common_name, organisation), key.public_key(), self.certificate.subject, **how)
        stem = self.folder / f"{self.name}-{common_name}-{kind}-{found.serial_number:x}"
        pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        pair.certificate.write_bytes(found.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair

    def sign(self, csr: str, **how) -> str:
        """Sign a request as it is; return the leaf in PEM."""
        asked = x509.load_pem_x509_csr(csr.encode())
        found = self._issue(asked.subject, asked.public_key(), self.certificate.subject, **how)
        return found.public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Pki:
    """A whole public key infrastructure: server chains of both kinds, and roots that vouch for stations."""

    rsa: Authority
    ecdsa: Authority
    stations: Authority
    files: TlsFiles

    def client(self, pair: Pair | None = None) -> ssl.SSLContext:
        """A station's context that trusts the server's roots, with or without a certificate of its own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.rsa.path)
        context.load_verify_locations(self.ecdsa.path)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return context


def make_pki(folder: Path) -> Pki:
    rsa_root, ecdsa_root = Authority(folder, "rsa-root", "rsa"), Authority(folder, "ecdsa-root")
    stations = Authority(folder, "stations-root")
    hosts = [x509.DNSName("localhost")]
    rsa_leaf = rsa_root.leaf("localhost", "rsa", purpose=SERVER, hosts=hosts)
    ecdsa_leaf = ecdsa_root.leaf("localhost", purpose=SERVER, hosts=hosts)
    files = TlsFiles(rsa_leaf.certificate, rsa_leaf.key, ecdsa_leaf.certificate, ecdsa_leaf.key, stations.path)
    return Pki(rsa_root, ecdsa_root, stations, files)
