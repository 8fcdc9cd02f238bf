"""Forecasts of sun and building load."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BeforeValidator, Field

from app.api.deps import StationKeeper, Transaction
from app.api.models import In, Instant, KwOut, Label, Out, PowerKw, SiteIdPath
from app.api.problems import documented
from app.domain.units import w_from_kw
from app.operations import forecast_skill, forecasts

router = APIRouter(prefix="/v1/sites/{site_id}/forecasts", tags=["forecasts"])

MOST_STEPS = 4 * 24 * 12
PowersKw = Annotated[list[PowerKw], Field(min_length=1, max_length=MOST_STEPS)]


class ForecastIn(In):
    """Mean powers of the steps from `starts_at`, at most 4 days; `pv_kw` is P50, a band has both its sides."""

    source: Label
    issued_at: Instant
    starts_at: Instant
    step_minutes: Literal[5, 15, 30, 60]
    pv_kw: PowersKw
    building_kw: PowersKw
    pv_p10_kw: PowersKw | None = None
    pv_p90_kw: PowersKw | None = None


class ForecastOut(Out):
    """A stored forecast."""

    forecast_id: int
    source: str
    method: Annotated[str, Field(description="learnt, climatology, persistence; pushed or fetched from elsewhere")]
    issued_at: datetime
    received_at: datetime
    starts_at: datetime
    step_minutes: Annotated[
        int, BeforeValidator(lambda step: int(step / timedelta(minutes=1))), Field(validation_alias="step")
    ]
    pv_kw: tuple[KwOut, ...] = Field(validation_alias="pv_w")
    building_kw: tuple[KwOut, ...] = Field(validation_alias="building_w")
    pv_p10_kw: tuple[KwOut, ...] | None = Field(validation_alias="pv_p10_w")
    pv_p90_kw: tuple[KwOut, ...] | None = Field(validation_alias="pv_p90_w")
    arrivals_count: Annotated[
        tuple[float, ...] | None, Field(description="cars that are expected to arrive in each step")
    ]


class SkillOut(Out):
    """One method at one lead, over slots by day that were measured.

    Errors are mean absolute ones over `capacity_kw`; `persistence_nmae_share` is that of clear-sky-index persistence at
    the same instants. `covered_share` is how often the P10–P90 band held, null where none was given.
    """

    method: str
    lead_minutes: Annotated[int, BeforeValidator(lambda lead: 15 * lead), Field(validation_alias="lead")]
    count: int
    nmae_share: Annotated[float, Field(validation_alias="error_share")]
    persistence_nmae_share: Annotated[float, Field(validation_alias="reference_error_share")]
    band_count: int = Field(validation_alias="banded_count")
    covered_share: float | None


class SkillReportOut(Out):
    """The skill of the forecasts issued in [from, to)."""

    from_at: Annotated[datetime, Field(serialization_alias="from")]
    until_at: Annotated[datetime, Field(serialization_alias="to")]
    capacity_kw: KwOut = Field(validation_alias="capacity_w")
    forecasts_count: int
    items: tuple[SkillOut, ...]


def _band_w(powers_kw: list[float] | None) -> list[float] | None:
    return None if powers_kw is None else [w_from_kw(power_kw) for power_kw in powers_kw]


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
        pv_p10_w=_band_w(body.pv_p10_kw),
        pv_p90_w=_band_w(body.pv_p90_kw),
    )
    return ForecastOut.model_validate(row)


@router.get(
    "/latest", responses=documented("not_found"), operation_id="get_latest_forecast", summary="Get the newest forecast"
)
async def get_latest_forecast(tx: Transaction, _: StationKeeper, site_id: SiteIdPath) -> ForecastOut:
    """Get the forecast that was issued last."""
    return ForecastOut.model_validate(await forecasts.newest(tx, site_id))


CsvBody = Annotated[str, Body(media_type="text/csv", max_length=200_000, description="time,pv_kw,building_kw …")]


@router.post(
    "/csv",
    status_code=201,
    responses=documented("not_found"),
    operation_id="push_forecast_csv",
    summary="Push a forecast as CSV",
)
async def push_forecast_csv(
    tx: Transaction,
    _: StationKeeper,
    site_id: SiteIdPath,
    source: Annotated[Label, Query()],
    issued_at: Annotated[Instant, Query()],
    body: CsvBody,
) -> ForecastOut:
    """Store a forecast of rows `time,pv_kw,building_kw[,pv_p10_kw,pv_p90_kw]`, evenly apart by 5 to 60 minutes."""
    row = await forecasts.record_csv(tx, site_id, source=source, issued_at=issued_at, text=body)
    return ForecastOut.model_validate(row)


@router.get(
    "/skill", responses=documented("not_found"), operation_id="get_forecast_skill", summary="Get forecast skill"
)
async def get_forecast_skill(
    tx: Transaction,
    _: StationKeeper,
    site_id: SiteIdPath,
    from_at: Annotated[Instant | None, Query(alias="from")] = None,
    until_at: Annotated[Instant | None, Query(alias="to")] = None,
) -> SkillReportOut:
    """Get how good the forecasts issued in `[from, to)` (the last 7 days) were; measured slots only, by day."""
    return SkillReportOut.model_validate(await forecast_skill.skill(tx, site_id, from_at, until_at))
