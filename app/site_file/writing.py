"""A site file of what a server has, in the order of its nodes; what is at its default is left out."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.api.v1.electrical import EvsePlaceIn, FeederIn
from app.api.v1.tariffs import TariffIn
from app.domain.tariff import WEEKDAYS
from app.site_file.model import SiteFile, SiteTable

BARE = re.compile(r"^[A-Za-z0-9_-]+$")
ALWAYS = frozenset({"kind", "limit_kw", "rating_a", "max_current_a"})


def file_text(file: SiteFile) -> str:
    """Return the file as TOML, which reads back as the same site."""
    return "\n".join(_lines(file)) + "\n"


def _lines(file: SiteFile) -> Iterator[str]:
    site = file.site.model_dump(mode="json", by_alias=True)
    yield "[site]"
    yield from (f"{name} = {_value(value)}" for name, value in _told(site, _defaults(SiteTable)))
    if file.tariff is not None:
        yield ""
        yield from _tariff(file.tariff)
    for feeder_id, feeder in file.feeders.items():
        yield ""
        yield f"[feeders.{_name(feeder_id)}]"
        told = _told(feeder.model_dump(mode="json"), _defaults(FeederIn))
        yield from (f"{name} = {_value(value)}" for name, value in told)
    for station_id, station in file.stations.items():
        yield ""
        yield f"[stations.{_name(station_id)}]"
        yield "evses = ["
        for evse in station.evses:
            told = _told(evse.model_dump(mode="json"), _defaults(EvsePlaceIn))
            yield f"  {{ {', '.join(f'{name} = {_value(value)}' for name, value in told)} }},"
        yield "]"


def _tariff(tariff: TariffIn) -> Iterator[str]:
    told = tariff.model_dump(mode="json", by_alias=True)
    periods = told.pop("periods")
    yield "[tariff]"
    yield from (f"{name} = {_value(value)}" for name, value in _told(told, {}))
    if periods:
        yield "periods = ["
        for period in periods:
            own = [(name, value) for name, value in _told(period, {}) if (name, value) != ("days", list(WEEKDAYS))]
            yield f"  {{ {', '.join(f'{name} = {_value(value)}' for name, value in own)} }},"
        yield "]"


def _defaults(of: Any) -> dict[str, Any]:
    return {name: field.default for name, field in of.model_fields.items()}


def _told(fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in fields.items()
        if value is not None and (name in ALWAYS or value != defaults.get(name))
    ]


def _name(name: str) -> str:
    return name if BARE.match(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() else repr(value)
    return json.dumps(value, ensure_ascii=False)
