"""The ledger seen from outside: read from the database, it tells what was counted where, and decides nothing."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.scheduling.feeders import grid_of
from app.scheduling.ledger import possible_w
from app.scheduling.orders import ledgers_of
from app.scheduling.uncontrolled import bounds
from app.store.base import create_engine
from app.store.electrical import feeders_of
from app.store.meter import recent_readings
from app.store.plan import LimitRow, open_limits
from app.store.specs import entry_of, read_site, site_spec
from proofs.crash.site import SITE_ID

FULL_SHARE = 0.97


@dataclass(frozen=True, slots=True)
class View:
    """What the ledger counts: per row its sum and its capacity, per station what may be in force there (W)."""

    at: datetime
    rows: dict[str, tuple[float, float]]
    possible_w: dict[str, float]
    unproven: tuple[str, ...]

    @property
    def is_full(self) -> bool:
        """Whether a row has next to no room left."""
        return any(load >= FULL_SHARE * capacity for load, capacity in self.rows.values())

    @property
    def excesses(self) -> dict[str, float]:
        """By how much which rows are over what they may carry."""
        return {name: load - capacity for name, (load, capacity) in self.rows.items() if load > capacity + 1e-3}

    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "at": self.at.isoformat(),
            "rows": {name: [round(load, 1), round(capacity, 1)] for name, (load, capacity) in self.rows.items()},
            "possible_a": {station: round(power_w / 200, 2) for station, power_w in self.possible_w.items()},
            "unproven": list(self.unproven),
        }


class Books:
    """Reads the database at `url_of()`, which may change when the server is started anew; one transaction each."""

    def __init__(self, url_of: Callable[[], str]) -> None:
        self._url_of = url_of
        self._url = ""
        self._engine: AsyncEngine | None = None

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncSession]:
        url = self._url_of()
        if self._engine is None or url != self._url:
            await self.close()
            self._url, self._engine = url, create_engine(url, pool_size=1)
        async with AsyncSession(self._engine) as session, session.begin():
            yield session

    async def close(self) -> None:
        """Close the connections."""
        if self._engine is not None:
            await self._engine.dispose()

    async def view(self) -> View:
        """Return what the ledger counts now."""
        async with self._session() as session:
            now = datetime.now(UTC)
            row, pairs = await read_site(session, SITE_ID)
            site, evses = site_spec(row, await feeders_of(session, SITE_ID)), [spec for _, spec in pairs]
            entries = [entry_of(each) for each in await open_limits(session, SITE_ID)]
            ledgers = ledgers_of(evses, entries, now, site.settle)
            possible = {each.evse_id: possible_w(ledgers[each.evse_id], now, site.settle) for each in evses}
            measured = bounds(site, await recent_readings(session, SITE_ID, now), now)
            grid = grid_of(site, evses, measured.loads)
            loads = grid.loads(possible)
            return View(
                at=now,
                rows={
                    " ".join(str(part) for part in grid_row.key if part) or "site": (load, grid_row.capacity)
                    for grid_row, load in zip(grid.rows, loads, strict=True)
                },
                possible_w={each.station_id: possible[each.evse_id] for each in evses},
                unproven=tuple(each.station_id for each in evses if not each.is_verified),
            )

    async def orders(self) -> Counter[str]:
        """Return how many limit orders ended how."""
        query = text("SELECT coalesce(outcome, 'open'), count(*) FROM limit_entry GROUP BY 1")
        async with self._session() as session:
            return Counter({str(outcome): int(count) for outcome, count in await session.execute(query)})

    async def reasons(self) -> Counter[str]:
        """Return how many orders were written for which reason."""
        query = text("SELECT reason, count(*) FROM limit_entry GROUP BY 1")
        async with self._session() as session:
            return Counter({str(reason): int(count) for reason, count in await session.execute(query)})

    async def accepted_s(self) -> list[float]:
        """Return when orders were accepted, as seconds since 1970, sorted."""
        query = select(LimitRow.outcome_at).where(LimitRow.outcome == "accepted", LimitRow.outcome_at.is_not(None))
        async with self._session() as session:
            return sorted(at.timestamp() for at in await session.scalars(query) if at is not None)
