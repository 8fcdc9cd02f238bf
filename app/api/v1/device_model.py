"""What a station is made of, and how it was set up."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from app.api.deps import Asked, StationKeeper, Transaction
from app.api.models import PRINTABLE, Out, PageOut, StationIdPath
from app.api.problems import documented
from app.domain.device import VariableFilter
from app.operations import device_model, onboarding

router = APIRouter(prefix="/v1/stations/{station_id}", tags=["stations"], responses=documented("not_found"))

Name = Annotated[str | None, Query(min_length=0, max_length=50, pattern=PRINTABLE)]


class VariableOut(Out):
    """One attribute of a variable (OCPP 2.0.1), or a configuration key (OCPP 1.6: its component is empty).

    EVSE and connector 0: the station as a whole. `value` null: it tells none. `values`: what it may be set to, if
    known: words with commas between them, or "lowest..highest".
    """

    component: str
    component_instance: str
    evse_number: int
    connector_number: int
    variable: str
    variable_instance: str
    attribute: str
    value: str | None
    is_writable: bool
    unit: str
    values: str
    reported_at: datetime


class OnboardingOut(Out):
    """How the station was set up.

    `state` is waiting (not begun), running, done, partly (something is unmet) or failed. `capabilities` is what it says
    it can do (null: unknown), `wanted` what it was to be set to, `unmet` what could not be set, with the reason.
    `retry_at` is when that is tried again by itself.
    """

    state: str
    capabilities: dict[str, Any]
    wanted: dict[str, str]
    unmet: dict[str, str]
    attempt_count: int
    retry_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


async def variable_filter(
    component: Name = None,
    variable: Name = None,
    evse_number: Annotated[int | None, Query(ge=0, le=64, description="0: the station as a whole")] = None,
) -> VariableFilter:
    """Return which variables are asked for."""
    return VariableFilter(component, variable, evse_number)


Wanted = Annotated[VariableFilter, Depends(variable_filter)]


@router.get("/variables", operation_id="list_variables", summary="List a station's variables")
async def list_variables(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, wanted: Wanted, asked: Asked
) -> PageOut[VariableOut]:
    """List what the station has said about itself: its variables, or its configuration keys."""
    return PageOut[VariableOut].model_validate(await device_model.variables(tx, station_id, asked, wanted))


@router.get("/onboarding", operation_id="get_onboarding", summary="See how a station was set up")
async def get_onboarding(tx: Transaction, _: StationKeeper, station_id: StationIdPath) -> OnboardingOut:
    """Get what the station can do, what it was set to, and what could not be set."""
    return OnboardingOut.model_validate(await onboarding.get(tx, station_id))


@router.post("/onboarding", status_code=202, operation_id="repeat_onboarding", summary="Set a station up again")
async def repeat_onboarding(tx: Transaction, _: StationKeeper, station_id: StationIdPath) -> OnboardingOut:
    """Read and set the station up again, at once or when it is connected; what an operator wrote is overwritten."""
    return OnboardingOut.model_validate(await onboarding.begin_again(tx, station_id))
