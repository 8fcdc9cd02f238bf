"""What people and the site meter do over HTTP: bookings, intents from the app, readings (business time, real waits)."""

import logging
from collections import Counter
from typing import Any

import httpx

from simulators.clock import stamp
from simulators.commuters import Commuter
from simulators.electrical import Steps
from simulators.fleet import CarPark
from simulators.prepared import PreparedDay, local_text

logger = logging.getLogger(__name__)

HTTP_TIMEOUT_S = 30.0
RETRY_S = 30
ATTEMPTS = 10
READING_INTERVAL_S = 60
CONFLICT = 409
FIRST_CLIENT_ERROR, FIRST_SERVER_ERROR = 400, 500
EVSE_NUMBER = 1


class Employees:
    """The drivers with their phones, and the site meter; every request carries its bearer token, none is logged.

    What could not be sent, or was answered with a server's error, is tried again every 30 s of business time.
    """

    def __init__(
        self,
        park: CarPark,
        day: PreparedDay,
        *,
        api_url: str,
        site_id: str,
        meter_token: str,
        driver_tokens: dict[str, str],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.park = park
        self.counts: Counter[str] = Counter()
        self._day = day
        self._site_id = site_id
        self._meter_token = meter_token
        self._driver_tokens = driver_tokens
        self._client = httpx.AsyncClient(base_url=api_url, timeout=HTTP_TIMEOUT_S, trust_env=False, transport=transport)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def plan(self, starts_s: int) -> None:
        """Put everything that happens by itself on the agenda: bookings and readings."""
        for commuter in self._day.roll.commuters:
            if commuter.books_s is not None and commuter.commuter_id in self._driver_tokens:
                self._at(commuter.books_s, lambda commuter=commuter: self._book(commuter, 1))
        self._at(starts_s + READING_INTERVAL_S, self._read_meter)

    def plugged_in(self, commuter: Commuter) -> None:
        """A car was plugged in: drivers without a booking will tell the app."""
        if commuter.books_s is None and commuter.commuter_id in self._driver_tokens:
            self._tell_later(commuter, commuter.app_delay_s)

    def _at(self, at_s: int, errand: Any) -> None:
        self.park.agenda.at(at_s, lambda: self.park.errand(errand))

    def _tell_later(self, commuter: Commuter, delay_s: int, attempt: int = 1) -> None:
        self._at(self.park.clock.now_s + delay_s, lambda: self._tell(commuter, attempt))

    async def _ask(self, method: str, path: str, token: str, **more: Any) -> httpx.Response | None:
        """Return the answer; None if there was none, or a server's error."""
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        try:
            answer = await self._client.request(method, path, headers=headers, **more)
        except httpx.HTTPError as error:
            logger.warning("%s %s: %s", method, path, type(error).__name__)
            self.counts["errors"] += 1
            return None
        if answer.status_code >= FIRST_CLIENT_ERROR:
            logger.warning("%s %s answered %s: %s", method, path, answer.status_code, answer.text[:300])
            self.counts["errors"] += answer.status_code != CONFLICT
        return None if answer.status_code >= FIRST_SERVER_ERROR else answer

    async def _book(self, commuter: Commuter, attempt: int) -> None:
        body = {
            "site_id": self._site_id,
            "station_id": self._day.station_id(commuter.station_no),
            "evse_number": EVSE_NUMBER,
            "arrives_at": local_text(commuter.arrives_s),
            "departs_at": local_text(commuter.declared_s),
            "energy_kwh": round(commuter.need_wh / 1000, 3),
        }
        headers = {"Idempotency-Key": f"{self._day.day}-{commuter.commuter_id}"}
        answer = await self._ask(
            "POST", "/v1/bookings", self._driver_tokens[commuter.commuter_id], json=body, headers=headers
        )
        if answer is None and attempt < ATTEMPTS:
            self._at(self.park.clock.now_s + RETRY_S, lambda: self._book(commuter, attempt + 1))
        elif answer is not None and answer.is_success:
            self.counts["booked"] += 1
        else:
            self.counts["refused"] += 1
            since_s = max(commuter.arrives_s, self.park.clock.now_s)
            self._tell_later(commuter, since_s - self.park.clock.now_s + commuter.app_delay_s)

    async def _tell(self, commuter: Commuter, attempt: int) -> None:
        token = self._driver_tokens[commuter.commuter_id]
        answer = await self._ask("GET", "/v1/sessions", token, params={"state": "running"})
        station_id = self._day.station_id(commuter.station_no)
        sessions = answer.json().get("items", []) if answer is not None and answer.is_success else []
        session = next((each for each in sessions if each.get("station_id") == station_id), None)
        if session is not None:
            body = {"departs_at": local_text(commuter.declared_s), "energy_kwh": round(commuter.need_wh / 1000, 3)}
            told = await self._ask("PUT", f"/v1/sessions/{session['session_id']}/intent", token, json=body)
            if told is not None and told.is_success:
                self.counts["told"] += 1
                return
        if attempt < ATTEMPTS and self.park.clock.now_s < commuter.leaves_s:
            self._tell_later(commuter, RETRY_S, attempt + 1)
        else:
            self.counts["untold"] += 1

    async def _read_meter(self) -> None:
        now_s = self.park.clock.now_s
        self._at(now_s + READING_INTERVAL_S, self._read_meter)
        body = {
            "at": stamp(now_s),
            "pv_kw": self._mean_kw(self._day.sun.pv, now_s),
            "building_kw": self._mean_kw(self._day.sun.building, now_s),
        }
        await self._ask("POST", f"/v1/sites/{self._site_id}/readings", self._meter_token, json=body)

    def _mean_kw(self, powers: Steps, now_s: int) -> float:
        last = powers.by_second(now_s - READING_INTERVAL_S, now_s)
        return round(float(last.mean()) / 1000, 4)
