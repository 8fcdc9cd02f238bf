"""Who plays: site, stations, drivers and access tokens are set up through the API, as an operator would."""

import math
from dataclasses import dataclass
from typing import Any

import httpx

from app.domain.units import kw_from_w

SITE_ID = "hitachi-demo"
WHOLE_W = 1000.0


@dataclass(frozen=True, slots=True)
class Cast:
    """What the simulators need to take part; holds secrets, so it is never logged."""

    station_keys: dict[str, str]
    driver_tokens: dict[str, str]
    meter_token: str
    grid_token: str


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST and return the answer; raises RuntimeError with the problem's text on anything but success."""
    response = await client.post(path, json=body)
    if response.is_error:
        raise RuntimeError(f"POST {path} answered {response.status_code}: {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    return answer


async def set_the_stage(client: httpx.AsyncClient, prepared: dict[str, Any], limit_w: float) -> Cast:
    """Create the site with its limit and forecast, provision the stations, enrol the drivers with token and car.

    `limit_w` is for the cars: what the building takes at most that day is reserved beside it.
    """
    reserve_w = math.ceil(max(prepared["sun"]["building_w"]) / WHOLE_W) * WHOLE_W
    await post(
        client,
        "/v1/sites",
        {
            "site_id": SITE_ID,
            "name": "Hitachi demo car park",
            "zone": prepared["zone"],
            "limit_kw": kw_from_w(limit_w + reserve_w),
            "reserve_kw": kw_from_w(reserve_w),
            "voltage_v": prepared["voltage_v"],
        },
    )
    forecast = prepared["forecast"]
    await post(
        client,
        f"/v1/sites/{SITE_ID}/forecasts",
        {
            "source": "mean of the 20 days before",
            "issued_at": prepared["starts_at"],
            "starts_at": forecast["starts_at"],
            "step_minutes": forecast["step_s"] // 60,
            "pv_kw": [kw_from_w(power_w) for power_w in forecast["pv_w"]],
            "building_kw": [kw_from_w(power_w) for power_w in forecast["building_w"]],
        },
    )
    keys = {station["station_id"]: await _provision(client, station) for station in prepared["stations"]}
    tokens = {commuter["commuter_id"]: await _enrol(client, commuter) for commuter in prepared["commuters"]}
    meter = await post(client, "/v1/access-tokens", {"role": "station_admin", "name": "site meter"})
    grid = await post(client, "/v1/access-tokens", {"role": "grid", "name": "balancing service"})
    return Cast(keys, tokens, meter["token"], grid["token"])


async def _provision(client: httpx.AsyncClient, station: dict[str, Any]) -> str:
    answer = await post(
        client,
        "/v1/stations",
        {
            "station_id": station["station_id"],
            "site_id": SITE_ID,
            "security_profile": 1,
            "dialect": station["dialect"],
            "evses": [{"max_current_a": station["max_current_a"], "phase_count": station["phase_count"]}],
        },
    )
    return str(answer["key"])


async def _enrol(client: httpx.AsyncClient, commuter: dict[str, Any]) -> str:
    driver = await post(client, "/v1/drivers", {"name": commuter["commuter_id"]})
    driver_id = driver["driver_id"]
    await post(client, f"/v1/drivers/{driver_id}/tokens", {"token": commuter["token"]})
    await post(
        client,
        f"/v1/drivers/{driver_id}/vehicles",
        {
            "name": "car",
            "battery_kwh": round(commuter["battery_wh"] / 1000, 1),
            "consumption_wh_per_km": 160,
            "max_charge_kw": kw_from_w(commuter["max_power_w"]),
        },
    )
    access = await post(
        client, "/v1/access-tokens", {"role": "driver", "name": commuter["commuter_id"], "driver_id": driver_id}
    )
    return str(access["token"])
