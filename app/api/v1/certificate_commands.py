"""Commands on the certificates that a station trusts (OCPP 1.6 whitepaper and 2.0.1: M03 to M05)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import StringConstraints

from app.api.models import In
from app.api.v1.command_desk import ANSWERS, Desk, OutcomeOut, outcome_out
from app.api.v1.texts import CertificateText
from app.domain.commands import Accepted, Unsupported
from app.domain.upkeep import CertificateHash, DeleteCertificate, InstallCertificate, ReadCertificates, RootUse

router = APIRouter(prefix="/v1/stations/{station_id}/commands", tags=["commands"], responses=ANSWERS)

Hex = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,128}$")]
SerialNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,40}$")]
EVERYWHERE = (RootUse.CENTRAL_SYSTEM, RootUse.MANUFACTURER)


class InstallCertificateIn(In):
    """A root certificate (PEM) to trust, and for what."""

    use: RootUse
    certificate: CertificateText


class DeleteCertificateIn(In):
    """A certificate by its hashes, as `read-certificates` names it."""

    algorithm: Literal["SHA256", "SHA384", "SHA512"]
    issuer_name_hash: Hex
    issuer_key_hash: Hex
    serial_number: SerialNumber


class ReadCertificatesIn(In):
    """Those for one use, or all."""

    use: RootUse | None = None


@router.post("/install-certificate", operation_id="install_certificate", summary="Install a root certificate")
async def install_certificate(desk: Desk, body: InstallCertificateIn) -> OutcomeOut:
    """Have the station trust a root certificate from now on."""
    return await desk.send(InstallCertificate(body.use, body.certificate))


@router.post("/delete-certificate", operation_id="delete_certificate", summary="Delete a root certificate")
async def delete_certificate(desk: Desk, body: DeleteCertificateIn) -> OutcomeOut:
    """Have the station no longer trust a root certificate."""
    named = CertificateHash(body.algorithm, body.issuer_name_hash, body.issuer_key_hash, body.serial_number)
    return await desk.send(DeleteCertificate(named))


@router.post("/read-certificates", operation_id="read_certificates", summary="Read the installed certificates")
async def read_certificates(desk: Desk, body: ReadCertificatesIn) -> OutcomeOut:
    """Read which root certificates the station trusts; where a version asks use by use, all of its uses are asked."""
    outcome = await desk.outcome_of(ReadCertificates(body.use))
    if body.use is not None or not isinstance(outcome, Unsupported):
        return outcome_out(outcome)
    found: list[Any] = []
    for use in EVERYWHERE:
        told = await desk.outcome_of(ReadCertificates(use))
        if isinstance(told, Unsupported):
            return outcome_out(told)
        found += told.detail.get("certificates", []) if isinstance(told, Accepted) else []
    return outcome_out(Accepted({"certificates": found}))
