"""The declarative base: naming convention, aware-UTC time columns, and the engine's settings."""

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import ARRAY, ColumnElement, DateTime, MetaData, any_, func, literal, select, tuple_
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.types import TypeDecorator, TypeEngine

COMMAND_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10.0
TURN_TIMEOUT_S = 60.0  # waiting for a free connection is a queue, and no sign that the database is gone


class UtcDateTime(TypeDecorator[datetime]):
    """timestamptz that refuses naive values and gives back UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse naive values; raises ValueError."""
        if value is not None and value.tzinfo is None:
            raise ValueError("naive datetime given to the database")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return UTC."""
        return None if value is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All rows."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime()}


def create_engine(url: str, *, pool_size: int = 10, **options: Any) -> AsyncEngine:
    """Return an engine whose every wait is bounded; `url` is any postgresql:// URL."""
    return create_async_engine(
        asyncpg_url(url),
        pool_size=pool_size,
        max_overflow=5,
        pool_timeout=TURN_TIMEOUT_S,
        pool_pre_ping=False,
        connect_args={"command_timeout": COMMAND_TIMEOUT_S, "timeout": CONNECT_TIMEOUT_S},
        **options,
    )


def asyncpg_url(url: str) -> str:
    """Return a postgresql:// (or postgres://) URL as SQLAlchemy spells it for asyncpg."""
    url = url.replace("postgres://", "postgresql://", 1)
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


def among(column: ColumnElement[Any] | InstrumentedAttribute[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Return whether a column has one of these values, as one array.

    An IN of many spells each of them: that costs more than the query, and every count of them is another statement.
    """
    return column == any_(literal(list(values), _array_of(column.type)))


def pair_among(
    columns: tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]], pairs: Collection[tuple[Any, Any]]
) -> ColumnElement[bool]:
    """Return whether two columns have one of these pairs of values, as two arrays."""
    sides = list(zip(*pairs, strict=True)) or [(), ()]
    arrays = [literal(list(side), _array_of(each.type)) for each, side in zip(columns, sides, strict=True)]
    pair = func.unnest(*arrays).table_valued("one", "other").render_derived()
    return tuple_(*columns).in_(select(pair.c.one, pair.c.other))


@cache
def _array_of(kind: TypeEngine[Any]) -> ARRAY[Any]:
    """Return the type of arrays of a column's type; one object, because a new one costs as much as a query."""
    return ARRAY(kind)


def stored_text(value: str, longest_count: int) -> str:
    """Return what of a foreign text PostgreSQL can keep: no NUL, no half characters, at most so many characters."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")[:longest_count]


def stored_key(value: str, longest_count: int) -> str:
    """Return a business key that fits its column: the text itself, or the SHA-256 of what is too long or odd."""
    text = stored_text(value, longest_count)
    return text if text == value else hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:longest_count]
