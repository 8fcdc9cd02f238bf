"""Alarms of a site: what the operator must know of."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.api.deps import Asked, StationKeeper, Transaction
from app.api.models import Out, PageOut, SiteIdPath
from app.api.problems import documented
from app.operations import alarms

router = APIRouter(prefix="/v1/sites", tags=["sites"])


class AlarmState(StrEnum):
    """Which alarms are asked for."""

    OPEN = "open"
    ENDED = "ended"
    ALL = "all"


IS_OPEN = {AlarmState.OPEN: True, AlarmState.ENDED: False, AlarmState.ALL: None}


class AlarmOut(Out):
    """An alarm from its beginning to its end (null: it goes on).

    `subject` is the feeder, station or EVSE that it is about, empty for the site itself. What `detail` holds depends on
    the kind.
    """

    alarm_id: int
    kind: str
    subject: str
    detail: dict[str, Any]
    began_at: datetime
    ended_at: datetime | None


@router.get(
    "/{site_id}/alarms", responses=documented("not_found"), operation_id="list_alarms", summary="List a site's alarms"
)
async def list_alarms(
    tx: Transaction,
    _: StationKeeper,
    site_id: SiteIdPath,
    asked: Asked,
    state: Annotated[AlarmState, Query(description="those that go on, those that ended, or all")] = AlarmState.OPEN,
) -> PageOut[AlarmOut]:
    """List alarms, the newest first."""
    return PageOut[AlarmOut].model_validate(await alarms.alarms(tx, site_id, is_open=IS_OPEN[state], asked=asked))
