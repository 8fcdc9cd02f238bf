"""What is checked before a station's certificate is signed, and before a chain that came back is sent to it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from app.domain.errors import Invalid
from app.domain.facts import CertificateUse

LONGEST_CHAIN_COUNT = 10_000  # characters, OCPP 2.0.1 CertificateSignedRequest
MOST_CERTIFICATES_COUNT = 10
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
SKEW = timedelta(minutes=5)
HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def fault_of(request: str, use: CertificateUse, expected_name: str, organisation: str | None) -> str:
    """Return why a PKCS #10 request (PEM) is not signed; empty where it may be.

    OCPP 2.0.1 A02, A03: the signature proves the key; keys are strong enough (A00.FR.507 to A00.FR.509), for V2G what
    ISO 15118-2 names; a station's CN is its serial number, its organisation ours where one is set. `expected_name` is
    not compared for V2G, whose CN belongs to the SECC.
    """
    try:
        parsed = x509.load_pem_x509_csr(request.encode())
        if not parsed.is_signature_valid:
            return "the request's signature is wrong"
        if not isinstance(parsed.signature_hash_algorithm, HASHES):
            return "the request is signed with a weak hash"
        key = parsed.public_key()
        names = _texts(parsed.subject, NameOID.COMMON_NAME)
        organisations = _texts(parsed.subject, NameOID.ORGANIZATION_NAME)
    except (ValueError, UnsupportedAlgorithm):
        return "it is no PKCS #10 request in PEM"
    if not _is_strong(key, use):
        return "the key is too weak, or of a kind that is not used for this"
    if len(names) != 1 or not names[0]:
        return "the request needs one common name"
    if use is CertificateUse.STATION and names[0] != expected_name:
        return f"the common name is not {expected_name}"
    if use is CertificateUse.STATION and organisation is not None and organisations != [organisation]:
        return f"the organisation is not {organisation}"
    return ""


def _is_strong(key: object, use: CertificateUse) -> bool:
    if use is CertificateUse.V2G:
        return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    if isinstance(key, rsa.RSAPublicKey):
        return LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES)


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What is kept about a signed chain: its leaf's serial number (hexadecimal) and end."""

    serial_number: str
    expires_at: datetime


def read_chain(chain: str, request: str, now: datetime) -> ChainFacts:
    """Check that a chain (PEM, leaf first) answers a request; raises Invalid, naming `chain`."""
    if len(chain) > LONGEST_CHAIN_COUNT:
        raise Invalid(f"is longer than {LONGEST_CHAIN_COUNT} characters", field="chain")
    try:
        certificates = x509.load_pem_x509_certificates(chain.encode())
        asked = x509.load_pem_x509_csr(request.encode())
        leaf = certificates[0]
        is_same_key = _spki(leaf.public_key()) == _spki(asked.public_key())
        is_same_name = _texts(leaf.subject, NameOID.COMMON_NAME) == _texts(asked.subject, NameOID.COMMON_NAME)
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("is no chain of certificates in PEM", field="chain") from None
    if len(certificates) > MOST_CERTIFICATES_COUNT:
        raise Invalid(f"has more than {MOST_CERTIFICATES_COUNT} certificates", field="chain")
    if not is_same_key:
        raise Invalid("its first certificate is not for the key of the request", field="chain")
    if not is_same_name:
        raise Invalid("its first certificate has another common name than the request", field="chain")
    if leaf.not_valid_after_utc <= now:
        raise Invalid("has expired", field="chain")
    if leaf.not_valid_before_utc > now + SKEW:
        raise Invalid("is not valid yet", field="chain")
    _check_links(certificates)
    return ChainFacts(f"{leaf.serial_number:x}", leaf.not_valid_after_utc)


def _check_links(certificates: Sequence[x509.Certificate]) -> None:
    for certificate, issuer in pairwise(certificates):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            raise Invalid("every certificate must be issued by the one behind it", field="chain") from None


def _spki(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _texts(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(each.value) for each in name.get_attributes_for_oid(oid)]
