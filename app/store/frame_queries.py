"""Queries on the raw message log and on the counts of repairs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.pages import Page, PageAsked
from app.store.frames import FrameRow, RepairRow
from app.store.page_queries import Keys, fetch_page

FRAME_KEYS = Keys((FrameRow.frame_id,), (int,), is_descending=True)
REPAIR_KEYS = Keys((RepairRow.vendor, RepairRow.model, RepairRow.firmware, RepairRow.repair), (str, str, str, str))
FRAME_COLUMNS = {
    "station_id": "text",
    "at": "timestamptz",
    "direction": "text",
    "kind": "text",
    "action": "text",
    "message_id": "text",
    "text": "text",
}
INSERT_FRAMES = text(
    f"INSERT INTO frame ({', '.join(FRAME_COLUMNS)}) "  # noqa: S608 - our own column names
    f"SELECT * FROM unnest({', '.join(f'CAST(:{name} AS {kind}[])' for name, kind in FRAME_COLUMNS.items())})"
)
SURPLUS_FRAMES = text(
    "DELETE FROM frame USING (SELECT station_id, frame_id, row_number() OVER "
    "(PARTITION BY station_id ORDER BY frame_id DESC) AS place FROM frame) AS placed "
    "WHERE placed.frame_id = frame.frame_id AND placed.place > :keep_count"
)


async def insert_frames(session: AsyncSession, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert frames (columns as in FRAME_COLUMNS) in their order, with a commit that does not wait for the disk."""
    await session.execute(text("SET LOCAL synchronous_commit = off"))
    columns = zip(*rows, strict=True)
    await session.execute(INSERT_FRAMES, dict(zip(FRAME_COLUMNS, map(list, columns), strict=True)))


async def trim_frames(session: AsyncSession, station_id: str, keep_count: int) -> None:
    """Delete all but the newest frames of a station."""
    newest = select(FrameRow.frame_id).where(FrameRow.station_id == station_id).order_by(FrameRow.frame_id.desc())
    first_surplus = newest.offset(keep_count).limit(1).scalar_subquery()
    await session.execute(
        delete(FrameRow)
        .where(FrameRow.station_id == station_id, FrameRow.frame_id <= first_surplus)
        .execution_options(synchronize_session=False)
    )


async def frames(session: AsyncSession, query: Select[FrameRow], asked: PageAsked) -> Page[FrameRow]:
    """Return one page of a query on frames, newest first."""
    return await fetch_page(session, query, FRAME_KEYS, asked)


async def frames_after(
    session: AsyncSession, query: Select[FrameRow], frame_id: int, most_count: int
) -> Sequence[FrameRow]:
    """Return the next frames of a query after one, oldest first."""
    query = query.where(FrameRow.frame_id > frame_id).order_by(FrameRow.frame_id).limit(most_count)
    return (await session.scalars(query)).all()


async def last_frame_id(session: AsyncSession, station_id: str) -> int:
    """Return the id of the station's newest frame, 0 if there is none."""
    query = select(func.max(FrameRow.frame_id)).where(FrameRow.station_id == station_id)
    return int(await session.scalar(query) or 0)


async def add_repairs(session: AsyncSession, counts: Mapping[tuple[str, str, str, str], int], now: datetime) -> None:
    """Add to the counts of (vendor, model, firmware, repair)."""
    rows = [
        {"vendor": key[0], "model": key[1], "firmware": key[2], "repair": key[3], "count": count}
        for key, count in sorted(counts.items())
    ]
    statement = insert(RepairRow).values([row | {"first_at": now, "last_at": now} for row in rows])
    statement = statement.on_conflict_do_update(
        index_elements=["vendor", "model", "firmware", "repair"],
        set_={"count": RepairRow.count + statement.excluded.count, "last_at": statement.excluded.last_at},
    )
    await session.execute(statement)


async def known_repairs(
    session: AsyncSession, models: set[tuple[str, str, str]]
) -> dict[tuple[str, str, str], set[str]]:
    """Return which repairs are counted already for each (vendor, model, firmware)."""
    of_model = (RepairRow.vendor, RepairRow.model, RepairRow.firmware)
    query = select(*of_model, RepairRow.repair).where(tuple_(*of_model).in_(models))
    known: dict[tuple[str, str, str], set[str]] = {}
    for vendor, model, firmware, repair in await session.execute(query):
        known.setdefault((vendor, model, firmware), set()).add(repair)
    return known


async def repairs(session: AsyncSession, vendor: str | None, model: str | None, asked: PageAsked) -> Page[RepairRow]:
    """Return one page of the counts, by model."""
    query = select(RepairRow)
    if vendor is not None:
        query = query.where(RepairRow.vendor == vendor)
    if model is not None:
        query = query.where(RepairRow.model == model)
    return await fetch_page(session, query, REPAIR_KEYS, asked)
