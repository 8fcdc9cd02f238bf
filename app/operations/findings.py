"""What Sunslot itself finds wrong with a station's security: kept among the station's events, one row for each kind."""

from typing import Any

from sqlalchemy import select

from app.domain.facts import ReportKind
from app.operations.hearing import clean
from app.operations.transaction import Tx
from app.store.base import stored_text
from app.store.upkeep import StationEventRow

FOUND_BY = "sunslot"
LONGEST_NAME_COUNT = 100
MOST_ATTEMPTS_COUNT = 1_000_000


async def note(tx: Tx, station_id: str, name: str, detail: dict[str, Any], count: int = 1) -> None:
    """Keep a finding as a security event of the station; the same again moves its time and counts.

    However often somebody tries, there is one row for each name, so that nobody can push other events out.
    """
    kept = clean(detail) | {"found_by": FOUND_BY}
    query = select(StationEventRow).where(StationEventRow.station_id == station_id, StationEventRow.name == name)
    query = query.where(StationEventRow.kind == ReportKind.SECURITY, StationEventRow.detail.contains(_MARK))
    row = await tx.session.scalar(query.order_by(StationEventRow.event_id.desc()).limit(1).with_for_update())
    if row is not None:
        row.at = row.received_at = tx.now
        attempt_count = min(int(row.detail.get("attempt_count", 0)) + count, MOST_ATTEMPTS_COUNT)
        row.detail = kept | {"attempt_count": attempt_count}
        return
    tx.session.add(
        StationEventRow(
            station_id=station_id,
            kind=ReportKind.SECURITY,
            name=stored_text(name, LONGEST_NAME_COUNT),
            at=tx.now,
            received_at=tx.now,
            detail=kept | {"attempt_count": count},
        )
    )
    await tx.session.flush()


_MARK = {"found_by": FOUND_BY}
