"""Nightly housekeeping: what is older than its keep is deleted, in bounded statements, by one node at a time."""

from datetime import timedelta

from sqlalchemy import Executable, delete, func, select

from app.operations.stays import KEEP as STAY_KEEP
from app.operations.transaction import Tx
from app.store.driver import IdempotencyRow
from app.store.frame_queries import SURPLUS_FRAMES
from app.store.frames import FrameRow, RepairRow
from app.store.meter import FINE_READINGS
from app.store.plan import LimitRow, PlanRow
from app.store.session import MeterValueRow, SessionMessageRow
from app.store.site import ForecastRow, SiteReadingRow
from app.store.station import QuarantineRow, StrangerRow
from app.store.stays import PastStayRow
from app.store.upkeep import CommandRow, ReservationRow, StationEventRow, StationJobRow

LOCK_NO = 7_160_001
SHORT_KEEP = timedelta(days=30)
FRAME_KEEP = timedelta(days=7)
MOST_FRAMES_COUNT = 5000
FINE_READINGS_KEEP = timedelta(days=35)


async def prune(tx: Tx, keep: timedelta) -> dict[str, int]:
    """Delete old rows and return how many of each kind; nothing where another node is at it.

    Records (meter values, messages, plans, readings, forecasts, commands, jobs, events, reservations, closed limits) go
    after `keep`, past stays after 400 days; strangers, quarantine and idempotency answers after 30 days; raw messages
    after 7 days, and all but the newest 5,000 of a station. Of readings that are older than 35 days one a minute stays,
    with the minute's means.
    """
    has_lock = await tx.session.scalar(select(func.pg_try_advisory_xact_lock(LOCK_NO)))
    if not has_lock:
        return {}
    old_at, short_at = tx.now - keep, tx.now - SHORT_KEEP
    statements: dict[str, Executable] = {
        "meter_values": delete(MeterValueRow).where(MeterValueRow.at < old_at),
        "messages": delete(SessionMessageRow).where(SessionMessageRow.received_at < old_at),
        "plans": delete(PlanRow).where(PlanRow.made_at < old_at),
        "readings": delete(SiteReadingRow).where(SiteReadingRow.at < old_at),
        "fine_readings": FINE_READINGS.bindparams(fine_at=tx.now - FINE_READINGS_KEEP),
        "forecasts": delete(ForecastRow).where(ForecastRow.issued_at < old_at),
        "commands": delete(CommandRow).where(CommandRow.asked_at < old_at),
        "jobs": delete(StationJobRow).where(StationJobRow.changed_at < old_at),
        "events": delete(StationEventRow).where(StationEventRow.received_at < old_at),
        "reservations": delete(ReservationRow).where(ReservationRow.expires_at < old_at),
        "limits": delete(LimitRow).where(LimitRow.is_closed, LimitRow.intended_at < old_at),
        "past_stays": delete(PastStayRow).where(PastStayRow.left_at < tx.now - STAY_KEEP),
        "strangers": delete(StrangerRow).where(StrangerRow.last_seen_at < short_at),
        "quarantine": delete(QuarantineRow).where(QuarantineRow.received_at < short_at),
        "frames": delete(FrameRow).where(FrameRow.at < tx.now - FRAME_KEEP),
        "surplus_frames": SURPLUS_FRAMES.bindparams(keep_count=MOST_FRAMES_COUNT),
        "repairs": delete(RepairRow).where(RepairRow.last_at < old_at),
        "idempotency": delete(IdempotencyRow).where(IdempotencyRow.created_at < short_at),
    }
    pruned = {}
    for kind, statement in statements.items():
        result = await tx.session.execute(statement)
        pruned[kind] = int(getattr(result, "rowcount", 0))
    return pruned
