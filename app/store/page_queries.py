"""Lists in pages: keyset pagination with an opaque cursor that holds the sort keys of the last row given out."""

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.errors import Invalid
from app.domain.pages import Page, PageAsked

READERS: dict[type, Callable[[str], Any]] = {
    str: str,
    int: int,
    uuid.UUID: uuid.UUID,
    datetime: datetime.fromisoformat,
}


@dataclass(frozen=True, slots=True)
class Keys:
    """Unique sort keys of a list: columns (or expressions), their types, and the direction of all of them."""

    columns: tuple[ColumnElement[Any] | Any, ...]
    kinds: tuple[type, ...]
    is_descending: bool = False


async def fetch_page(session: AsyncSession, query: Select[*tuple[Any, ...]], keys: Keys, asked: PageAsked) -> Page[Any]:
    """Return one page of a query; its rows are tuples that end with the keys, which are cut off again.

    Raises Invalid (field `cursor`) for a cursor that this list has not given out.
    """
    width = len(keys.columns)
    query = query.add_columns(*keys.columns)
    if asked.cursor is not None:
        values = _read_cursor(asked.cursor, keys.kinds)
        last = tuple_(*(literal(value, column.type) for value, column in zip(values, keys.columns, strict=True)))
        here = tuple_(*keys.columns)
        query = query.where(here < last if keys.is_descending else here > last)
    order = [column.desc() if keys.is_descending else column.asc() for column in keys.columns]
    rows: Sequence[Any] = (await session.execute(query.order_by(*order).limit(asked.item_count + 1))).all()
    shown = rows[: asked.item_count]
    cursor = _write_cursor(shown[-1][-width:]) if len(rows) > asked.item_count else None
    bare = tuple(row[0] if len(row) == width + 1 else tuple(row[:-width]) for row in shown)
    return Page(bare, cursor)


def _write_cursor(values: Sequence[Any]) -> str:
    texts = [value.isoformat() if isinstance(value, datetime) else str(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, kinds: Sequence[type]) -> list[Any]:
    try:
        texts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [READERS[kind](text) for kind, text in zip(kinds, texts, strict=True)]
        if any(isinstance(value, datetime) and value.tzinfo is None for value in values):
            raise ValueError("naive")
        if any("\x00" in text for text in texts):
            raise ValueError("text")
        if any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
            raise ValueError("number")
    except (ValueError, TypeError, AttributeError, binascii.Error, UnicodeDecodeError, RecursionError):
        raise Invalid("is not a cursor of this list", field="cursor") from None
    return values
