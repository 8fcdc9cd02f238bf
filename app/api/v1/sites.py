"""Sites."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BeforeValidator, Field

from app.api.deps import Anybody, Asked, Operator, Transaction
from app.api.models import In, KwhOut, KwOut, Label, Out, PageOut, PowerKw, SiteId, SiteIdPath, SomePowerKw, Text
from app.api.problems import documented
from app.domain.units import w_from_kw, wh_from_kwh
from app.operations import sites

router = APIRouter(prefix="/v1/sites", tags=["sites"])

VoltageV = Annotated[
    float, Field(strict=True, ge=50, le=1_000, allow_inf_nan=False, description="across an EVSE's line")
]
SafeCurrentA = Annotated[float, Field(strict=True, ge=0, le=500, allow_inf_nan=False)]
NeedKwh = Annotated[float, Field(strict=True, ge=0, le=500, allow_inf_nan=False)]
StayHours = Annotated[float, Field(strict=True, gt=0, le=48, allow_inf_nan=False)]
COLUMNS = {"limit_kw": "limit_w", "margin_kw": "margin_w", "reserve_kw": "reserve_w"}


class SiteIn(In):
    """A new site. Cars share `limit_kw` − `margin_kw` − `reserve_kw` (for uncontrolled load)."""

    site_id: SiteId
    name: Text
    zone: Annotated[Label, Field(description="IANA time zone", examples=["Asia/Tokyo"])]
    limit_kw: SomePowerKw
    margin_kw: PowerKw = 0.0
    reserve_kw: PowerKw = 0.0
    voltage_v: VoltageV = 200.0
    safe_current_a: SafeCurrentA = 6.0
    default_energy_kwh: NeedKwh = 12.0
    default_stay_hours: StayHours = 8.0


class SiteChangeIn(In):
    """What to change; absent fields stay."""

    name: Text | None = None
    limit_kw: SomePowerKw | None = None
    margin_kw: PowerKw | None = None
    reserve_kw: PowerKw | None = None
    safe_current_a: SafeCurrentA | None = None
    default_energy_kwh: NeedKwh | None = None
    default_stay_hours: StayHours | None = None


class SiteOut(Out):
    """A site."""

    site_id: str
    name: str
    zone: str
    limit_kw: KwOut = Field(validation_alias="limit_w")
    margin_kw: KwOut = Field(validation_alias="margin_w")
    reserve_kw: KwOut = Field(validation_alias="reserve_w")
    voltage_v: float
    safe_current_a: float
    default_energy_kwh: KwhOut = Field(validation_alias="default_need_wh")
    default_stay_hours: Annotated[
        float, BeforeValidator(lambda stay: round(stay / timedelta(hours=1), 4)), Field(validation_alias="default_stay")
    ]
    created_at: datetime


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in COLUMNS:
            values[COLUMNS[name]] = w_from_kw(value)
        elif name == "default_energy_kwh":
            values["default_need_wh"] = wh_from_kwh(value)
        elif name == "default_stay_hours":
            values["default_stay"] = timedelta(hours=value)
        else:
            values[name] = value
    return values


@router.post("", status_code=201, responses=documented("conflict"), operation_id="create_site", summary="Add a site")
async def create_site(tx: Transaction, _: Operator, body: SiteIn) -> SiteOut:
    """Add a car park behind one limit."""
    values = _columns(body.model_dump(exclude={"site_id"}))
    return SiteOut.model_validate(await sites.create(tx, body.site_id, values))


@router.get("", responses=documented(), operation_id="list_sites", summary="List sites")
async def list_sites(tx: Transaction, _: Anybody, asked: Asked) -> PageOut[SiteOut]:
    """List sites by id."""
    return PageOut[SiteOut].model_validate(await sites.sites(tx, asked))


@router.get("/{site_id}", responses=documented("not_found"), operation_id="get_site", summary="Get a site")
async def get_site(tx: Transaction, _: Anybody, site_id: SiteIdPath) -> SiteOut:
    """Get one site."""
    return SiteOut.model_validate(await sites.get(tx, site_id))


@router.patch(
    "/{site_id}", responses=documented("not_found", "conflict"), operation_id="change_site", summary="Change a site"
)
async def change_site(tx: Transaction, _: Operator, site_id: SiteIdPath, body: SiteChangeIn) -> SiteOut:
    """Change some of a site; a lower limit takes hold with the next limits, a new safe current is proven first."""
    values = _columns(body.model_dump(exclude_none=True))
    return SiteOut.model_validate(await sites.change(tx, site_id, values))
