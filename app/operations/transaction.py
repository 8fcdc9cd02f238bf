"""One request, message or job = one transaction, committed at the edge; rings go out after the commit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from app.bus import Bus
from app.domain.clock import Clock
from app.domain.errors import DatabaseUnavailable, Fenced

TRY_AGAIN_CLASSES = {"08", "40", "53", "57", "58"}  # connection, rollback, resources, operator, system
READ_ONLY = "25006"  # a standby, or a failover under way
OTHER_TERM = "SL009"  # our own, of the trigger that keeps rule R9


@dataclass(slots=True)
class Tx:
    """What an operation works with: the database session, the business time it started at, and rings to send."""

    session: AsyncSession
    now: datetime
    rings: set[str] = field(default_factory=set)
    kept: list[object] = field(default_factory=list)

    def ring(self, subject: str) -> None:
        """Ring the subject once this transaction is committed."""
        self.rings.add(subject)

    def keep(self, *rows: object) -> None:
        """Keep rows that several steps ask for: the session forgets what nobody holds, and would query it again."""
        self.kept += rows


class Transactions:
    """Opens transactions: `async with transactions() as tx`. Commits on success, rolls back on any exception.

    Raises DatabaseUnavailable when PostgreSQL cannot be reached, hangs up, starts up or shuts down, is out of memory,
    disk or connections, or gave way to another transaction: what was asked for may well succeed later. Raises Fenced
    where limits were written under a term that leads no more.
    """

    def __init__(self, engine: AsyncEngine, bus: Bus, clock: Clock) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._bus = bus
        self.clock = clock

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Tx]:
        """Open, yield, commit, ring."""
        with self.clock.hold():
            try:
                async with self._sessions() as session, session.begin():
                    tx = Tx(session, self.clock.now())
                    yield tx
            except (OSError, PoolTimeoutError, InterfaceError, OperationalError) as broken:
                raise DatabaseUnavailable("the database cannot be reached") from broken
            except DBAPIError as broken:
                if broken.connection_invalidated or _is_no_fault_of_ours(broken):
                    raise DatabaseUnavailable("the database hung up, or cannot do it now") from broken
                if _code(broken) == OTHER_TERM:
                    raise Fenced("another process has taken the lead of the site") from broken
                raise
            for subject in tx.rings:
                self._bus.ring(subject)


def _is_no_fault_of_ours(broken: DBAPIError) -> bool:
    """Whether PostgreSQL's own code says that trying again later is the answer, not that the statement was wrong."""
    code = _code(broken)
    return code[:2] in TRY_AGAIN_CLASSES or code == READ_ONLY


def _code(broken: DBAPIError) -> str:
    return getattr(broken.orig, "sqlstate", None) or ""
