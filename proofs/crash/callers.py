"""Who calls the API meanwhile: the site's meter every two seconds, and drivers who change their minds."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from proofs.crash.site import SITE_ID

READ_EVERY_S = 2.0
MIND_EVERY_S = 1.5
LIST_EVERY_S = 8.0
CALL_TIMEOUT_S = 5.0
STAY_MINUTES = (5.0, 45.0)
ENERGY_KWH = (1.0, 12.0)


class Callers:
    """Calls with the operator's token; what fails is counted by how it failed, and forgotten."""

    def __init__(self, url: str, token: str, rng: random.Random, measured: Callable[[], dict[str, Any]]) -> None:
        self.counts: Counter[str] = Counter()
        self._rng = rng
        self._measured = measured
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(base_url=url, timeout=CALL_TIMEOUT_S, headers=headers, trust_env=False)

    async def read_meter(self) -> None:
        """Push what the meter shows, until cancelled."""
        while True:
            await self._ask("reading", "POST", f"/v1/sites/{SITE_ID}/readings", self._measured())
            await asyncio.sleep(READ_EVERY_S)

    async def change_minds(self) -> None:
        """Have some driver want something else now and then, until cancelled."""
        session_ids: list[str] = []
        listed_s = float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - listed_s > LIST_EVERY_S:
                listed = await self._ask("list", "GET", f"/v1/sessions?state=running&site_id={SITE_ID}&limit=100")
                session_ids = [each["session_id"] for each in (listed or {}).get("items", [])]
                listed_s = loop.time()
            if session_ids:
                await self._ask("intent", "PUT", f"/v1/sessions/{self._rng.choice(session_ids)}/intent", self._wish())
            await asyncio.sleep(MIND_EVERY_S)

    def _wish(self) -> dict[str, Any]:
        departs_at = datetime.now(UTC) + timedelta(minutes=self._rng.uniform(*STAY_MINUTES))
        return {"departs_at": departs_at.isoformat(), "energy_kwh": round(self._rng.uniform(*ENERGY_KWH), 2)}

    async def _ask(self, what: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.HTTPError:
            self.counts[f"{what} unanswered"] += 1
            return None
        self.counts[f"{what} {answer.status_code}"] += 1
        return answer.json() if answer.is_success else None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
