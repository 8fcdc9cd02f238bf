"""Forecasts of sun and building load."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BeforeValidator, Field

from app.api.deps import StationKeeper, Transaction
from app.api.models import In, Instant, KwOut, Label, Out, PowerKw, SiteIdPath
from app.api.problems import documented
from app.domain.units import w_from_kw
from app.operations import forecasts

router = APIRouter(prefix="/v1/sites/{site_id}/forecasts", tags=["forecasts"])

MOST_STEPS = 4 * 24 * 12
PowersKw = Annotated[list[PowerKw], Field(min_length=1, max_length=MOST_STEPS)]


class ForecastIn(In):
    """Mean powers of the steps from `starts_at`; at most 4 days."""

    source: Label
    issued_at: Instant
    starts_at: Instant
    step_minutes: Literal[5, 15, 30, 60]
    pv_kw: PowersKw
    building_kw: PowersKw


class ForecastOut(Out):
    """A stored forecast."""

    forecast_id: int
    source: str
    issued_at: datetime
    received_at: datetime
    starts_at: datetime
    step_minutes: Annotated[
        int, BeforeValidator(lambda step: int(step / timedelta(minutes=1))), Field(validation_alias="step")
    ]
    pv_kw: tuple[KwOut, ...] = Field(validation_alias="pv_w")
    building_kw: tuple[KwOut, ...] = Field(validation_alias="building_w")


@router.post(
    "", status_code=201, responses=documented("not_found"), operation_id="push_forecast", summary="Push a forecast"
)
async def push_forecast(tx: Transaction, _: StationKeeper, site_id: SiteIdPath, body: ForecastIn) -> ForecastOut:
    """Store a forecast; the one issued last is planned with."""
    row = await forecasts.record(
        tx,
        site_id,
        source=body.source,
        issued_at=body.issued_at,
        starts_at=body.starts_at,
        step=timedelta(minutes=body.step_minutes),
        pv_w=[w_from_kw(power_kw) for power_kw in body.pv_kw],
        building_w=[w_from_kw(power_kw) for power_kw in body.building_kw],
    )
    return ForecastOut.model_validate(row)


@router.get(
    "/latest", responses=documented("not_found"), operation_id="get_latest_forecast", summary="Get the newest forecast"
)
async def get_latest_forecast(tx: Transaction, _: StationKeeper, site_id: SiteIdPath) -> ForecastOut:
    """Get the forecast that was issued last."""
    return ForecastOut.model_validate(await forecasts.newest(tx, site_id))
