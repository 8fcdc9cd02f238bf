"""Commands that keep a station in order and take a while: logs, firmware, reports; and vendor messages."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints, model_validator

from app.api.models import Card, In, Instant
from app.api.v1.command_desk import ANSWERS, Desk, JobOut, OutcomeOut
from app.api.v1.texts import CertificateText, Url
from app.domain.commands import Accepted, ReadSettings
from app.domain.device import Variable
from app.domain.errors import SunslotError
from app.domain.upkeep import (
    AskCustomerInformation,
    FetchLog,
    LogKind,
    ReadReport,
    ReadVariables,
    ReportBase,
    SendVendorMessage,
    UpdateFirmware,
)
from app.operations import device_model, jobs

router = APIRouter(prefix="/v1/stations/{station_id}/commands", tags=["commands"], responses=ANSWERS)

RetryCount = Annotated[int, Field(strict=True, ge=0, le=20)]
RetryIntervalS = Annotated[int, Field(strict=True, ge=0, le=86_400)]
PRINTED = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[\x20-\x7e]+$")]


class LogIn(In):
    """Which log, uploaded where. `is_plain`: OCPP 1.6 without the security extensions (GetDiagnostics)."""

    url: Url
    kind: LogKind = LogKind.DIAGNOSTICS
    from_at: Instant | None = None
    until_at: Instant | None = None
    retry_count: RetryCount | None = None
    retry_interval_s: RetryIntervalS | None = None
    is_plain: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _in_order(self) -> "LogIn":
        if self.from_at is not None and self.until_at is not None and self.from_at > self.until_at:
            raise ValueError("from_at lies after until_at")
        return self


class FirmwareIn(In):
    """Which firmware, from when on; signed with `signing_certificate` (PEM) and `signature` (base64)."""

    url: Url
    retrieve_at: Instant | None = None
    install_at: Instant | None = None
    signing_certificate: CertificateText | None = None
    signature: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=]{1,800}$")] | None = None
    retry_count: RetryCount | None = None
    retry_interval_s: RetryIntervalS | None = None

    @model_validator(mode="after")
    def _signed_whole(self) -> "FirmwareIn":
        if (self.signing_certificate is None) != (self.signature is None):
            raise ValueError("signing_certificate and signature go together")
        return self


class ComponentIn(In):
    """A component of the device model; without `variable` all of its variables."""

    component: Name
    variable: Name | None = None


class ReportIn(In):
    """One of the standard reports, or (OCPP 2.0.1) one on these components only."""

    base: ReportBase = ReportBase.FULL
    components: Annotated[list[ComponentIn], Field(min_length=1, max_length=50)] | None = None


class CustomerInformationIn(In):
    """What the station knows of a token's holder: have it reported, erased, or both."""

    token: Card
    is_report: Annotated[bool, Field(strict=True)] = True
    is_erasure: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _something(self) -> "CustomerInformationIn":
        if not (self.is_report or self.is_erasure):
            raise ValueError("is_report or is_erasure must be true")
        return self


class VendorMessageIn(In):
    """A message in a vendor's own words."""

    vendor_id: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PRINTED)]
    message_id: Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=PRINTED)] | None = None
    data: Annotated[str, StringConstraints(max_length=10_000, pattern=PRINTED)] | None = None


@router.post("/log", operation_id="fetch_log", summary="Have a log uploaded")
async def log(desk: Desk, body: LogIn) -> JobOut:
    """Have the station upload a log; the job follows its progress."""
    return await desk.start_job("log", lambda request_id: FetchLog(request_id=request_id, **dict(body)))


@router.post("/firmware", operation_id="update_firmware", summary="Update the firmware")
async def firmware(desk: Desk, body: FirmwareIn) -> JobOut:
    """Have the station fetch and install firmware; until its defaults are proven again it counts with its nameplate."""
    given = dict(body) | {"retrieve_at": body.retrieve_at or desk.context.clock.now()}
    return await desk.start_job("firmware", lambda request_id: UpdateFirmware(request_id=request_id, **given))


@router.post("/report", operation_id="read_report", summary="Have the device model reported")
async def report(desk: Desk, body: ReportIn) -> JobOut:
    """Have the station report its variables. A station that has no such report (OCPP 1.6) is asked for all settings."""
    if body.components is not None:
        wanted = tuple(Variable(each.component, each.variable or "", None) for each in body.components)
        return await desk.start_job("report", lambda request_id: ReadVariables(request_id, wanted))
    answer = await desk.start_job("report", lambda request_id: ReadReport(request_id, body.base))
    return await _read_all_settings(desk, answer) if answer.outcome == "unsupported" else answer


async def _read_all_settings(desk: Desk, refused: JobOut) -> JobOut:
    """Keep all settings as variables of the station; return the refusal where it does not tell them either."""
    try:
        outcome = await desk.outcome_of(ReadSettings())
    except SunslotError:
        return refused
    if not isinstance(outcome, Accepted):
        return refused
    variables = tuple(Variable("", name, value) for name, value in outcome.detail.get("values", {}).items())
    async with desk.context.transactions() as tx:
        await device_model.store(tx, desk.station_id, variables)
        await jobs.done(tx, refused.request_id)
    return JobOut(outcome="accepted", detail={"variable_count": len(variables)}, request_id=refused.request_id)


@router.post("/customer-information", operation_id="ask_customer_information", summary="Ask what is known of a person")
async def customer_information(desk: Desk, body: CustomerInformationIn) -> JobOut:
    """Have the station report or erase what it knows of a token's holder (OCPP 2.0.1)."""
    return await desk.start_job(
        "customer_information",
        lambda request_id: AskCustomerInformation(request_id, body.token.upper(), body.is_report, body.is_erasure),
    )


@router.post("/data-transfer", operation_id="send_vendor_message", summary="Send a vendor's message")
async def data_transfer(desk: Desk, body: VendorMessageIn) -> OutcomeOut:
    """Send a message in a vendor's own words; until proven again the station counts with its nameplate."""
    return await desk.send(SendVendorMessage(body.vendor_id, body.message_id, body.data))
