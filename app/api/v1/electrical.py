"""The electrical tree of a site and where its EVSEs are wired, as one document. A site file says the same in TOML."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BeforeValidator, Field

from app.api.deps import Operator, StationKeeper, Transaction
from app.api.models import In, Out, PowerKw, SiteIdPath, SomePowerKw, StationId
from app.api.problems import documented
from app.api.v1.sites import SiteChangeIn, SiteOut, columns_of
from app.domain.electrical import EvsePlace
from app.domain.errors import Invalid
from app.domain.units import kw_from_w, w_from_kw
from app.domain.wiring import Feeder, FeederKind, Wiring
from app.operations import electrical
from app.scheduling.site_model import MOST_EVSES_COUNT, MOST_FEEDERS_COUNT

router = APIRouter(prefix="/v1/sites", tags=["sites"])

FeederId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$")]
CurrentA = Annotated[float, Field(strict=True, ge=0, le=10_000, allow_inf_nan=False, description="per line conductor")]
SomeCurrentA = Annotated[
    float, Field(strict=True, gt=0, le=10_000, allow_inf_nan=False, description="per line conductor")
]
MaxCurrentA = Annotated[float, Field(strict=True, gt=0, le=1_000, allow_inf_nan=False, description="per phase")]
CurrentOut = Annotated[
    Literal["AC", "DC"],
    BeforeValidator(lambda value: value if isinstance(value, str) else "DC" if value else "AC"),
]
COLUMNS = {"parent": "parent_id", "load_rise_a": "rise_a", "load_rise_kw": "rise_w"}


class FeederIn(In):
    """A connection, transformer, panel, feeder or breaker: whatever has a rating of its own.

    `rating_a` holds for each line conductor, `limit_kw` for all together; one of them at least. The margins stay free
    of everything. A reserve is for all uncontrolled load through the node, its children's included; a load rise bounds
    how much that may grow within a lease (without it the reserve counts whatever the meter says).
    """

    kind: FeederKind = FeederKind.FEEDER
    parent: Annotated[FeederId | None, Field(description="what feeds it; null: the site itself")] = None
    rating_a: SomeCurrentA | None = None
    limit_kw: SomePowerKw | None = None
    margin_a: CurrentA = 0.0
    margin_kw: PowerKw = 0.0
    reserve_a: CurrentA = 0.0
    reserve_kw: PowerKw = 0.0
    load_rise_a: CurrentA | None = None
    load_rise_kw: PowerKw | None = None

    def feeder(self, feeder_id: str) -> Feeder:
        """Return it as a value."""
        values: dict[str, Any] = {}
        for name, value in self.model_dump().items():
            column = COLUMNS.get(name, f"{name.removesuffix('_kw')}_w" if name.endswith("_kw") else name)
            values[column] = w_from_kw(value) if name.endswith("_kw") and value is not None else value
        return Feeder(feeder_id, **values)

    @classmethod
    def of(cls, feeder: Feeder) -> "FeederIn":
        """Return a feeder as it is described."""
        values: dict[str, Any] = {}
        for name in cls.model_fields:
            column = COLUMNS.get(name, f"{name.removesuffix('_kw')}_w" if name.endswith("_kw") else name)
            value = getattr(feeder, column)
            values[name] = kw_from_w(value) if name.endswith("_kw") and value is not None else value
        return cls(**values)


class EvsePlaceIn(In):
    """Where an EVSE is wired. `wiring` unknown counts on every line conductor; fields that are left out stay."""

    max_current_a: MaxCurrentA | None = None
    phase_count: Literal[1, 3] = 1
    feeder: Annotated[FeederId | None, Field(description="what feeds it; null: the site itself")] = None
    wiring: Wiring = Wiring.UNKNOWN
    min_current_a: Annotated[MaxCurrentA | None, Field(description="smallest usable current; null: the site's")] = None
    current: Literal["AC", "DC"] = "AC"

    def columns(self) -> dict[str, Any]:
        """Return what was given, as fields of `EvsePlace`."""
        values = self.model_dump(exclude_unset=True)
        if values.get("max_current_a", 0.0) is None:
            del values["max_current_a"]
        if "feeder" in values:
            values["feeder_id"] = values.pop("feeder")
        if "current" in values:
            values["is_dc"] = values.pop("current") == "DC"
        return values

    @classmethod
    def of(cls, place: EvsePlace) -> "EvsePlaceIn":
        """Return a place as it is described."""
        return cls.model_validate(
            {
                "max_current_a": place.max_current_a,
                "phase_count": place.phase_count,
                "feeder": place.feeder_id,
                "wiring": place.wiring,
                "min_current_a": place.min_current_a,
                "current": "DC" if place.is_dc else "AC",
            }
        )


class StationPlaceIn(In):
    """The EVSEs of a station, by their numbers from 1."""

    evses: Annotated[list[EvsePlaceIn], Field(min_length=1, max_length=64)]


class ElectricalIn(In):
    """A site's feeders and its EVSEs, by their names. Stations that are left out stay where they are."""

    site: SiteChangeIn | None = None
    feeders: Annotated[dict[FeederId, FeederIn], Field(max_length=MOST_FEEDERS_COUNT)]
    stations: Annotated[dict[StationId, StationPlaceIn], Field(max_length=MOST_EVSES_COUNT, default_factory=dict)]

    def places(self) -> dict[tuple[str, int], Mapping[str, Any]]:
        """Return where EVSEs are to be, as far as is said."""
        return {
            (station_id, number): evse.columns()
            for station_id, station in self.stations.items()
            for number, evse in enumerate(station.evses, start=1)
        }


