"""The site meter's readings."""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BeforeValidator, Field
from starlette.types import Message, Receive, Scope, Send

from app.api.deps import ApiContext, Asked, Require, StationKeeper, Transaction, bearer
from app.api.models import In, Instant, KwOut, MaybeKwOut, Out, PageOut, PowerKw, SiteId, SiteIdPath
from app.api.problems import documented, field_of, reason_of
from app.domain.errors import Forbidden, Invalid, Unauthenticated
from app.domain.identity import Role
from app.domain.units import kw_from_w, w_from_kw
from app.operations import readings

MOST_FEEDERS_COUNT = 500
REFUSED = "sunslot.reading_refused_for"
MAY_PUSH = Require(Role.STATION_ADMIN, Role.OPERATOR)

SignedPowerKw = Annotated[float, Field(strict=True, ge=-100_000, le=100_000, allow_inf_nan=False)]
SignedCurrentA = Annotated[float, Field(strict=True, ge=-20_000, le=20_000, allow_inf_nan=False)]


class MeterRoute(APIRoute):
    """A route that notes a refused reading: the meter's health is to know at once, not only by the silence."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler; it refuses what it cannot take as any route does."""
        handle = super().get_route_handler()

        async def noting(request: Request) -> Response:
            try:
                return await handle(request)
            except (RequestValidationError, Invalid) as refused:
                if request.method == "POST":
                    request.scope[REFUSED] = _reason(refused)
                raise

        return noting

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what was refused is noted before, once the request's own transaction has ended."""

        async def telling(message: Message) -> None:
            reason = scope.pop(REFUSED, None)
            if reason is not None:
                await _note(Request(scope), reason)
            await send(message)

        await super().handle(scope, receive, telling)


async def _note(request: Request, reason: str) -> None:
    """Note what was wrong, if the caller may push readings: a body that is no JSON is refused before anybody asks."""
    context: ApiContext = request.app.state.api
    credentials = await bearer(request)
    with suppress(Unauthenticated, Forbidden):
        async with context.transactions() as tx:
            await MAY_PUSH(tx, credentials)
            await readings.note_refused(tx, request.path_params["site_id"], reason)


def _reason(refused: RequestValidationError | Invalid) -> str:
    if isinstance(refused, Invalid):
        return f"{refused.field}: {refused.detail}"
    return "; ".join(f"{field_of(error['loc'])}: {reason_of(error)}" for error in refused.errors()[:3])


router = APIRouter(prefix="/v1/sites/{site_id}/readings", tags=["readings"], route_class=MeterRoute)


class FlowIn(In):
    """Power, or currents of line conductors, through a feeder; what is not measured is left out."""

    kw: SignedPowerKw | None = None
    l1_a: SignedCurrentA | None = None
    l2_a: SignedCurrentA | None = None
    l3_a: SignedCurrentA | None = None


Flows = Annotated[dict[SiteId, FlowIn], Field(max_length=MOST_FEEDERS_COUNT)]


class ReadingIn(In):
    """Means until `at`, best every 2 to 5 seconds: what the sun gave and what the building took without cars.

    `grid_kw` is the power drawn at the connection, cars included; negative: fed in. `loads` are uncontrolled loads by
    feeder, without cars; `totals` are what flows through feeders, cars included.
    """

    at: Instant
    pv_kw: PowerKw
    building_kw: PowerKw
    grid_kw: SignedPowerKw | None = None
    loads: Flows = Field(default_factory=dict)
    totals: Flows = Field(default_factory=dict)


class FlowOut(Out):
    """Power or currents through a feeder, as far as they were measured."""

    kw: float | None = None
    l1_a: float | None = None
    l2_a: float | None = None
    l3_a: float | None = None


def _flows_out(stored: readings.PerFeeder | None) -> dict[str, FlowOut]:
    return {feeder_id: _flow_out(values) for feeder_id, values in (stored or {}).items()}


def _flow_out(values: Mapping[str, Any]) -> FlowOut:
    power_kw = kw_from_w(values["w"]) if "w" in values else None
    return FlowOut(kw=power_kw, l1_a=values.get("L1"), l2_a=values.get("L2"), l3_a=values.get("L3"))


def _flows(told: Mapping[str, FlowIn]) -> dict[str, dict[str, float]]:
    return {feeder_id: values for feeder_id, flow in told.items() if (values := _flow(flow))}


def _flow(flow: FlowIn) -> dict[str, float]:
    power_w = None if flow.kw is None else w_from_kw(flow.kw)
    values = {"w": power_w, "L1": flow.l1_a, "L2": flow.l2_a, "L3": flow.l3_a}
    return {name: value for name, value in values.items() if value is not None}


FlowsOut = Annotated[dict[str, FlowOut], BeforeValidator(_flows_out)]


class ReadingOut(Out):
    """A stored reading."""

    at: datetime
    pv_kw: KwOut = Field(validation_alias="pv_w")
    building_kw: KwOut = Field(validation_alias="building_w")
    grid_kw: MaybeKwOut = Field(validation_alias="grid_w")
    loads: FlowsOut
    totals: FlowsOut
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
    """Store a reading; the same reading again changes nothing and answers 200.

    One that cannot be meant is refused and, for the site's safety, taken as a sign that its meter is in trouble.
    """
    told = readings.Reading(
        at=body.at,
        pv_w=w_from_kw(body.pv_kw),
        building_w=w_from_kw(body.building_kw),
        grid_w=None if body.grid_kw is None else w_from_kw(body.grid_kw),
        loads=_flows(body.loads),
        totals=_flows(body.totals),
    )
    row, is_new = await readings.record(tx, site_id, told)
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
