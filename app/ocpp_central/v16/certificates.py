"""What we tell an OCPP 1.6 station about certificates (security whitepaper A02, M03 to M05)."""

from typing import Any

from ocpp.v16 import call, enums

from app.domain.commands import Command, Outcome
from app.domain.errors import Invalid
from app.domain.facts import CertificateUse
from app.domain.upkeep import DeleteCertificate, DeliverCertificate, InstallCertificate, ReadCertificates, RootUse
from app.ocpp_central.dialect import Spelling, Unspeakable, list_of, text_of
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v16 import answers

USES = {
    RootUse.CENTRAL_SYSTEM: enums.CertificateUse.central_system_root_certificate,
    RootUse.MANUFACTURER: enums.CertificateUse.manufacturer_root_certificate,
}
ALGORITHMS = {str(algorithm) for algorithm in enums.HashAlgorithm}
MOST_CERTIFICATES_COUNT = 200


def _use(use: RootUse) -> enums.CertificateUse:
    if use not in USES:
        raise Unspeakable(f"OCPP 1.6 knows no {use} certificates")
    return USES[use]


def _install(command: InstallCertificate) -> Any:
    """OCPP 1.6 security whitepaper M05."""
    return call.InstallCertificate(_use(command.use), command.certificate)


def _delete(command: DeleteCertificate) -> Any:
    """OCPP 1.6 security whitepaper M04."""
    named = command.certificate
    if named.algorithm not in ALGORITHMS:
        raise Invalid("must be one of SHA256, SHA384, SHA512", field="algorithm")
    return call.DeleteCertificate(
        {
            "hash_algorithm": named.algorithm,
            "issuer_name_hash": named.issuer_name_hash,
            "issuer_key_hash": named.issuer_key_hash,
            "serial_number": named.serial_number,
        }
    )


def _read(command: ReadCertificates) -> Any:
    """OCPP 1.6 security whitepaper M03."""
    if command.use is None:
        raise Unspeakable("OCPP 1.6 lists the certificates of one use at a time")
    return call.GetInstalledCertificateIds(_use(command.use))


def _installed(command: ReadCertificates, payload: Payload) -> Outcome:
    """Return what is installed; a station without any says NotFound."""
    named = [each for each in list_of(payload, "certificateHashData") if isinstance(each, dict)]
    use = None if command.use is None else str(command.use)
    found = [{"use": use, **_hash(each)} for each in named[:MOST_CERTIFICATES_COUNT]]
    return answers.accepted_as("Accepted", "NotFound", detail=lambda _: {"certificates": found})(command, payload)


def _hash(told: Payload) -> dict[str, Any]:
    return {
        "algorithm": text_of(told, "hashAlgorithm", 10),
        "issuer_name_hash": text_of(told, "issuerNameHash", 128),
        "issuer_key_hash": text_of(told, "issuerKeyHash", 128),
        "serial_number": text_of(told, "serialNumber", 40),
    }


def _deliver(command: DeliverCertificate) -> Any:
    """OCPP 1.6 security whitepaper A02."""
    if command.use is not CertificateUse.STATION:
        raise Unspeakable(f"OCPP 1.6 knows no {command.use} certificates")
    return call.CertificateSigned(command.chain)


SPELLINGS: dict[type[Command], Spelling] = {
    InstallCertificate: Spelling(
        ("InstallCertificate",), _install, answers.plain, note="lossy: only the central system's and the maker's roots"
    ),
    DeleteCertificate: Spelling(("DeleteCertificate",), _delete, answers.plain),
    ReadCertificates: Spelling(
        ("GetInstalledCertificateIds",),
        _read,
        _installed,
        note="synthesised: an answer does not say the use, which is the one asked for; 1.6 cannot ask for all",
    ),
    DeliverCertificate: Spelling(
        ("CertificateSigned",), _deliver, answers.plain, note="lossy: only the station's own chain"
    ),
}
