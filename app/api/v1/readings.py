"""The site meter's readings."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.api.deps import Asked, StationKeeper, Transaction
from app.api.models import In, Instant, KwOut, Out, PageOut, PowerKw, SiteIdPath
from app.api.problems import documented
from app.domain.units import w_from_kw
from app.operations import readings

router = APIRouter(prefix="/v1/sites/{site_id}/readings", tags=["readings"])


class ReadingIn(In):
    """Mean powers until `at`: what the sun gave and what the building took without cars."""

    at: Instant
    pv_kw: PowerKw
    building_kw: PowerKw


class ReadingOut(Out):
    """A stored reading."""

    at: datetime
    pv_kw: KwOut = Field(validation_alias="pv_w")
    building_kw: KwOut = Field(validation_alias="building_w")
    received_at: datetime


@router.post(
    "",
    status_code=201,
    responses=documented("not_found", "conflict") | {200: {"model": ReadingOut, "description": "Stored before"}},
    operation_id="push_reading",
    summary="Push a reading",
)
async def push_reading(
    tx: Transaction, _: StationKeeper, site_id: SiteIdPath, body: ReadingIn, response: Response
) -> ReadingOut:
    """Store a reading; the same reading again changes nothing and answers 200."""
    row, is_new = await readings.record(
        tx, site_id, at=body.at, pv_w=w_from_kw(body.pv_kw), building_w=w_from_kw(body.building_kw)
    )
    response.status_code = 201 if is_new else 200
    return ReadingOut.model_validate(row)


@router.get("", responses=documented("not_found"), operation_id="list_readings", summary="List readings")
async def list_readings(
    tx: Transaction,
    _: StationKeeper,
    site_id: SiteIdPath,
    asked: Asked,
    from_at: Annotated[Instant | None, Query(alias="from")] = None,
    until_at: Annotated[Instant | None, Query(alias="to")] = None,
) -> PageOut[ReadingOut]:
    """List readings in `[from, to)`, oldest first."""
    return PageOut[ReadingOut].model_validate(await readings.readings(tx, site_id, from_at, until_at, asked))
