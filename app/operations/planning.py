"""Plans a site: reads one snapshot, lets the pure planner decide, and writes the plan and what it wants right now."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.bus.subjects import site_limits
from app.domain.plan import ChargingPlan
from app.domain.snapshot import SiteSnapshot
from app.operations import learning, outlooks, records
from app.operations.transaction import Tx
from app.scheduling.demand import LEAST_DRAW_W, observed_cap_w
from app.scheduling.planner import plan
from app.store import plan_queries
from app.store.base import among
from app.store.plan import DesiredLimitRow, PlanRow
from app.store.session import SessionRow, running_sessions_of_site
from app.store.site import lock_site
from app.store.snapshot import LimitHistory, limit_histories, read_snapshot
from app.store.station import EvseRow, StationRow

KEPT_PLANS_COUNT = 2000
KEPT_PLANS_BYTES = 400_000_000
PRUNE_EVERY_COUNT = 50
FOLLOWS_SHARE = 0.95


Planner = Callable[[SiteSnapshot, datetime], Awaitable[ChargingPlan]]
"""Makes a plan of a snapshot, wherever that is done best: in a thread, or in a process of its own."""


async def in_thread(snapshot: SiteSnapshot, now: datetime) -> ChargingPlan:
    """Make a plan in a thread: good enough for some hundred cars."""
    return await asyncio.to_thread(plan, snapshot, now)


async def replan_site(tx: Tx, site_id: str, planner: Planner = in_thread) -> ChargingPlan:
    """Make and write the site's next plan; one at a time per site. Raises NotFound for no such site.

    A plan is a wish: what is sent of it is decided, and fenced, by the limit loop.
    """
    await lock_site(tx.session, site_id)
    rows = await _learn_caps(tx, site_id)
    learnt = await learning.at_hand(tx, site_id)
    await outlooks.expect(tx, learnt, rows)
    snapshot = await outlooks.seen(learnt, await read_snapshot(tx.session, site_id, tx.now), rows, tx.now)
    made = await planner(snapshot, tx.now)
    plan_id = await _write_plan(tx, snapshot, made)
    await _write_desired(tx, snapshot, made, plan_id)
    tx.ring(site_limits(site_id))
    return made


async def _learn_caps(tx: Tx, site_id: str) -> Sequence[SessionRow]:
    """Keep what each running session's metered power says about its car; return the sessions."""
    rows = await running_sessions_of_site(tx.session, site_id)
    limits = await limit_histories(tx.session, rows, tx.now)
    query = select(EvseRow).where(among(EvseRow.evse_id, [row.evse_id for row in rows]))
    evses = {evse.evse_id: evse for evse in await tx.session.scalars(query)}
    for row in rows:
        row.learnt_cap_w = _cap_w(tx, row, evses[row.evse_id], limits[row.session_id])
    await tx.session.flush()
    return rows


def _cap_w(tx: Tx, row: SessionRow, evse: EvseRow, limits: LimitHistory) -> float | None:
    """Return the car's cap: newly observed, else the one known before, until the car fills a limit that is as high."""
    power_w, metered_at = evse.power_w, evse.metered_at
    observed_w = observed_cap_w(
        limit_w=limits.floor_w, limit_since_at=limits.since_at, power_w=power_w, metered_at=metered_at, now=tx.now
    )
    if observed_w is not None or row.learnt_cap_w is None:
        return observed_w
    if limits.limit_w is None or limits.since_at is None or power_w is None or metered_at is None:
        return row.learnt_cap_w
    is_about_this_limit = metered_at > limits.since_at and power_w >= LEAST_DRAW_W
    fills_it = power_w >= FOLLOWS_SHARE * limits.limit_w and limits.limit_w >= FOLLOWS_SHARE * row.learnt_cap_w
    return None if is_about_this_limit and fills_it else row.learnt_cap_w


async def _write_plan(tx: Tx, snapshot: SiteSnapshot, made: ChargingPlan) -> uuid.UUID:
    newest = select(func.max(PlanRow.revision)).where(PlanRow.site_id == made.site_id)
    revision = (await tx.session.scalar(newest) or 0) + 1
    row = PlanRow(
        plan_id=uuid.uuid4(),
        site_id=made.site_id,
        revision=revision,
        made_at=made.made_at,
        body=records.plan_json(made).decode(),
        inputs_zip=await asyncio.to_thread(_record, snapshot),
        surplus_w=made.surplus_w[0],
        planner=records.planner_name(),
    )
    tx.session.add(row)
    await tx.session.flush()
    await _prune(tx, made.site_id, revision)
    return row.plan_id


async def _write_desired(tx: Tx, snapshot: SiteSnapshot, made: ChargingPlan, plan_id: uuid.UUID) -> None:
    """Replace what the site's EVSEs should be limited to, with what the limit loop needs to follow the sun."""
    demands = {demand.session_id: demand for demand in snapshot.demands}
    values = [
        {
            "evse_id": line.evse_id,
            "session_id": uuid.UUID(line.session_id),
            "plan_id": plan_id,
            "target_w": line.target_w,
            "planned_w": line.power_w[0],
            "must_w": line.must_w,
            "most_w": line.most_w,
            "need_wh": demands[line.session_id].need_wh,
            "departs_at": demands[line.session_id].departs_at,
        }
        for line in sorted(made.lines, key=lambda line: line.evse_id)
    ]
    of_site = select(EvseRow.evse_id).join(StationRow).where(StationRow.site_id == made.site_id)
    wanted_ids = [line.evse_id for line in made.lines]
    await tx.session.execute(
        delete(DesiredLimitRow)
        .where(DesiredLimitRow.evse_id.in_(of_site), ~among(DesiredLimitRow.evse_id, wanted_ids))
        .execution_options(synchronize_session=False)
    )
    if values:
        statement = insert(DesiredLimitRow).values(values)
        changed = {name: statement.excluded[name] for name in values[0] if name != "evse_id"}
        await tx.session.execute(statement.on_conflict_do_update(index_elements=["evse_id"], set_=changed))


def _record(snapshot: SiteSnapshot) -> bytes:
    return records.packed(records.snapshot_json(snapshot))


async def _prune(tx: Tx, site_id: str, revision: int) -> None:
    """Now and then delete plans beyond the newest 2,000, and those that more than 400 MB of newer ones follow."""
    if revision % PRUNE_EVERY_COUNT == 0:
        is_old = PlanRow.revision <= revision - KEPT_PLANS_COUNT
        await tx.session.execute(delete(PlanRow).where(PlanRow.site_id == site_id, is_old))
        await plan_queries.keep_bytes(tx.session, site_id, KEPT_PLANS_BYTES)
