"""What a site file may say: the API's own fields, by the names of their nodes; what is left out has its default."""

from typing import Annotated, Any

from pydantic import Field

from app.api.models import In, StationId
from app.api.v1.electrical import EvsePlaceIn, FeederId, FeederIn, MaxCurrentA
from app.api.v1.sites import SiteChangeIn, SiteIn, columns_of
from app.api.v1.tariffs import TariffIn
from app.domain.electrical import EvsePlace, SiteModel
from app.domain.snapshot import SiteSpec
from app.scheduling.site_model import MOST_EVSES_COUNT, MOST_FEEDERS_COUNT

SPEC_COLUMNS = (
    "zone",
    "limit_w",
    "margin_w",
    "reserve_w",
    "surprised_count",
    "voltage_v",
    "low_voltage_share",
    "rise_w",
    "demand_target_w",
    "miss_cost_ratio",
)


class SiteTable(SiteIn):
    """`[site]`: the connection and what holds for the whole site."""

    site_id: Annotated[str, Field(alias="id", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$")]


class EvseTable(EvsePlaceIn):
    """An EVSE of a station, numbered from 1 in the order given."""

    max_current_a: MaxCurrentA

    def columns(self) -> dict[str, Any]:
        """Return all of it, as fields of `EvsePlace`; what is left out is its default."""
        full = EvsePlaceIn.model_validate(self.model_dump())
        return full.columns()


class StationTable(In):
    """`[stations.<id>]`."""

    evses: Annotated[list[EvseTable], Field(min_length=1, max_length=64)]


class SiteFile(In):
    """A site, its tariff (None: the grid is alike at all times), its feeders and its stations."""

    site: SiteTable
    tariff: TariffIn | None = None
    feeders: Annotated[dict[FeederId, FeederIn], Field(max_length=MOST_FEEDERS_COUNT, default_factory=dict)]
    stations: Annotated[dict[StationId, StationTable], Field(max_length=MOST_EVSES_COUNT, default_factory=dict)]

    def site_model(self) -> SiteModel:
        """Return the site as the pure rooms take it."""
        columns = columns_of(self.site.model_dump(exclude={"site_id", "name"}))
        own: dict[str, Any] = {name: columns.get(name) for name in SPEC_COLUMNS}
        feeders = tuple(each.feeder(feeder_id) for feeder_id, each in self.feeders.items())
        spec = SiteSpec(site_id=self.site.site_id, feeders=feeders, **own)
        places = tuple(
            EvsePlace(station_id, number, **evse.columns())
            for station_id, station in self.stations.items()
            for number, evse in enumerate(station.evses, start=1)
        )
        return SiteModel(spec, places, self.site.safe_current_a, self.site.min_current_a)

    def changeable(self) -> dict[str, Any]:
        """Return the site's own fields as a request to change all of them says them."""
        return self.site.model_dump(include=set(SiteChangeIn.model_fields))
