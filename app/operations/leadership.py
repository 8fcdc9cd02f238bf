"""Who leads a site: one house (process) at a time writes its limits, and the database refuses every other (rule R9).

A *house* holds an advisory lock on a connection of its own for as long as it lives (`be_present`). It leads a site by a
row of `site_leader`: a term, and a lease in real time that the work itself renews. Another house takes over, under the
next term, at once when that lock is free (a process that was killed, or whose host is cut off and was found out by the
keep-alives), and at the lease's end where the lock is held by a process that does not work any more.

Every limit that is written carries its writer's term; a trigger refuses any but the current one (`Fenced`). Who decides
under the site's lock from rows that it reads there, as the raw door does, needs no lead: it writes under `term_of`.
"""

from datetime import timedelta

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.operations.transaction import Tx
from app.store.electrical import SiteLeaderRow

LEASE = timedelta(seconds=90)  # more than the limit loop's longest sleep: nobody has to renew it beside the work
LONGEST_PAUSE = timedelta(seconds=60)  # between two statements: a frozen process loses its transaction and the lock

HOUSES = func.hashtextextended("houses", 0)
LEAD = text("SELECT lead_site(:site_id, :house, :lease, :longest_pause)").bindparams(
    bindparam("lease", type_=INTERVAL()), bindparam("longest_pause", type_=INTERVAL())
)


async def lead(tx: Tx, site_id: str, house: str, lease: timedelta = LEASE) -> int | None:
    """Lock the site and return the term under which the house leads it, from now on or still.

    None where another house leads: then nothing is locked, and the house stands by. One round trip.
    """
    asked = {"site_id": site_id, "house": house, "lease": lease, "longest_pause": LONGEST_PAUSE}
    term: int | None = await tx.session.scalar(LEAD, asked)
    return term


async def term_of(session: AsyncSession, site_id: str) -> int:
    """Return the site's current term, 0 before the first; the caller holds the site's lock."""
    query = select(SiteLeaderRow.term).where(SiteLeaderRow.site_id == site_id)
    return await session.scalar(query) or 0


async def be_present(connection: AsyncConnection, house: str) -> None:
    """Say that the house lives, for as long as the connection does; waits while somebody just looks."""
    await connection.execute(select(func.pg_advisory_lock(func.hashtextextended(f"house {house}", 0))))
    await connection.execute(select(func.pg_advisory_lock_shared(HOUSES)))


async def is_alone(tx: Tx) -> bool:
    """Whether no house lives; if so, none becomes present before this transaction ends."""
    return bool(await tx.session.scalar(select(func.pg_try_advisory_xact_lock(HOUSES))))
