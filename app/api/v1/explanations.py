"""Why cars charge as they do: stable codes for programs, sentences for people."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.deps import DriverOrOperator, Operator, Transaction
from app.api.models import Out
from app.api.problems import documented
from app.domain.explanation import NowInstead, Reason, SessionExplanation, Why
from app.domain.units import kw_from_w, kwh_from_wh
from app.operations import explanations
from app.operations.access import owner_of
from app.operations.explanations import LiveExplanation, PlanExplanation
from app.scheduling.holding import Holding

router = APIRouter(tags=["plans"])

COST_DIGITS = 2


class ReasonOut(Out):
    """A reason: a code that stays the same, and a sentence with figures in the site's local time."""

    code: Why
    text: str


class SpanOut(Out):
    """Slots that follow each other for the same reason; `planned_kw` 0: it does not charge then."""

    start_at: datetime
    end_at: datetime
    planned_kw: float
    reason: ReasonOut
    why_not_more: ReasonOut | None


class NowInsteadOut(Out):
    """What it would cost to take this much (up to 1 kWh) in the current slot instead of later.

    How much more comes from the grid over the whole plan, and what that costs more, in the site's currency and in g of
    CO2 (null: not told). Negative: it would cost less.
    """

    energy_kwh: float
    grid_kwh: float
    cost: float | None
    co2_g: float | None

    @classmethod
    def of(cls, swap: NowInstead) -> "NowInsteadOut":
        """Return it in the units of the API."""
        return cls(
            energy_kwh=kwh_from_wh(swap.energy_wh),
            grid_kwh=kwh_from_wh(swap.grid_wh),
            cost=None if swap.cost is None else round(swap.cost, COST_DIGITS),
            co2_g=None if swap.co2_g is None else round(swap.co2_g, COST_DIGITS),
        )


class SessionExplanationOut(Out):
    """One session's part of a plan.

    `now` is why the plan wants `target_kw` right now, most decisive first; `spans` cover its slots until departure.
    `done_at` is when it has everything as planned (null: it will not), `missing_kwh` what it will not get, and
    `missing_for` why. `stay_basis` says what was learnt of how long it may stay, without naming anybody.
    """

    session_id: UUID
    evse_id: int
    target_kw: float
    now: tuple[ReasonOut, ...]
    spans: tuple[SpanOut, ...]
    planned_kwh: float
    sun_kwh: float
    grid_kwh: float
    one_kwh_now_instead: NowInsteadOut | None
    done_at: datetime | None
    missing_kwh: float
    missing_for: str
    stay_basis: str

    @classmethod
    def of(cls, told: SessionExplanation) -> "SessionExplanationOut":
        """Return it in the units of the API."""
        return cls(
            session_id=UUID(told.session_id),
            evse_id=told.evse_id,
            target_kw=kw_from_w(told.target_w),
            now=tuple(_reason(each) for each in told.now),
            spans=tuple(
                SpanOut(
                    start_at=each.interval.start_at,
                    end_at=each.interval.end_at,
                    planned_kw=kw_from_w(each.power_w),
                    reason=_reason(each.reason),
                    why_not_more=None if each.why_not_more is None else _reason(each.why_not_more),
                )
                for each in told.spans
            ),
            planned_kwh=kwh_from_wh(told.planned_wh),
            sun_kwh=kwh_from_wh(told.sun_wh),
            grid_kwh=kwh_from_wh(told.grid_wh),
            one_kwh_now_instead=None if told.now_instead is None else NowInsteadOut.of(told.now_instead),
            done_at=told.done_at,
            missing_kwh=kwh_from_wh(told.missing_wh),
            missing_for=told.missing_for,
            stay_basis=told.stay_basis,
        )


def _reason(reason: Reason) -> ReasonOut:
    return ReasonOut(code=reason.code, text=reason.text)


class PlanExplanationOut(Out):
    """A plan explained; `is_same_planner`: by the code that made it (else costs may have changed since)."""

    plan_id: UUID
    site_id: str
    revision: int
    made_at: datetime
    is_same_planner: bool
    sessions: tuple[SessionExplanationOut, ...]

    @classmethod
    def of(cls, told: PlanExplanation) -> "PlanExplanationOut":
        """Return it in the units of the API."""
        return cls(
            plan_id=told.plan_id,
            site_id=told.site_id,
            revision=told.revision,
            made_at=told.made_at,
            is_same_planner=told.is_same_planner,
            sessions=tuple(SessionExplanationOut.of(each) for each in told.sessions),
        )


class HoldingOut(Out):
    """What holds at the EVSE right now, by the ledger of limits: `lease_ends_at` null: only its default holds.

    `wanted_kw` is what the newest plan wants there. `text` says so in one line, and what a raise may be waiting for.
    """

    limit_kw: float
    lease_ends_at: datetime | None
    wanted_kw: float | None
    text: str

    @classmethod
    def of(cls, told: Holding) -> "HoldingOut":
        """Return it in the units of the API."""
        wanted_kw = None if told.wanted_w is None else kw_from_w(told.wanted_w)
        return cls(
            limit_kw=kw_from_w(told.limit_w), lease_ends_at=told.lease_ends_at, wanted_kw=wanted_kw, text=told.text
        )


class LiveExplanationOut(Out):
    """A session explained: its part of the newest plan, and what holds right now (null: it is over).

    `plan_id` and `part` are null where no plan knows a wish of it: its car takes no more, or there is no plan yet.
    """

    session_id: UUID
    plan_id: UUID | None
    made_at: datetime | None
    is_same_planner: bool | None
    part: SessionExplanationOut | None
    now: HoldingOut | None

    @classmethod
    def of(cls, told: LiveExplanation) -> "LiveExplanationOut":
        """Return it in the units of the API."""
        return cls(
            session_id=told.session_id,
            plan_id=None if told.plan is None else told.plan.plan_id,
            made_at=None if told.plan is None else told.plan.made_at,
            is_same_planner=None if told.plan is None else told.plan.is_same_planner,
            part=None if told.part is None else SessionExplanationOut.of(told.part),
            now=None if told.now is None else HoldingOut.of(told.now),
        )


@router.get(
    "/v1/sessions/{session_id}/explanation",
    responses=documented("not_found"),
    operation_id="explain_session",
    summary="Explain why a car charges as it does",
    tags=["sessions"],
)
async def explain_session(tx: Transaction, caller: DriverOrOperator, session_id: UUID) -> LiveExplanationOut:
    """Explain the newest plan for a session, slot by slot, and what holds at its EVSE right now."""
    return LiveExplanationOut.of(await explanations.of_session(tx, session_id, owner_of(caller)))


@router.get(
    "/v1/plans/{plan_id}/explanation",
    responses=documented("not_found"),
    operation_id="explain_plan",
    summary="Explain why a plan is as it is",
)
async def explain_plan(
    tx: Transaction,
    _: Operator,
    plan_id: UUID,
    session_id: Annotated[UUID | None, Query(description="only this session")] = None,
) -> PlanExplanationOut:
    """Explain any kept plan, for all of its sessions or one."""
    return PlanExplanationOut.of(await explanations.of_plan(tx, plan_id, session_id))
