"""Sites."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BeforeValidator, Field

from app.api.deps import Anybody, Asked, Operator, Transaction
from app.api.models import (
    In,
    KwhOut,
    KwOut,
    Label,
    MaybeKwOut,
    Out,
    PageOut,
    PowerKw,
    SiteId,
    SiteIdPath,
    SomePowerKw,
    Text,
)
from app.api.problems import documented
from app.domain.units import w_from_kw, wh_from_kwh
from app.operations import electrical, sites

router = APIRouter(prefix="/v1/sites", tags=["sites"])

VoltageV = Annotated[
    float, Field(strict=True, ge=50, le=1_000, allow_inf_nan=False, description="across an EVSE's line")
]
SafeCurrentA = Annotated[float, Field(strict=True, ge=0, le=500, allow_inf_nan=False)]
NeedKwh = Annotated[float, Field(strict=True, ge=0, le=500, allow_inf_nan=False)]
StayHours = Annotated[float, Field(strict=True, gt=0, le=48, allow_inf_nan=False)]
MinCurrentA = Annotated[float, Field(strict=True, gt=0, le=500, allow_inf_nan=False, description="of AC cars")]
SurprisedStations = Annotated[
    int, Field(strict=True, ge=0, le=100, description="so many may forget their limits at once without a violation")
]
LowVoltageShare = Annotated[
    float, Field(strict=True, ge=0.5, le=1, allow_inf_nan=False, description="lowest voltage over the nominal one")
]
DemandTargetKw = Annotated[SomePowerKw, Field(description="the contract's 30-minute mean on the :00/:30 clock")]
LoadRiseKw = Annotated[
    PowerKw, Field(description="how much uncontrolled load may rise within a lease; without it the reserve counts")
]
LatitudeDeg = Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False, description="of the panels")]
LongitudeDeg = Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]
TiltDeg = Annotated[float, Field(strict=True, ge=0, le=90, allow_inf_nan=False, description="0 is flat")]
AzimuthDeg = Annotated[
    float, Field(strict=True, ge=0, le=360, allow_inf_nan=False, description="clockwise from north, 180 is south")
]
MissCostRatio = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="how many kWh from the grid one kWh missed by somebody who leaves early is worth; "
        "0: departures are taken as said",
    ),
]
COLUMNS = {
    "default_energy_kwh": "default_need_wh",
    "default_stay_hours": "default_stay",
    "surprised_stations": "surprised_count",
    "load_rise_kw": "rise_w",
}
SUN = frozenset({"latitude_deg", "longitude_deg", "pv_peak_kw", "pv_tilt_deg", "pv_azimuth_deg"})
CLEARABLE = SUN | {"demand_target_kw", "load_rise_kw"}


class SiteIn(In):
    """A new site. Cars share `limit_kw` − `margin_kw` − `reserve_kw` (for uncontrolled load)."""

    site_id: SiteId
    name: Text
    zone: Annotated[Label, Field(description="IANA time zone", examples=["Asia/Tokyo"])]
    limit_kw: SomePowerKw
    margin_kw: PowerKw = 0.0
    reserve_kw: PowerKw = 0.0
    load_rise_kw: LoadRiseKw | None = None
    demand_target_kw: DemandTargetKw | None = None
    surprised_stations: SurprisedStations = 1
    voltage_v: VoltageV = 200.0
    low_voltage_share: LowVoltageShare = 0.9
    safe_current_a: SafeCurrentA = 6.0
    min_current_a: MinCurrentA = 6.0
    default_energy_kwh: NeedKwh = 12.0
    default_stay_hours: StayHours = 8.0
    latitude_deg: LatitudeDeg | None = None
    longitude_deg: LongitudeDeg | None = None
    pv_peak_kw: SomePowerKw | None = None
    pv_tilt_deg: TiltDeg | None = None
    pv_azimuth_deg: AzimuthDeg | None = None
    miss_cost_ratio: MissCostRatio = 6.0


class SiteChangeIn(In):
    """What to change; absent fields stay. Null takes `demand_target_kw`, `load_rise_kw` and the panels' fields away."""

    name: Text | None = None
    limit_kw: SomePowerKw | None = None
    margin_kw: PowerKw | None = None
    reserve_kw: PowerKw | None = None
    load_rise_kw: LoadRiseKw | None = None
    demand_target_kw: DemandTargetKw | None = None
    surprised_stations: SurprisedStations | None = None
    voltage_v: VoltageV | None = None
    low_voltage_share: LowVoltageShare | None = None
    safe_current_a: SafeCurrentA | None = None
    min_current_a: MinCurrentA | None = None
    default_energy_kwh: NeedKwh | None = None
    default_stay_hours: StayHours | None = None
    latitude_deg: LatitudeDeg | None = None
    longitude_deg: LongitudeDeg | None = None
    pv_peak_kw: SomePowerKw | None = None
    pv_tilt_deg: TiltDeg | None = None
    pv_azimuth_deg: AzimuthDeg | None = None
    miss_cost_ratio: MissCostRatio | None = None


class SiteOut(Out):
    """A site."""

    site_id: str
    name: str
    zone: str
    limit_kw: KwOut = Field(validation_alias="limit_w")
    margin_kw: KwOut = Field(validation_alias="margin_w")
    reserve_kw: KwOut = Field(validation_alias="reserve_w")
    load_rise_kw: MaybeKwOut = Field(validation_alias="rise_w")
    demand_target_kw: MaybeKwOut = Field(validation_alias="demand_target_w")
    surprised_stations: int = Field(validation_alias="surprised_count")
    voltage_v: float
    low_voltage_share: float
    safe_current_a: float
    min_current_a: float
    default_energy_kwh: KwhOut = Field(validation_alias="default_need_wh")
    default_stay_hours: Annotated[
        float, BeforeValidator(lambda stay: round(stay / timedelta(hours=1), 4)), Field(validation_alias="default_stay")
    ]
    latitude_deg: float | None
    longitude_deg: float | None
    pv_peak_kw: MaybeKwOut = Field(validation_alias="pv_peak_w")
    pv_tilt_deg: float | None
    pv_azimuth_deg: float | None
    miss_cost_ratio: float
    created_at: datetime


def columns_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a site as columns of its row; null stays away but for what can be taken away."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        if value is None and name not in CLEARABLE:
            continue
        column = COLUMNS.get(name, f"{name.removesuffix('_kw')}_w" if name.endswith("_kw") else name)
        if name == "default_energy_kwh":
            values[column] = wh_from_kwh(value)
        elif name == "default_stay_hours":
            values[column] = timedelta(hours=value)
        else:
            values[column] = w_from_kw(value) if name.endswith("_kw") and value is not None else value
    return values


@router.post("", status_code=201, responses=documented("conflict"), operation_id="create_site", summary="Add a site")
async def create_site(tx: Transaction, _: Operator, body: SiteIn) -> SiteOut:
    """Add a car park behind one limit."""
    values = columns_of(body.model_dump(exclude={"site_id"}))
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
    values = columns_of(body.model_dump(exclude_unset=True))
    return SiteOut.model_validate((await electrical.change(tx, site_id, values)).site)
