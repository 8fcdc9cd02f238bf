import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pki import new_key, request

from app.domain.errors import Invalid
from app.domain.facts import CertificateUse
from app.ocpp_central.tls import server_context
from app.operations.certificate_requests import read_chain
from app.runtime.house import tls_files
from app.runtime.local_authority import LocalAuthority
from app.settings import Settings

NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path):
    return LocalAuthority(tmp_path / "authority")


def purposes(chain):
    leaf = x509.load_pem_x509_certificate(chain.encode())
    return list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
async def test_stations_get_client_certificates_that_its_roots_vouch_for(authority, kind):
    csr = request("SN-1", new_key(kind))
    signed = await authority.sign(csr, CertificateUse.STATION, NOW)
    assert read_chain(signed.chain, csr, NOW).expires_at == NOW + timedelta(days=397)
    assert purposes(signed.chain) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    roots = x509.load_pem_x509_certificates(authority.station_roots(NOW).read_bytes())
    leaf = x509.load_pem_x509_certificate(signed.chain.encode())
    (issuer,) = [root for root in roots if root.subject == leaf.issuer]
    leaf.verify_directly_issued_by(issuer)


async def test_v2g_certificates_come_from_a_root_that_opens_no_door_here(authority):
    signed = await authority.sign(request("SECC"), CertificateUse.V2G, NOW)
    assert purposes(signed.chain) == [ExtendedKeyUsageOID.SERVER_AUTH]
    roots = x509.load_pem_x509_certificates(authority.station_roots(NOW).read_bytes())
    issuer = x509.load_pem_x509_certificate(signed.chain.encode()).issuer
    assert issuer not in [root.subject for root in roots]


def test_our_own_chains_are_made_once_renewed_in_time_and_kept_secret(authority, tmp_path):
    files = authority.server_files(["localhost", "10.0.0.1"], NOW)
    server_context(files)
    first = files.rsa_certificate.read_bytes()
    for each in (tmp_path / "authority").iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    authority.server_files(["localhost", "10.0.0.1"], NOW + timedelta(days=360))
    assert files.rsa_certificate.read_bytes() == first
    authority.server_files(["localhost", "10.0.0.1"], NOW + timedelta(days=370))
    renewed = files.rsa_certificate.read_bytes()
    assert renewed != first
    authority.server_files(["sunslot.example"], NOW + timedelta(days=370))
    names = x509.load_pem_x509_certificate(files.rsa_certificate.read_bytes()).extensions
    assert names.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == [
        "sunslot.example"
    ]


def test_tls_is_off_by_default_and_files_that_are_not_there_are_named(authority, tmp_path):
    assert tls_files(Settings(data_dir=tmp_path), authority, NOW) is None
    assert not (tmp_path / "authority").exists()
    with pytest.raises(Invalid) as missing:
        tls_files(Settings(ocpp_tls_port=0, ocpp_tls_rsa_key=tmp_path / "gone"), authority, NOW)
    assert missing.value.field == "SUNSLOT_OCPP_TLS_RSA_KEY"


def test_configured_files_win_and_the_local_roots_vouch_for_stations_unless_others_do(authority, tmp_path):
    made = authority.server_files(["localhost"], NOW)
    given = {
        "ocpp_tls_port": 0,
        "ocpp_tls_ecdsa_certificate": made.ecdsa_certificate,
        "ocpp_tls_ecdsa_key": made.ecdsa_key,
    }
    found = tls_files(Settings(**given), authority, NOW)
    assert (found.rsa_certificate, found.station_roots) == (None, made.station_roots)
    manual = tls_files(Settings(**given, ocpp_certificate_authority="manual"), authority, NOW)
    assert manual.station_roots is None
    other = tmp_path / "others.pem"
    other.write_bytes(made.station_roots.read_bytes())
    assert tls_files(Settings(**given, ocpp_station_ca=other), authority, NOW).station_roots == other
