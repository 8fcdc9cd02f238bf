"""Why a plan is as it is, and what the limit loop makes of it: recorded inputs and the ledger, read and explained."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.errors import NotFound
from app.domain.explanation import SessionExplanation
from app.operations import plans, records
from app.operations.transaction import Tx
from app.scheduling.explaining import explain
from app.scheduling.holding import Holding, holding
from app.scheduling.orders import ledgers_of
from app.store import plan_queries, session_queries
from app.store.electrical import feeders_of
from app.store.plan import DesiredLimitRow, open_limits
from app.store.session import SessionRow
from app.store.specs import entry_of, read_site, site_spec


@dataclass(frozen=True, slots=True)
class PlanExplanation:
    """A plan explained. `is_same_planner`: the code here is the one that made it, so that costs are surely the same."""

    plan_id: UUID
    site_id: str
    revision: int
    made_at: datetime
    is_same_planner: bool
    sessions: tuple[SessionExplanation, ...]


@dataclass(frozen=True, slots=True)
class LiveExplanation:
    """A session in the newest plan that could know it (None: there is none, or the plan knows no wish of it).

    `now` is what holds at its EVSE right now (None: the session is over).
    """

    session_id: UUID
    plan: PlanExplanation | None
    now: Holding | None

    @property
    def part(self) -> SessionExplanation | None:
        """The session's part of the plan."""
        return None if self.plan is None else next(iter(self.plan.sessions), None)


async def of_plan(tx: Tx, plan_id: UUID, session_id: UUID | None = None) -> PlanExplanation:
    """Return why a plan is as it is, of one session or all; raises NotFound for neither plan nor session in it."""
    found = await _explained(await plans.record(tx, plan_id), session_id)
    if session_id is not None and not found.sessions:
        raise NotFound("the plan has no such session", field="session_id")
    return found


async def of_session(tx: Tx, session_id: UUID, owner_id: UUID | None = None) -> LiveExplanation:
    """Return why a session charges as it does; raises NotFound, also for another driver's."""
    found = await session_queries.charging_session(tx.session, session_id, owner_id)
    if found is None:
        raise NotFound("there is no such session")
    row, _ = found
    plan_id = await plan_queries.newest_plan_id(tx.session, row.site_id, row.ended_at)
    part = None if plan_id is None else await _explained(await plans.record(tx, plan_id), session_id)
    now = await _holding(tx, row) if row.ended_at is None else None
    return LiveExplanation(session_id, part if part is not None and part.sessions else None, now)


async def _explained(record: plans.PlanRecord, session_id: UUID | None) -> PlanExplanation:
    session_ids = None if session_id is None else frozenset({str(session_id)})
    return PlanExplanation(
        plan_id=record.plan_id,
        site_id=record.site_id,
        revision=record.revision,
        made_at=record.made_at,
        is_same_planner=record.planner == records.planner_name(),
        sessions=await asyncio.to_thread(_explain, record, session_ids),
    )


def _explain(record: plans.PlanRecord, session_ids: frozenset[str] | None) -> tuple[SessionExplanation, ...]:
    made = records.read_plan_json(record.plan)
    if session_ids is not None and not session_ids & {line.session_id for line in made.lines}:
        return ()
    return explain(records.read_snapshot_json(record.inputs), made, session_ids)


async def _holding(tx: Tx, row: SessionRow) -> Holding:
    site_row, pairs = await read_site(tx.session, row.site_id)
    site = site_spec(site_row, await feeders_of(tx.session, row.site_id))
    entries = [entry_of(each) for each in await open_limits(tx.session, row.site_id)]
    ledgers = ledgers_of([spec for _, spec in pairs], entries, tx.now, site.settle)
    desired = await tx.session.get(DesiredLimitRow, row.evse_id, populate_existing=True)
    wanted_w = desired.target_w if desired is not None and desired.session_id == row.session_id else None
    zone = ZoneInfo(site.zone)
    return holding(row.evse_id, str(row.session_id), wanted_w, ledgers, tx.now, site.settle, zone)
