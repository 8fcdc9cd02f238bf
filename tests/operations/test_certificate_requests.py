import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pki import new_key, request

from app.domain.facts import CertificateUse
from app.operations.certificate_requests import fault_of

STATION, V2G = CertificateUse.STATION, CertificateUse.V2G


def weak_rsa():
    return new_key("rsa", 1024)


def tampered():
    lines = request("SN-1").splitlines()
    lines[1] = lines[1][:40] + ("A" if lines[1][40] != "A" else "B") + lines[1][41:]
    return "\n".join(lines)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_sound_request_may_be_signed_a02(kind):
    assert fault_of(request("SN-1", new_key(kind)), STATION, "SN-1", None) == ""
    assert fault_of(request("SN-1", new_key(kind)), STATION, "SN-1", "Sunslot") == ""


@pytest.mark.parametrize(
    ("csr", "organisation", "why"),
    [
        (lambda: request("SN-2"), None, "the common name is not SN-1"),
        (lambda: request("SN-1", organisation="Other"), "Sunslot", "the organisation is not Sunslot"),
        (lambda: request("SN-1", organisation=None), "Sunslot", "the organisation is not Sunslot"),
        (lambda: request("SN-1", weak_rsa()), None, "the key is too weak"),
        (lambda: request("SN-1", ec.generate_private_key(ec.SECP224R1())), None, "the key is too weak"),
        (lambda: request("SN-1", hashed=hashes.SHA224()), None, "weak hash"),
        (tampered, None, ""),
        (lambda: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", None, "no PKCS #10"),
        (lambda: "", None, "no PKCS #10"),
    ],
)
def test_other_requests_are_not_signed_and_say_why(csr, organisation, why):
    fault = fault_of(csr(), STATION, "SN-1", organisation)
    assert fault
    assert why in fault


def test_a_v2g_request_has_its_own_name_and_the_curve_of_iso_15118_a03():
    assert fault_of(request("SECC-9"), V2G, "SN-1", "Other") == ""
    assert "of a kind that is not used" in fault_of(request("SECC-9", new_key("rsa")), V2G, "SN-1", None)
