"""Forecast services: how each is asked, and how its documented JSON reads as our steps.

Pure: `ask` makes a request of what is known of the site, `read` makes steps of the answer's JSON, or raises Invalid
naming what is wrong. Shapes: Open-Meteo `/v1/forecast` (`minutely_15.global_tilted_irradiance`, means of the quarter
hour before), Solcast `/rooftop_sites/{id}/forecasts` (kW, `period_end`), forecast.solar `/estimate` (energy of the
period that ends at the time).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from app.domain.errors import Invalid
from app.domain.intervals import PLAN_SLOT
from app.domain.units import kw_from_w, mean_power_w, w_from_kw
from app.sources.clear_sky import SYSTEM_SHARE, Panels
from app.sources.steps import SunSteps, Told, instant, items, member, on_grid, period, power_w

SUN_W = 1000.0  # per m², at which panels give their peak
PERIOD = re.compile(r"^PT(\d{1,3})M$")
STEPS_AHEAD_COUNT = 192
RESOURCE = re.compile(r"^[A-Za-z0-9-]{1,100}$")
KEY = re.compile(r"^[A-Za-z0-9._-]{1,200}$")


@dataclass(frozen=True, slots=True)
class Ask:
    """One GET; URL and headers may hold a secret: they are never shown."""

    url: str = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """What a feed is asked about: the panels where they are known, the service's own id of the site, and its key."""

    panels: Panels | None
    resource: str | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Feed:
    """One service; `shortest` is how often it may be asked at most."""

    ask: Callable[[Place], Ask]
    read: Callable[[Any, Place, datetime], SunSteps]
    shortest: timedelta


def check(kind: str, place: Place) -> Feed:
    """Return the feed of a kind, after checking that it can be asked of this place; raises Invalid."""
    if kind not in FEEDS:
        raise Invalid(f"must be one of {', '.join(sorted(FEEDS))}", field="kind")
    if place.resource is not None and not RESOURCE.match(place.resource):
        raise Invalid("may hold letters, digits and hyphens", field="resource")
    if place.key is not None and not KEY.match(place.key):
        raise Invalid("may hold letters, digits, dots, hyphens and underscores", field="key")
    FEEDS[kind].ask(place)
    return FEEDS[kind]


def _panels(place: Place) -> Panels:
    if place.panels is None:
        raise Invalid("needs the site's latitude_deg, longitude_deg and pv_peak_kw", field="kind")
    return place.panels


def _ask_open_meteo(place: Place) -> Ask:
    panels = _panels(place)
    query = {
        "latitude": f"{panels.latitude_deg:.4f}",
        "longitude": f"{panels.longitude_deg:.4f}",
        "minutely_15": "global_tilted_irradiance",
        "tilt": f"{panels.tilt_deg:.1f}",
        "azimuth": f"{_from_south_deg(panels.azimuth_deg):.1f}",
        "timezone": "GMT",
        "forecast_minutely_15": str(STEPS_AHEAD_COUNT),
    }
    host = "api.open-meteo.com" if place.key is None else "customer-api.open-meteo.com"
    return Ask(f"https://{host}/v1/forecast", query if place.key is None else query | {"apikey": place.key})


def _read_open_meteo(answer: Any, place: Place, now: datetime) -> SunSteps:
    if isinstance(answer, Mapping) and answer.get("error"):
        raise Invalid(f"says: {str(answer.get('reason', ''))[:100]}", field="error")
    steps = member(answer, "minutely_15")
    times = items(member(steps, "time", "minutely_15"), "minutely_15.time")
    name = "minutely_15.global_tilted_irradiance"
    suns = items(member(steps, "global_tilted_irradiance", "minutely_15"), name)
    unit = member(member(answer, "minutely_15_units"), "global_tilted_irradiance", "minutely_15_units")
    if unit != "W/m²":
        raise Invalid("is not W/m²", field="minutely_15_units.global_tilted_irradiance")
    if len(times) != len(suns):
        raise Invalid(f"has {len(suns)} values for {len(times)} times", field=name)
    factor = _panels(place).peak_w * SYSTEM_SHARE / SUN_W
    told = []
    for number, (time, sun) in enumerate(zip(times, suns, strict=True)):
        if sun is None:  # behind the model's horizon
            continue
        end_at = instant(time, f"minutely_15.time[{number}]")
        told.append(Told(period(end_at - PLAN_SLOT, end_at, "time"), power_w(sun, f"{name}[{number}]", factor)))
    return on_grid(told, now)


