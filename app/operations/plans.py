"""Plans as they were made: rows back into values, and into what made them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.errors import NotFound
from app.domain.plan import ChargingPlan
from app.operations import records, sites
from app.operations.transaction import Tx
from app.store import plan_queries
from app.store.plan import PlanRow


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan with its id and its number in the site's series."""

    plan_id: UUID
    revision: int
    plan: ChargingPlan


async def newest(tx: Tx, site_id: str) -> KeptPlan:
    """Return the site's newest plan; raises NotFound."""
    await sites.get(tx, site_id)
    row = await plan_queries.newest_plan(tx.session, site_id)
    if row is None:
        raise NotFound("the site has no plan yet")
    return _kept(row)


async def get(tx: Tx, plan_id: UUID) -> KeptPlan:
    """Return a plan; raises NotFound."""
    row = await plan_queries.plan(tx.session, plan_id)
    if row is None:
        raise NotFound("there is no such plan")
    return _kept(row)


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan with what it was made from, both as JSON text, and which code made it (None: older than this note)."""

    plan_id: UUID
    site_id: str
    revision: int
    made_at: datetime
    planner: str | None
    inputs: bytes
    plan: bytes


async def record(tx: Tx, plan_id: UUID) -> PlanRecord:
    """Return what is needed to make a plan again; raises NotFound."""
    row = await plan_queries.plan(tx.session, plan_id)
    if row is None:
        raise NotFound("there is no such plan")
    inputs = row.inputs.encode() if row.inputs_zip is None else records.unpacked(row.inputs_zip)
    return PlanRecord(row.plan_id, row.site_id, row.revision, row.made_at, row.planner, inputs, row.body.encode())


def _kept(row: PlanRow) -> KeptPlan:
    return KeptPlan(row.plan_id, row.revision, records.read_plan_json(row.body))
