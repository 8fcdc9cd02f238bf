"""Charging sessions and their intents."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from app.api.deps import Asked, DriverOrOperator, Transaction
from app.api.models import Instant, KwhOut, MaybeKwOut, Out, PageOut, SiteIdQuery
from app.api.problems import documented
from app.api.v1.wishes import WishIn
from app.domain.snapshot import IntentSource
from app.operations import intents, sessions
from app.operations.access import owner_of

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


class IntentIn(WishIn):
    """When the car leaves, and how much it wants by then."""

    departs_at: Instant


class SessionOut(Out):
    """A session. `need_kwh` counts from plug-in; `intent_source` says who said so (`assumed`: the site's default).

    `intent_basis` says in words what they are taken from.
    """

    session_id: UUID
    site_id: str
    station_id: str
    evse_id: int
    evse_number: int
    driver_id: UUID | None
    booking_id: UUID | None
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    delivered_kwh: KwhOut = Field(validation_alias="delivered_wh")
    departs_at: datetime
    need_kwh: KwhOut = Field(validation_alias="need_wh")
    intent_source: IntentSource
    intent_basis: str
    max_charge_kw: MaybeKwOut = Field(validation_alias="max_charge_w")
    power_kw: MaybeKwOut = Field(validation_alias="power_w")


@router.get("", responses=documented(), operation_id="list_sessions", summary="List sessions")
async def list_sessions(
    tx: Transaction,
    caller: DriverOrOperator,
    asked: Asked,
    site_id: SiteIdQuery = None,
    state: Literal["running", "ended"] | None = None,
) -> PageOut[SessionOut]:
    """List sessions, newest first; drivers see their own."""
    is_running = None if state is None else state == "running"
    page = await sessions.sessions(tx, owner_id=owner_of(caller), site_id=site_id, is_running=is_running, asked=asked)
    return PageOut[SessionOut].model_validate(page)


@router.get("/{session_id}", responses=documented("not_found"), operation_id="get_session", summary="Get a session")
async def get_session(tx: Transaction, caller: DriverOrOperator, session_id: UUID) -> SessionOut:
    """Get a session."""
    return SessionOut.model_validate(await sessions.get(tx, session_id, owner_of(caller)))


@router.put(
    "/{session_id}/intent",
    responses=documented("not_found", "conflict"),
    operation_id="put_intent",
    summary="Say when you leave and what you want",
)
async def put_intent(tx: Transaction, caller: DriverOrOperator, session_id: UUID, body: IntentIn) -> SessionOut:
    """Set or change the intent of a running session."""
    owner_id = owner_of(caller)
    await intents.put(tx, session_id, departs_at=body.departs_at, wish=body.wish(), owner_id=owner_id)
    return SessionOut.model_validate(await sessions.get(tx, session_id, owner_id))