def _ask_solcast(place: Place) -> Ask:
    if place.resource is None:
        raise Invalid("is needed: Solcast's id of the rooftop site", field="resource")
    if place.key is None:
        raise Invalid("is needed", field="key")
    return Ask(
        f"https://api.solcast.com.au/rooftop_sites/{place.resource}/forecasts",
        {"format": "json", "hours": "48"},
        {"Authorization": f"Bearer {place.key}"},
    )


def _read_solcast(answer: Any, place: Place, now: datetime) -> SunSteps:  # noqa: ARG001 - its answers are kW of the site
    told = []
    for number, each in enumerate(items(member(answer, "forecasts"), "forecasts")):
        path = f"forecasts[{number}]"
        end_at = instant(member(each, "period_end", path), f"{path}.period_end")
        minutes = PERIOD.match(str(member(each, "period", path)))
        if minutes is None:
            raise Invalid("is not like PT30M", field=f"{path}.period")
        start_at = end_at - timedelta(minutes=int(minutes[1]))
        powers_w = [
            None if each.get(name) is None else power_w(each[name], f"{path}.{name}", w_from_kw(1.0))
            for name in ("pv_estimate10", "pv_estimate90")
        ]
        middle_w = power_w(member(each, "pv_estimate", path), f"{path}.pv_estimate", w_from_kw(1.0))
        told.append(Told(period(start_at, end_at, f"{path}.period"), middle_w, *powers_w))
    return on_grid(told, now)


def _ask_forecast_solar(place: Place) -> Ask:
    panels = _panels(place)
    angles = f"{round(panels.tilt_deg)}/{round(_from_south_deg(panels.azimuth_deg))}"
    where = f"{panels.latitude_deg:.4f}/{panels.longitude_deg:.4f}/{angles}/{kw_from_w(panels.peak_w):g}"
    prefix = "" if place.key is None else f"{place.key}/"
    return Ask(f"https://api.forecast.solar/{prefix}estimate/{where}", {"time": "utc"})


def _read_forecast_solar(answer: Any, place: Place, now: datetime) -> SunSteps:  # noqa: ARG001 - its answers are Wh
    name = "result.watt_hours_period"
    energies = member(member(answer, "result"), "watt_hours_period", "result")
    if not isinstance(energies, Mapping):
        raise Invalid("is no object of times", field=name)
    pairs = sorted((instant(time, f"{name}[{time[:40]}]"), time) for time in items(list(energies), name))
    told = []
    for (start_at, _), (end_at, time) in pairwise(pairs):
        span = period(start_at, end_at, f"{name}[{time[:40]}]")
        energy_wh = power_w(energies[time], f"{name}[{time[:40]}]")
        told.append(Told(span, mean_power_w(energy_wh, span.span)))
    return on_grid(told, now)


def _from_south_deg(azimuth_deg: float) -> float:
    """Return an azimuth as these services count it: 0 is south, −90 east, 90 west."""
    return (azimuth_deg % 360.0) - 180.0


FEEDS: Mapping[str, Feed] = {
    "open_meteo": Feed(_ask_open_meteo, _read_open_meteo, timedelta(minutes=15)),
    "solcast": Feed(_ask_solcast, _read_solcast, timedelta(minutes=15)),
    "forecast_solar": Feed(_ask_forecast_solar, _read_forecast_solar, timedelta(minutes=15)),
}
