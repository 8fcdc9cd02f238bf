"""Plans as they were made: rows back into values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.errors import NotFound
from app.domain.intervals import Interval
from app.domain.plan import ChargingPlan, ExpectedLine, PlanLine
from app.operations import sites
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


def _kept(row: PlanRow) -> KeptPlan:
    return KeptPlan(row.plan_id, row.revision, read_plan(json.loads(row.body)))


def read_plan(body: Mapping[str, Any]) -> ChargingPlan:
    """Return the plan that was written field by field as JSON (instants in ISO 8601)."""
    return ChargingPlan(
        site_id=body["site_id"],
        made_at=datetime.fromisoformat(body["made_at"]),
        slots=tuple(
            Interval(datetime.fromisoformat(slot["start_at"]), datetime.fromisoformat(slot["end_at"]))
            for slot in body["slots"]
        ),
        surplus_w=tuple(body["surplus_w"]),
        lines=tuple(PlanLine(**{**line, "power_w": tuple(line["power_w"])}) for line in body["lines"]),
        expected=tuple(
            ExpectedLine(**{**line, "power_w": tuple(line["power_w"])}) for line in body.get("expected", ())
        ),
    )
