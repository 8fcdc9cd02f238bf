"""How often messages of each model needed a repair: what to tell its vendor."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import Asked, StationKeeper, Transaction
from app.api.models import PRINTABLE, Out, PageOut
from app.api.problems import documented
from app.operations import repairs

router = APIRouter(prefix="/v1", tags=["messages"])

Name = Annotated[str | None, Query(max_length=100, pattern=PRINTABLE)]


class RepairOut(Out):
    """One kind of oddity of one model and firmware, and how often it was met.

    A bare name is a repair of a schema-invalid message, `tolerated_…` a fault that was left, `refused_…` a call that
    was answered with an error, `malformed_…` a frame that was none, `quarantined: …` what was answered, not believed.
    """

    vendor: str
    model: str
    firmware: str
    repair: str
    count: int
    first_at: datetime
    last_at: datetime


@router.get("/repairs", responses=documented(), operation_id="list_repairs", summary="List repairs by model")
async def list_repairs(
    tx: Transaction, _: StationKeeper, asked: Asked, vendor: Name = None, model: Name = None
) -> PageOut[RepairOut]:
    """List how often messages of which model needed which repair; `unknown` before a station's first boot."""
    return PageOut[RepairOut].model_validate(await repairs.repairs(tx, vendor, model, asked))
