"""What all models of the API share: strictness, bounded numbers and texts, aware instants, kW and kWh, pages.

`In` models refuse unknown fields and numbers in quotes. `Out` models are read from what operations return, by
attribute; their `Kw…`/`Kwh…` fields take W and Wh and convert with `app.domain.units`.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from app.domain.units import kw_from_w, kwh_from_wh

ISO_START = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
EARLIEST_AT, LATEST_AT = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
LARGEST_ID = 2**63 - 1

Item = TypeVar("Item")


class In(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(extra="forbid")


class Out(BaseModel):
    """What a caller gets; instants in UTC unless said otherwise."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _iso_text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not ISO_START.match(value):
        raise ValueError("must be an ISO 8601 date and time with a UTC offset, like 2026-11-02T08:30:00+09:00")
    return value


def _in_our_time(value: datetime) -> datetime:
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 2000 and 2200") from None
    if not EARLIEST_AT <= utc < LATEST_AT:
        raise ValueError("must lie between the years 2000 and 2200")
    return utc


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_iso_text),
    AfterValidator(_in_our_time),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "ISO 8601 with a UTC offset"}),
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=PRINTABLE)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=PRINTABLE)]
SiteId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$")]
StationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9*_=+|@.-]{1,48}$")]  # ":" ends a user name
Card = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[\x21-\x7e]{1,36}$")]
EvseId = Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID)]
EvseNumber = Annotated[int, Field(strict=True, ge=1, le=64)]
PowerKw = Annotated[float, Field(strict=True, ge=0, le=100_000, allow_inf_nan=False)]
SomePowerKw = Annotated[float, Field(strict=True, ge=0.001, le=100_000, allow_inf_nan=False)]  # told to a watt
EnergyKwh = Annotated[float, Field(strict=True, ge=0, le=1_000, allow_inf_nan=False)]
SomeEnergyKwh = Annotated[float, Field(strict=True, gt=0, le=1_000, allow_inf_nan=False)]
RangeKm = Annotated[float, Field(strict=True, gt=0, le=2_000, allow_inf_nan=False)]

SiteIdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$")]
StationIdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9*_=:+|@.-]{1,48}$")]
SiteIdQuery = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$", description="one site's alone")]
LimitQuery = Annotated[int, Query(ge=1, le=500, description="how many items at most")]
CursorQuery = Annotated[str | None, Query(max_length=500, description="next_cursor of the page before")]

KwOut = Annotated[float, BeforeValidator(kw_from_w)]
KwhOut = Annotated[float, BeforeValidator(kwh_from_wh)]
MaybeKwOut = Annotated[float | None, BeforeValidator(lambda power_w: None if power_w is None else kw_from_w(power_w))]


class PageOut(Out, Generic[Item]):
    """One page of a list; `next_cursor` gets the next one and is null on the last."""

    items: tuple[Item, ...]
    next_cursor: str | None
