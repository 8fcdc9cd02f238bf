"""Stays that are over, kept for learning: written with the message that ends them, corrected with what comes later.

The end of a session may not be the car's leaving: an EVSE that says so later, before the next session, is believed.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from app.bus.subjects import site_changed, site_stays
from app.domain.snapshot import IntentSource
from app.operations import sessions
from app.operations.transaction import Tx
from app.store import session_queries, stay_queries
from app.store.session import SessionRow
from app.store.stays import LearntStaysRow

KEEP = timedelta(days=400)
LONGEST_LINGER = timedelta(days=1)
PAGE_COUNT = 500
FORGOTTEN = "forgotten"


async def record(tx: Tx, rows: Collection[SessionRow]) -> None:
    """Write or correct the stays of these sessions, as far as they are over."""
    over = [row for row in rows if row.ended_at is not None]
    if not over:
        return
    await tx.session.flush()
    await stay_queries.take_in(tx.session, [row.session_id for row in over])
    for site_id in {row.site_id for row in over}:
        tx.ring(site_stays(site_id))


async def record_anew(tx: Tx, row: SessionRow) -> None:
    """Write the stay of a session whose end was only guessed before."""
    await stay_queries.remove_stay(tx.session, row.session_id)
    await record(tx, [row])


async def see_leave(tx: Tx, evse_id: int, at: datetime) -> None:
    """Note that an EVSE became free: the car of its last session, if that is over, left only now."""
    await tx.session.flush()
    await stay_queries.see_leave(tx.session, evse_id, at, LONGEST_LINGER)


async def take_in_missing(tx: Tx, site_id: str) -> bool:
    """Write some of the site's stays that are not written yet (older ones, after an update); return whether any was."""
    written_count = await stay_queries.take_in_missing(tx.session, site_id, tx.now - KEEP, PAGE_COUNT)
    return written_count > 0


async def unlearn(tx: Tx, driver_id: UUID) -> None:
    """Empty what was learnt at every site where the driver may be part of it, to be learnt again without.

    Running sessions whose intent was taken from habits fall back to the site's default.
    """
    site_ids = await stay_queries.sites_learnt_from(tx.session, driver_id)
    empty = [
        LearntStaysRow(site_id=site_id, learnt_id=uuid4(), learnt_at=tx.now, method=FORGOTTEN, stays_count=0, body=b"")
        for site_id in site_ids
    ]
    await stay_queries.unlearn(tx.session, empty)
    await stay_queries.forget_bases(tx.session, driver_id)
    for row, site in await session_queries.running_sessions_of_driver(tx.session, driver_id):
        if row.intent_source == IntentSource.LEARNT:
            sessions.assume_default(row, site, tx.now)
    await tx.session.flush()
    for site_id in site_ids:
        tx.ring(site_stays(site_id))
        tx.ring(site_changed(site_id))
