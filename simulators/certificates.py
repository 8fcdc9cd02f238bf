"""Root certificates that a station trusts, its own key and the chain for it (OCPP 1.6 whitepaper A02, M03 to M05)."""

import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from simulators.messages import Payload

MOST_COUNT = 100
ORGANISATION = "Sunslot"


def is_pem(text: str) -> bool:
    """Whether a text holds certificates."""
    try:
        return bool(x509.load_pem_x509_certificates(text.encode()))
    except ValueError:
        return False


def hash_of(certificate: str) -> Payload:
    """Return how a self-signed root is named (OCPP 2.0.1 CertificateHashDataType); raises ValueError."""
    root = x509.load_pem_x509_certificate(certificate.encode())
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": hashlib.sha256(root.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": hashlib.sha256(_key_bits(root)).hexdigest(),
        "serialNumber": f"{root.serial_number:x}",
    }


def _key_bits(root: x509.Certificate) -> bytes:
    """Return the key without tag, length and algorithm (RFC 6960 §4.1.1)."""
    key = root.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    raise ValueError("neither an elliptic curve nor RSA")


@dataclass(slots=True)
class Certificates:
    """What is installed, as (use in the dialect's own word, name)."""

    installed: list[tuple[str, Payload]] = field(default_factory=list)
    chain: str | None = None
    _key: ec.EllipticCurvePrivateKey | None = None

    def install(self, use: str, certificate: str) -> str:
        """Trust a root; return the status in both dialects' word."""
        try:
            entry = (use, hash_of(certificate))
        except ValueError:
            return "Rejected"
        if entry not in self.installed and len(self.installed) >= MOST_COUNT:
            return "Failed"
        self.installed = [*(each for each in self.installed if each != entry), entry]
        return "Accepted"

    def delete(self, name: Payload) -> str:
        """Forget a root; return the status in both dialects' word."""
        kept = [(use, held) for use, held in self.installed if held != name]
        status = "Accepted" if len(kept) < len(self.installed) else "NotFound"
        self.installed = kept
        return status

    def of(self, uses: list[str] | None) -> list[tuple[str, Payload]]:
        """Return what is installed for these uses; None: all."""
        return [(use, name) for use, name in self.installed if uses is None or use in uses]

    def request(self, identity: str) -> str:
        """Make a new key and return the request to have it signed (PEM)."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, identity[:64]),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            ]
        )
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self._key, hashes.SHA256())
        return request.public_bytes(Encoding.PEM).decode()

    def deliver(self, chain: str) -> bool:
        """Take the signed chain; False where its leaf is not for the key that was asked for."""
        if self._key is None or not is_pem(chain):
            return False
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
        if leaf.public_key() != self._key.public_key():
            return False
        self.chain = chain
        return True
