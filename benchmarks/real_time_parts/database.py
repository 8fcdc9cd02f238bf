"""The whole cycle with a throw-away PostgreSQL: CPU of our process, time, and statements."""

import asyncio
import gc
import logging
import statistics
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.bus.local import LocalBus
from app.demo.scratch import scratch_database
from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec
from app.domain.wiring import Feeder
from app.operations import limits
from app.operations.transaction import Transactions
from app.runtime.clock import SteppedClock
from app.runtime.embedded_postgres import EmbeddedPostgres
from app.runtime.migrate import migrate
from app.scheduling.following import Line
from app.settings import Settings
from app.store.base import create_engine
from app.store.electrical import FeederRow
from app.store.plan import DesiredLimitRow, LimitRow, PlanRow
from app.store.session import SessionRow
from app.store.site import SiteReadingRow, SiteRow
from app.store.station import EvseRow, StationRow
from benchmarks.ocpp_parts.tables import Result, Table
from benchmarks.real_time_parts.parks import NOW, W_PER_A, Park, park_of
from benchmarks.real_time_parts.pure import SCENES

HEADS = ("EVSEs", "scene", "intents", "statements", "CPU ms", "elapsed ms")


def run(sizes: Sequence[int], rounds: int) -> Result:
    """Measure cycles that are rolled back, so that every one finds the same."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows = asyncio.run(_run(sizes, rounds))
    table = Table("Cycle with PostgreSQL", HEADS, [tuple(row.values()) for row in rows])
    return Result(rows, [table])


async def _run(sizes: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    found = []
    for size in sizes:
        async with scratch_database(Settings(database_url=None)) as settings:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            async with EmbeddedPostgres(settings.data_dir / "postgres", is_durable=False) as url:
                await migrate(url)
                engine = create_engine(url)
                clock = SteppedClock(NOW)
                transactions = Transactions(engine, LocalBus(clock), clock)
                park = park_of(size)
                async with transactions() as tx:
                    await _provision(tx.session, park)
                for scene, share in SCENES.items():
                    await _sun(transactions, park.expected_w * share)
                    found.append({"evses": size, "scene": scene, **await _measure(engine, transactions, rounds)})
                await engine.dispose()
    return found


class _Rollback(Exception):
    """The cycle was measured; what it wrote is not kept."""


async def _measure(engine: AsyncEngine, transactions: Transactions, rounds: int) -> dict[str, Any]:
    counts = {"statements": 0, "intents": 0}

    def count(*_: object) -> None:
        counts["statements"] += 1

    event.listen(engine.sync_engine, "before_cursor_execute", count)
    cpu_ms, elapsed_ms = [], []
    for _ in range(rounds):
        gc.collect()
        counts["statements"] = 0
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        try:
            async with transactions() as tx:
                await limits.allocate_site(tx, "bench")
                elapsed_ms.append((time.perf_counter() - began_s) * 1000)
                cpu_ms.append((time.process_time() - began_cpu_s) * 1000)
                counts["intents"] = len(tx.rings)
                raise _Rollback
        except _Rollback:
            pass
    event.remove(engine.sync_engine, "before_cursor_execute", count)
    return {
        "intents": counts["intents"],
        "statements": counts["statements"],
        "cpu_ms": round(statistics.median(cpu_ms), 1),
        "elapsed_ms": round(statistics.median(elapsed_ms), 1),
    }


async def _sun(transactions: Transactions, surplus_w: float) -> None:
    async with transactions() as tx:
        await tx.session.execute(text("DELETE FROM site_reading"))
        tx.session.add(
            SiteReadingRow(site_id="bench", at=NOW, pv_w=surplus_w, building_w=0.0, received_at=NOW, loads=None)
        )


async def _provision(session: AsyncSession, park: Park) -> None:
    """Write the park as rows: its tree, stations, sessions, the plan, and the limits in force."""
    plan_id = uuid.uuid4()
    for rows in (
        [SiteRow(site_id="bench", name="bench", zone="Asia/Tokyo", limit_w=park.site.limit_w, created_at=NOW)],
        [_feeder(each) for each in park.site.feeders],
        [_plan(plan_id, park)],
        [_station(each) for each in park.evses],
        [_evse(each) for each in park.evses],
        [_session(each, line) for each, line in zip(park.evses, park.lines, strict=True)],
        [_desired(plan_id, line) for line in park.lines],
        [_limit(each) for each in park.entries],
    ):
        session.add_all(rows)
        await session.flush()
    await session.execute(text("ANALYZE"))


def _feeder(feeder: Feeder) -> FeederRow:
    names = ("feeder_id", "parent_id", "kind", "rating_a", "limit_w", "margin_a")
    return FeederRow(site_id="bench", **{name: getattr(feeder, name) for name in names})


def _plan(plan_id: uuid.UUID, park: Park) -> PlanRow:
    made = {"revision": 1, "made_at": NOW, "body": "{}", "inputs": "{}"}
    return PlanRow(plan_id=plan_id, site_id="bench", surplus_w=park.expected_w, **made)


def _station(evse: EvseSpec) -> StationRow:
    online = {
        "dialect": "ocpp1.6",
        "connection_id": "socket",
        "needs_boot": False,
        "lease_slack": timedelta(seconds=30),
    }
    return StationRow(
        station_id=evse.station_id,
        site_id="bench",
        security_profile=0,
        rate_unit=evse.rate_unit,
        created_at=NOW,
        **online,
    )


def _evse(evse: EvseSpec) -> EvseRow:
    return EvseRow(
        evse_id=evse.evse_id,
        station_id=evse.station_id,
        evse_number=1,
        max_current_a=evse.nameplate_w / W_PER_A,
        default_verified_at=evse.verified_at,
        feeder_id=evse.feeder_id,
        wiring=evse.wiring,
    )


def _session(evse: EvseSpec, line: Line) -> SessionRow:
    return SessionRow(
        session_id=uuid.UUID(line.session_id),
        site_id="bench",
        station_id=evse.station_id,
        evse_id=evse.evse_id,
        station_ref="1",
        start_key="1",
        started_at=NOW - timedelta(hours=1),
        departs_at=line.departs_at or NOW,
        need_wh=line.need_wh,
        intent_source="driver",
    )


def _desired(plan_id: uuid.UUID, line: Line) -> DesiredLimitRow:
    names = ("evse_id", "planned_w", "must_w", "most_w", "need_wh", "departs_at")
    return DesiredLimitRow(
        session_id=uuid.UUID(line.session_id),
        plan_id=plan_id,
        target_w=line.planned_w,
        **{name: getattr(line, name) for name in names},
    )


def _limit(entry: LimitEntry) -> LimitRow:
    names = ("evse_id", "power_w", "intended_at", "lease_ends_at", "ends_at", "taken_at", "switched_at")
    return LimitRow(
        session_id=uuid.UUID(entry.session_id),
        reason="bench",
        outcome="accepted",
        outcome_at=entry.accepted_at,
        **{name: getattr(entry, name) for name in names},
    )
