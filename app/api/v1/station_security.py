"""How a station logs in: its key, its security profile, its certificates."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from app.api.deps import Asked, StationKeeper, Transaction
from app.api.models import LARGEST_ID, In, Out, PageOut, StationIdPath
from app.api.problems import documented
from app.api.v1.command_desk import ANSWERS, Desk, OutcomeOut, outcome_out
from app.api.v1.texts import CertificateText
from app.domain.commands import Accepted, Outcome, Trigger
from app.domain.errors import Conflict
from app.domain.upkeep import ReadCertificates, RootUse
from app.operations import certificates, security_profiles, station_keys

router = APIRouter(prefix="/v1/stations/{station_id}", tags=["station security"])

CertificateId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Flag = Annotated[bool, Field(strict=True)]


class KeyIn(In):
    """`deliver` false returns the new key instead of sending it, for typing it in at the station.

    `force` replaces a pending key that the station may already use: if it does, it is locked out until it gets the new
    one by hand.
    """

    deliver: Flag = True
    force: Flag = False


class KeyOut(OutcomeOut):
    """How the station took its new key; both keys log in until it uses the new one.

    Undelivered keys are shown this once: `key` as OCPP 2.0.1 has it, `key_hex` as OCPP 1.6 writes it.
    """

    key: str | None = None
    key_hex: str | None = None


class ProfileIn(In):
    """The security profile to reach; `is_prepared`: the station has its certificates from elsewhere, ask no more."""

    profile: Annotated[int, Field(strict=True, ge=1, le=3)]
    is_prepared: Flag = False


class CertificateOut(Out):
    """A certificate that the station asked for. `state` is asked, signed, delivered, refused or failed."""

    certificate_id: int
    use: str
    state: str
    reason: str
    serial_number: str | None
    expires_at: datetime | None
    asked_at: datetime
    changed_at: datetime


class CertificateFullOut(CertificateOut):
    """With the request (PKCS #10, PEM) and the signed chain (PEM)."""

    request: str = Field(validation_alias="csr")
    chain: str | None


class ChainIn(In):
    """A signed chain in PEM, the station's certificate first."""

    chain: CertificateText


class RenewalIn(In):
    """What the certificate is for."""

    use: Literal["station"] = "station"


@router.post("/key", responses=ANSWERS, operation_id="renew_station_key", summary="Give a station a new key")
async def renew_key(desk: Desk, body: KeyIn) -> KeyOut:
    """Make a new key and send it to the station; a lost answer does not lock it out."""
    async with desk.context.transactions() as tx:
        new = await station_keys.renew(tx, desk.station_id, is_delivered=body.deliver, is_forced=body.force)
    if new.command is None:
        await desk.note("RenewKey", {"deliver": False}, Accepted())
        return KeyOut(outcome="accepted", key=new.key, key_hex=new.key.encode().hex())

    async def settle(tx: Transaction, result: Outcome | str) -> None:
        await station_keys.settle(tx, desk.station_id, new, result)

    outcome = await desk.tell("RenewKey", {"force": body.force}, new.command, settle)
    return KeyOut(**outcome_out(outcome).model_dump())


@router.post(
    "/security-profile",
    responses=ANSWERS,
    operation_id="raise_security_profile",
    summary="Raise a station's security profile",
)
async def raise_profile(desk: Desk, body: ProfileIn) -> OutcomeOut:
    """Tell the station to connect with a higher profile; once it has, nothing lower is ever accepted again."""
    urls, shown = desk.context.ocpp_urls, {"profile": body.profile}
    async with desk.context.transactions() as tx:
        raised = await security_profiles.check(tx, desk.station_id, body.profile, urls, is_prepared=body.is_prepared)
    if body.profile >= security_profiles.ENCRYPTED and not body.is_prepared:
        await _check_root(desk)
    network: dict[str, Any] = {}
    if raised.dialect != "ocpp1.6":
        told = await desk.tell("RaiseProfile", shown, security_profiles.READ_NETWORK)
        network = told.detail.get("values", {}) if isinstance(told, Accepted) else {}
    async with desk.context.transactions() as tx:
        await security_profiles.aim(tx, desk.station_id, body.profile)
    outcome: Outcome = Accepted()
    for command in security_profiles.commands(raised, network):
        outcome = await desk.tell("RaiseProfile", shown, command)
        if not isinstance(outcome, Accepted):
            async with desk.context.transactions() as tx:
                await security_profiles.aim(tx, desk.station_id, raised.previous)
            break
    return outcome_out(outcome)


async def _check_root(desk: Desk) -> None:
    """Profile 2 and above: the station must know whom to trust, else it could not come back (A05.FR.05)."""
    told = await desk.outcome_of(ReadCertificates(RootUse.CENTRAL_SYSTEM))
    if not isinstance(told, Accepted) or not told.detail.get("certificates"):
        raise Conflict("the station says of no root certificate that it trusts for us; install one first")


@router.post(
    "/certificates", responses=ANSWERS, operation_id="renew_station_certificate", summary="Have a certificate renewed"
)
async def renew_certificate(desk: Desk, _body: RenewalIn) -> OutcomeOut:
    """Ask the station for a new request; it is signed and delivered when it comes."""
    return await desk.send(Trigger("sign_certificate"))


@router.get(
    "/certificates",
    responses=documented("not_found"),
    operation_id="list_station_certificates",
    summary="List a station's certificates",
)
async def list_certificates(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, asked: Asked
) -> PageOut[CertificateOut]:
    """List what the station asked for, newest first, with state and end."""
    return PageOut[CertificateOut].model_validate(await certificates.certificates(tx, station_id, asked))


@router.get(
    "/certificates/{certificate_id}",
    responses=documented("not_found"),
    operation_id="get_station_certificate",
    summary="Get a certificate and its request",
)
async def get_certificate(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, certificate_id: CertificateId
) -> CertificateFullOut:
    """Get the request to have it signed elsewhere, and the chain once there is one."""
    return CertificateFullOut.model_validate(await certificates.get(tx, station_id, certificate_id))


@router.put(
    "/certificates/{certificate_id}/chain",
    responses=documented("not_found", "conflict"),
    operation_id="hand_in_certificate",
    summary="Hand in a signed chain",
)
async def hand_in(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, certificate_id: CertificateId, body: ChainIn
) -> CertificateFullOut:
    """Hand in the chain that answers a request; it is delivered as soon as the station is connected."""
    return CertificateFullOut.model_validate(await certificates.hand_in(tx, station_id, certificate_id, body.chain))
