"""How often messages of each model needed a repair, an allowance, a refusal or a doubt: what a firmware does wrong."""

from collections import Counter
from collections.abc import Mapping

from app.domain.pages import Page, PageAsked
from app.operations.transaction import Tx
from app.store import frame_queries, station_queries
from app.store.base import stored_text
from app.store.frames import RepairRow

UNKNOWN = "unknown"
OTHER = "other"
MOST_KINDS_COUNT = 200
LONGEST_KIND_COUNT = 64

Model = tuple[str, str, str]


async def record(tx: Tx, counts: Mapping[tuple[str, str], int]) -> None:
    """Add counts of (station_id, what) to those of the stations' models; `unknown` where no boot has told the model.

    A model has at most 200 kinds; what is new beyond that counts as `other`. Stations that are gone are left out.
    """
    models = await _models(tx, {station_id for station_id, _ in counts})
    by_kind: Counter[tuple[str, str, str, str]] = Counter()
    for (station_id, what), count in counts.items():
        if station_id in models:
            by_kind[(*models[station_id], stored_text(what, LONGEST_KIND_COUNT))] += count
    known = await frame_queries.known_repairs(tx.session, set(models.values()))
    bounded: Counter[tuple[str, str, str, str]] = Counter()
    for (vendor, model, firmware, what), count in sorted(by_kind.items()):
        kinds = known.setdefault((vendor, model, firmware), set())
        kind = what if what in kinds or len(kinds) < MOST_KINDS_COUNT else OTHER
        kinds.add(kind)
        bounded[vendor, model, firmware, kind] += count
    if bounded:
        await frame_queries.add_repairs(tx.session, bounded, tx.now)


async def repairs(tx: Tx, vendor: str | None, model: str | None, asked: PageAsked) -> Page[RepairRow]:
    """Return the counts by model, of one vendor or model or (None) of all; raises Invalid (cursor)."""
    return await frame_queries.repairs(tx.session, vendor, model, asked)


async def _models(tx: Tx, station_ids: set[str]) -> dict[str, Model]:
    return {
        row.station_id: (row.vendor or UNKNOWN, row.model or UNKNOWN, row.firmware or UNKNOWN)
        for row in await station_queries.by_id(tx.session, station_ids)
    }
