"""Sets the site up over the API, as an operator would: the tree, stations, drivers with their cards."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx

from proofs.crash.site import CONNECTION, SAFE_A, SITE_ID, SURPRISED_COUNT, VOLTAGE_V, Ground

CALL_TIMEOUT_S = 30.0
PROVEN_TIMEOUT_S = 120.0
POLL_S = 0.5
RATED_KEY = "max_current_a"


@dataclass(frozen=True, slots=True)
class Cast:
    """The stations' keys and their drivers' cards; secrets, never logged."""

    keys: dict[str, str]
    cards: dict[str, str]


class Stage:
    """`async with Stage(url, token)`: an operator at the API."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(base_url=url, timeout=CALL_TIMEOUT_S, headers=headers, trust_env=False)

    async def __aenter__(self) -> "Stage":
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def set(self, ground: Ground, rated_a: float) -> Cast:
        """Create everything; raises RuntimeError with the problem's text on anything but success."""
        site = {
            "site_id": SITE_ID,
            "name": "Crash",
            "zone": "Asia/Tokyo",
            "limit_kw": ground.limit_w / 1000,
            "reserve_kw": ground.reserve_w / 1000,
            "load_rise_kw": ground.rise_w / 1000,
            "surprised_stations": SURPRISED_COUNT,
            "voltage_v": VOLTAGE_V,
            "safe_current_a": SAFE_A,
            "default_energy_kwh": 10.0,
            "default_stay_hours": 0.5,
        }
        await self._ask("POST", "/v1/sites", site)
        keys, cards = {}, {}
        for number, spot in enumerate(ground.spots, start=1):
            body = {
                "station_id": spot.station_id,
                "site_id": SITE_ID,
                "security_profile": 1,
                "dialect": spot.dialect,
                "evses": [{RATED_KEY: rated_a}],
            }
            keys[spot.station_id] = (await self._ask("POST", "/v1/stations", body))["key"]
            cards[spot.station_id] = f"CARD{number:04}"
            driver = await self._ask("POST", "/v1/drivers", {"name": f"Driver {number}"})
            await self._ask("POST", f"/v1/drivers/{driver['driver_id']}/tokens", {"token": cards[spot.station_id]})
        await self._ask("PUT", f"/v1/sites/{SITE_ID}/electrical", _tree(ground))
        return Cast(keys, cards)

    async def proven(self) -> None:
        """Return when the defaults of all stations are proven; raises RuntimeError when that takes too long."""
        deadline_s = time.monotonic() + PROVEN_TIMEOUT_S
        while True:
            stations = (await self._ask("GET", f"/v1/stations?site_id={SITE_ID}&limit=100"))["items"]
            missing = [
                each["station_id"] for each in stations if not all(evse["is_verified"] for evse in each["evses"])
            ]
            if not missing:
                return
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"not proven in time: {', '.join(missing)}")
            await asyncio.sleep(POLL_S)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await self._client.request(method, path, json=body)
        if answer.is_error:
            raise RuntimeError(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        said: dict[str, Any] = answer.json()
        return said


def _tree(ground: Ground) -> dict[str, Any]:
    feeders = {
        node.feeder_id: {
            "kind": "connection" if node.feeder_id == CONNECTION else "feeder",
            "parent": node.parent_id,
            "rating_a": node.rating_a,
            "reserve_a": node.reserve_a,
            "load_rise_a": node.rise_a,
        }
        for node in ground.nodes
    }
    stations = {
        spot.station_id: {"evses": [{"feeder": spot.feeder_id, "wiring": spot.wiring}]} for spot in ground.spots
    }
    return {"feeders": feeders, "stations": stations}