class ElectricalOut(Out):
    """A site's own numbers, its feeders and where its EVSEs are; it can be sent back as it is."""

    site: SiteChangeIn
    feeders: dict[str, FeederIn]
    stations: dict[str, StationPlaceIn]

    @classmethod
    def of(cls, found: electrical.Electrical) -> "ElectricalOut":
        """Return what was found."""
        evses: dict[str, list[EvsePlaceIn]] = {}
        for place in found.places:
            evses.setdefault(place.station_id, []).append(EvsePlaceIn.of(place))
        return cls(
            site=SiteChangeIn.model_validate(
                SiteOut.model_validate(found.site).model_dump(include=set(SiteChangeIn.model_fields))
            ),
            feeders={feeder.feeder_id: FeederIn.of(feeder) for feeder in found.feeders},
            stations={station_id: StationPlaceIn(evses=each) for station_id, each in evses.items()},
        )


async def named_once(request: Request) -> None:
    """Refuse a body that names something twice: JSON would keep the last one without a word. Raises Invalid."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        once = dict(items)
        if len(once) < len(items):
            twice = min(name for name, count in Counter(name for name, _ in items).items() if count > 1)
            raise Invalid("is there twice; give every node a name of its own", field=twice)
        return once

    try:
        json.loads(await request.body(), object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return  # told by the route itself


NamedOnce = Annotated[None, Depends(named_once)]


@router.get(
    "/{site_id}/electrical",
    responses=documented("not_found"),
    operation_id="get_electrical",
    summary="Get a site's electrical tree",
)
async def get_electrical(tx: Transaction, _: StationKeeper, site_id: SiteIdPath) -> ElectricalOut:
    """Get a site's own numbers, its feeders, and where its EVSEs are wired."""
    return ElectricalOut.of(await electrical.get(tx, site_id))


@router.put(
    "/{site_id}/electrical",
    responses=documented("not_found", "conflict"),
    operation_id="replace_electrical",
    summary="Replace a site's electrical tree",
)
async def replace_electrical(
    tx: Transaction, _: Operator, __: NamedOnce, site_id: SiteIdPath, body: ElectricalIn
) -> ElectricalOut:
    """Replace the feeders, wire EVSEs and (with `site`) change the site's own numbers: all of it or nothing.

    Refused as a whole where a node cannot be meant, or where the safe currents of all EVSEs do not fit under it.
    """
    values = {} if body.site is None else columns_of(body.site.model_dump(exclude_unset=True))
    feeders = [each.feeder(feeder_id) for feeder_id, each in body.feeders.items()]
    return ElectricalOut.of(await electrical.change(tx, site_id, values, feeders, body.places()))
