"""Certificates that stations ask for, on real sockets: signed by an authority, delivered, and used to log in."""

import asyncio

import pytest
from charger import TIMEOUT_S, plugged
from cryptography.hazmat.primitives import serialization
from pki import Pair, new_key, request
from sqlalchemy import select, update

from app.domain.certificates import Deferred, Refused, Signed
from app.ocpp_central.server import Central, CentralOptions
from app.operations import certificates
from app.runtime.local_authority import LocalAuthority
from app.store.device import CertificateRow
from app.store.station import StationRow

pytestmark = pytest.mark.database

V16, V201 = "ocpp1.6", "ocpp2.0.1"
BOTH = pytest.mark.parametrize(("identity", "dialect"), [("cp16", V16), ("cp201", V201)])


class ScriptedAuthority:
    """Answers with what the test says, one after the other; an exception is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def sign(self, request, use, now):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def house(transactions, bus, park, pki):
    def make(authority, **changes):
        options = {"host": "localhost", "port": 0, "tls_port": 0, "tls_files": pki.files, "close_timeout_s": 1.0}
        return Central(transactions, bus, CentralOptions(**(options | changes)), authority)

    return make


async def rows(transactions):
    async with transactions() as tx:
        found = await tx.session.scalars(select(CertificateRow).order_by(CertificateRow.certificate_id))
        return [(row.state, row.reason) for row in found]


async def settled(transactions, *states):
    async with asyncio.timeout(TIMEOUT_S):
        while [state for state, _ in await rows(transactions)] != list(states):  # noqa: ASYNC110 - rows signal nothing
            await asyncio.sleep(0.02)
    return await rows(transactions)


def signing(csr):
    return {"csr": csr}


@pytest.mark.ocpp("1.6", "SignCertificate", "CertificateSigned")
@pytest.mark.ocpp("2.0.1", "SignCertificate", "CertificateSigned")
@BOTH
async def test_a_signed_certificate_is_delivered_and_lets_the_station_in_at_profile_3_a02(
    house, transactions, clock, tmp_path, pki, identity, dialect
):
    authority = LocalAuthority(tmp_path / "authority")
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(target_profile=3))
        await tx.session.execute(
            update(StationRow).where(StationRow.station_id == identity).values(expected_serial="S1")
        )
    key = new_key()
    roots = authority.station_roots(clock.at)
    files = pki.files.__class__(*(getattr(pki.files, name) for name in pki.files.__slots__[:4]), roots)
    central = house(authority, tls_files=files)
    async with central.serving():
        async with plugged(central.port, identity, dialect) as charger:
            assert (await charger.call("SignCertificate", signing(request("S1", key))))["status"] == "Accepted"
            (delivered,) = await charger.heard("CertificateSigned")
            await settled(transactions, "delivered")
        pair = Pair(tmp_path / "leaf.pem", tmp_path / "leaf.key")
        pair.certificate.write_text(delivered["certificateChain"])
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = pki.client(pair)
        async with plugged(central.tls_port, identity, dialect, ssl=context, authorization=None) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})
    async with transactions() as tx:
        assert (await tx.session.get_one(StationRow, identity)).security_profile == 3


@BOTH
async def test_a_request_that_may_not_be_signed_is_refused_with_its_reason(
    house, transactions, tmp_path, identity, dialect
):
    central = house(LocalAuthority(tmp_path / "authority"))
    async with central.serving(), plugged(central.port, identity, dialect) as charger:
        await charger.call("SignCertificate", signing(request("another")))
        ((_, reason),) = await settled(transactions, "refused")
        assert reason == f"the common name is not {identity}"
    assert not (tmp_path / "authority").exists()


@BOTH
async def test_a_lost_answer_is_asked_for_again_a_bounded_number_of_times(
    house, transactions, clock, tmp_path, identity, dialect
):
    central = house(LocalAuthority(tmp_path / "authority"), call_timeout_s=0.2)
    async with central.serving(), plugged(central.port, identity, dialect) as charger:
        charger.answers["CertificateSigned"] = None
        await charger.call("SignCertificate", signing(request(identity)))
        for count in range(1, certificates.MOST_ATTEMPTS_COUNT + 1):
            await charger.heard("CertificateSigned", count)
            await asyncio.sleep(0.3)
            clock.advance(minutes=2**count)
        ((_, reason),) = await settled(transactions, "failed")
        assert reason == "the station gave no answer"
        assert len(await charger.heard("CertificateSigned")) == certificates.MOST_ATTEMPTS_COUNT


async def test_a_station_that_was_away_gets_its_certificate_when_it_is_back(house, transactions, clock, tmp_path):
    central = house(LocalAuthority(tmp_path / "authority"))
    async with central.serving():
        async with plugged(central.port, "cp201", V201) as charger:
            charger.answers["CertificateSigned"] = None
            await charger.call("SignCertificate", signing(request("cp201")))
            await charger.heard("CertificateSigned")
        assert [state for state, _ in await rows(transactions)] == ["signed"]
        async with plugged(central.port, "cp201", V201) as charger:
            await charger.heard("CertificateSigned")
            await settled(transactions, "delivered")


async def test_what_the_station_or_the_authority_says_no_to_is_told(house, transactions, clock, tmp_path, pki):
    good = request("cp201", key := new_key())
    chain = pki.stations.sign(good)
    authority = ScriptedAuthority(
        Refused("over quota"), Deferred(), Signed(pki.stations.sign(request("cp201"))), OSError("down"), Signed(chain)
    )
    clock.at = clock.at.replace(year=2026, month=12)
    assert key
    central = house(authority)
    async with central.serving(), plugged(central.port, "cp201", V201) as charger:
        charger.answers["CertificateSigned"] = {"status": "Rejected"}
        for states in (
            ["refused"],
            ["refused", "asked"],
            ["refused", "failed", "failed"],
        ):
            await charger.call("SignCertificate", signing(good))
            found = await settled(transactions, *states)
        assert found[0][1] == "over quota"
        assert found[1][1] == "a newer request took its place"
        assert found[2][1].startswith("the authority's chain its first certificate is not for the key")
        await charger.call("SignCertificate", signing(good))
        await asyncio.sleep(0.2)
        clock.advance(minutes=5)
        found = await settled(transactions, *states, "failed")
        assert found[3][1] == "the station did not take it: Rejected"
