"""Where a site's forecasts are fetched from."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BeforeValidator, Field, SecretStr, StringConstraints

from app.api.deps import Operator, Transaction
from app.api.models import In, Out, SiteIdPath
from app.api.problems import documented
from app.operations import forecast_feeds

router = APIRouter(prefix="/v1/sites/{site_id}/forecast-feed", tags=["forecasts"])

Minutes = Annotated[int, Field(strict=True, ge=15, le=1440, description="how often it is asked")]
Resource = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Key = Annotated[SecretStr, Field(min_length=1, max_length=200, description="never given out; absent: the one before")]


class ForecastFeedIn(In):
    """A service and how often it is asked; all but Solcast need the site's coordinates and peak power."""

    kind: Literal["open_meteo", "solcast", "forecast_solar"]
    every_minutes: Minutes = 60
    resource: Annotated[Resource | None, Field(description="the service's own id of the site (Solcast)")] = None
    key: Key | None = None


class ForecastFeedOut(Out):
    """A feed and how it went the last time."""

    kind: str
    every_minutes: Annotated[
        int, BeforeValidator(lambda every: int(every / timedelta(minutes=1))), Field(validation_alias="every")
    ]
    resource: str | None
    has_key: Annotated[bool, BeforeValidator(lambda key: key is not None), Field(validation_alias="key")]
    tried_at: datetime | None
    fetched_at: datetime | None
    failures_count: int
    problem: Annotated[str | None, Field(description="what was wrong the last time, null when all is well")]


@router.put("", responses=documented("not_found"), operation_id="put_forecast_feed", summary="Set the forecast feed")
async def put_forecast_feed(tx: Transaction, _: Operator, site_id: SiteIdPath, body: ForecastFeedIn) -> ForecastFeedOut:
    """Fetch the site's forecasts from a service, from the next quarter of an hour on."""
    row = await forecast_feeds.put(
        tx,
        site_id,
        kind=body.kind,
        resource=body.resource,
        key=None if body.key is None else body.key.get_secret_value(),
        every=timedelta(minutes=body.every_minutes),
    )
    return ForecastFeedOut.model_validate(row)


@router.get("", responses=documented("not_found"), operation_id="get_forecast_feed", summary="Get the forecast feed")
async def get_forecast_feed(tx: Transaction, _: Operator, site_id: SiteIdPath) -> ForecastFeedOut:
    """Get where forecasts are fetched from, and how that went."""
    return ForecastFeedOut.model_validate(await forecast_feeds.get(tx, site_id))


@router.delete(
    "",
    status_code=204,
    responses=documented("not_found"),
    operation_id="remove_forecast_feed",
    summary="Remove the forecast feed",
)
async def remove_forecast_feed(tx: Transaction, _: Operator, site_id: SiteIdPath) -> None:
    """Fetch no more, and forget the key."""
    await forecast_feeds.remove(tx, site_id)
