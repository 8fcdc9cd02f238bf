"""Plans: per slot who charges with how much, what the sun is expected to give, and what cannot be promised."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter

from app.api.deps import Operator, Transaction
from app.api.models import Out, SiteIdPath
from app.api.problems import documented
from app.domain.plan import ChargingPlan, ExpectedLine, PlanLine
from app.domain.units import energy_wh, kw_from_w, kwh_from_wh
from app.operations import plans
from app.operations.plans import KeptPlan

router = APIRouter(tags=["plans"])


class PlanSlotOut(Out):
    """One slot; powers are means. `planned_kw` sums the plugged-in cars, `expected_kw` the booked ones to come."""

    start_at: datetime
    end_at: datetime
    surplus_kw: float
    planned_kw: float
    expected_kw: float
    session_kw: dict[UUID, float]


class PlanSessionOut(Out):
    """One session's part: the limit wanted now, and what cannot be delivered by departure and why."""

    session_id: UUID
    evse_id: int
    target_kw: float
    planned_kwh: float
    unmet_kwh: float
    reason: str


class PlanBookingOut(Out):
    """The part that is kept for a booking whose car is not there yet."""

    booking_id: UUID
    evse_id: int
    planned_kwh: float
    unmet_kwh: float


class PlanOut(Out):
    """A plan. The first slot begins when the plan was made, then the 15-minute grid."""

    plan_id: UUID
    site_id: str
    revision: int
    made_at: datetime
    planned_kwh: float
    unmet_kwh: float
    slots: tuple[PlanSlotOut, ...]
    sessions: tuple[PlanSessionOut, ...]
    bookings: tuple[PlanBookingOut, ...]


class PlanInputsOut(Out):
    """What a plan was made from and what came of it, in the words of the code: W, Wh, instants and spans in ISO 8601.

    `planner` names the code that made it (its version, and a hash of its source), null for older plans. The same code
    makes the same plan of it, bit by bit: `sunslot replay`.
    """

    plan_id: UUID
    site_id: str
    revision: int
    made_at: datetime
    planner: str | None
    inputs: dict[str, Any]
    plan: dict[str, Any]


def _planned_wh(plan: ChargingPlan, line: PlanLine | ExpectedLine) -> float:
    return sum(energy_wh(power_w, slot.span) for power_w, slot in zip(line.power_w, plan.slots, strict=True))


def _slots(plan: ChargingPlan) -> tuple[PlanSlotOut, ...]:
    return tuple(
        PlanSlotOut(
            start_at=slot.start_at,
            end_at=slot.end_at,
            surplus_kw=kw_from_w(plan.surplus_w[no]),
            planned_kw=kw_from_w(sum(line.power_w[no] for line in plan.lines)),
            expected_kw=kw_from_w(sum(line.power_w[no] for line in plan.expected)),
            session_kw={UUID(line.session_id): kw_from_w(line.power_w[no]) for line in plan.lines if line.power_w[no]},
        )
        for no, slot in enumerate(plan.slots)
    )


def _plan_out(kept: KeptPlan) -> PlanOut:
    plan = kept.plan
    return PlanOut(
        plan_id=kept.plan_id,
        site_id=plan.site_id,
        revision=kept.revision,
        made_at=plan.made_at,
        planned_kwh=kwh_from_wh(sum(_planned_wh(plan, line) for line in plan.lines)),
        unmet_kwh=kwh_from_wh(sum(line.unmet_wh for line in plan.lines)),
        slots=_slots(plan),
        sessions=tuple(
            PlanSessionOut(
                session_id=UUID(line.session_id),
                evse_id=line.evse_id,
                target_kw=kw_from_w(line.target_w),
                planned_kwh=kwh_from_wh(_planned_wh(plan, line)),
                unmet_kwh=kwh_from_wh(line.unmet_wh),
                reason=line.reason,
            )
            for line in plan.lines
        ),
        bookings=tuple(
            PlanBookingOut(
                booking_id=UUID(line.booking_id),
                evse_id=line.evse_id,
                planned_kwh=kwh_from_wh(_planned_wh(plan, line)),
                unmet_kwh=kwh_from_wh(line.unmet_wh),
            )
            for line in plan.expected
        ),
    )


@router.get(
    "/v1/sites/{site_id}/plan",
    responses=documented("not_found"),
    operation_id="get_newest_plan",
    summary="Get a site's newest plan",
)
async def get_newest_plan(tx: Transaction, _: Operator, site_id: SiteIdPath) -> PlanOut:
    """Get the plan that is carried out now."""
    return _plan_out(await plans.newest(tx, site_id))


@router.get(
    "/v1/plans/{plan_id}", responses=documented("not_found"), operation_id="get_plan", summary="Get an earlier plan"
)
async def get_plan(tx: Transaction, _: Operator, plan_id: UUID) -> PlanOut:
    """Get a plan by id."""
    return _plan_out(await plans.get(tx, plan_id))


@router.get(
    "/v1/plans/{plan_id}/inputs",
    responses=documented("not_found"),
    operation_id="get_plan_inputs",
    summary="Get what a plan was made from",
)
async def get_plan_inputs(tx: Transaction, _: Operator, plan_id: UUID) -> PlanInputsOut:
    """Get everything that the planner looked at, and its plan, so that it can be made again."""
    found = await plans.record(tx, plan_id)
    return PlanInputsOut(
        plan_id=found.plan_id,
        site_id=found.site_id,
        revision=found.revision,
        made_at=found.made_at,
        planner=found.planner,
        inputs=orjson.loads(found.inputs),
        plan=orjson.loads(found.plan),
    )
