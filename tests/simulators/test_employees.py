import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from simulators.agenda import Agenda
from simulators.clock import Clock, seconds_of
from simulators.commuters import Commuter
from simulators.employees import Employees
from simulators.fleet import CarPark
from simulators.prepared import PreparedDay, prepare

Json = dict[str, Any]
Answer = Callable[[httpx.Request], httpx.Response]


class FakeApi:
    """Answers by method and path; keeps every request."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Json, httpx.Headers]] = []
        self.sessions: list[Json] = []
        self.statuses: dict[str, list[int]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        self.requests.append((request.method, request.url.path, body, request.headers))
        waiting = self.statuses.get(request.url.path, [])
        status = waiting.pop(0) if waiting else 200
        return httpx.Response(status, json={"items": self.sessions})

    def made(self, method: str, path: str) -> list[tuple[Json, httpx.Headers]]:
        return [(body, headers) for what, where, body, headers in self.requests if (what, where) == (method, path)]


@pytest.fixture
def day() -> PreparedDay:
    return prepare(6, 11, "2019-05-14", as_recorded=False, surplus_ratio=1.5)


def employees_of(day: PreparedDay, api: FakeApi) -> Employees:
    return Employees(
        CarPark(Clock(day.starts_s), Agenda()),
        day,
        api_url="http://api",
        site_id="site",
        meter_token="meter-secret",
        driver_tokens={each.commuter_id: f"secret-{each.commuter_id}" for each in day.roll.commuters},
        transport=httpx.MockTransport(api),
    )


async def play(employees: Employees, until_s: int) -> None:
    park = employees.park
    while park.clock.now_s < until_s:
        if park.advance(until_s):
            await park.act(10)


def a_booker(day: PreparedDay) -> Commuter:
    return next(each for each in day.roll.commuters if each.books_s is not None)


async def test_bookings_are_made_before_arrival_with_a_key_by_the_driver(day: PreparedDay) -> None:
    api = FakeApi()
    employees = employees_of(day, api)
    employees.plan(day.starts_s)
    await play(employees, day.ends_s)
    booked = api.made("POST", "/v1/bookings")
    bookers = [each for each in day.roll.commuters if each.books_s is not None]
    assert len(booked) == employees.counts["booked"] == len(bookers) > 0
    assert len({headers["Idempotency-Key"] for _, headers in booked}) == len(booked)
    body, headers = next(each for each in booked if each[1]["Idempotency-Key"].endswith(bookers[0].commuter_id))
    assert headers["Authorization"] == f"Bearer secret-{bookers[0].commuter_id}"
    assert seconds_of(body["arrives_at"]) == bookers[0].arrives_s
    assert seconds_of(body["departs_at"]) == bookers[0].declared_s
    assert body["energy_kwh"] * 1000 == pytest.approx(bookers[0].need_wh)
    await employees.close()


async def test_a_booking_that_met_a_server_error_is_repeated_with_the_same_key(day: PreparedDay) -> None:
    api = FakeApi()
    api.statuses["/v1/bookings"] = [503]
    employees = employees_of(day, api)
    employees.plan(day.starts_s)
    await play(employees, day.ends_s)
    keys = [headers["Idempotency-Key"] for _, headers in api.made("POST", "/v1/bookings")]
    assert len(keys) == len(set(keys)) + 1
    assert employees.counts["refused"] == 0
    assert employees.counts["errors"] == 1
    await employees.close()


async def test_a_refused_booking_is_counted_and_told_by_the_app_instead(day: PreparedDay) -> None:
    api, first = FakeApi(), min(each.books_s for each in day.roll.commuters if each.books_s is not None)
    refused = next(each for each in day.roll.commuters if each.books_s == first)
    api.statuses["/v1/bookings"] = [409]
    api.sessions = [{"session_id": "s1", "station_id": day.station_id(refused.station_no)}]
    employees = employees_of(day, api)
    employees.plan(day.starts_s)
    await play(employees, day.ends_s)
    assert employees.counts["refused"] == 1
    assert employees.counts["told"] == 1
    assert api.made("PUT", "/v1/sessions/s1/intent")[0][0]["energy_kwh"] == pytest.approx(refused.need_wh / 1000)
    await employees.close()


async def test_the_app_asks_again_until_its_session_is_there(day: PreparedDay) -> None:
    api = FakeApi()
    employees = employees_of(day, api)
    commuter = next(each for each in day.roll.commuters if each.books_s is None)
    employees.park.clock.move_to(commuter.arrives_s)
    employees.plugged_in(commuter)
    await play(employees, commuter.arrives_s + commuter.app_delay_s + 45)
    assert len(api.made("GET", "/v1/sessions")) == 2
    api.sessions = [
        {"session_id": "other", "station_id": "CP-999"},
        {"session_id": "mine", "station_id": day.station_id(commuter.station_no)},
    ]
    await play(employees, commuter.arrives_s + 600)
    assert [path for method, path, _, _ in api.requests if method == "PUT"] == ["/v1/sessions/mine/intent"]
    assert 60 <= commuter.app_delay_s <= 180
    await employees.close()


async def test_an_app_that_never_finds_its_session_gives_up_and_is_counted(day: PreparedDay) -> None:
    api = FakeApi()
    employees = employees_of(day, api)
    commuter = next(each for each in day.roll.commuters if each.books_s is None)
    employees.park.clock.move_to(commuter.arrives_s)
    employees.plugged_in(commuter)
    await play(employees, commuter.arrives_s + 3600)
    assert employees.counts["untold"] == 1
    assert len(api.made("GET", "/v1/sessions")) == 10
    await employees.close()


async def test_the_site_meter_reports_the_last_minutes_mean(day: PreparedDay) -> None:
    api = FakeApi()
    employees = employees_of(day, api)
    employees.plan(day.starts_s)
    await play(employees, day.starts_s + 3600)
    readings = api.made("POST", "/v1/sites/site/readings")
    assert len(readings) == 60
    body, headers = readings[-1]
    assert headers["Authorization"] == "Bearer meter-secret"
    assert seconds_of(body["at"]) == day.starts_s + 3600
    assert body["pv_kw"] == pytest.approx(day.sun.pv.power_w_at(day.starts_s + 3540) / 1000, abs=1e-4)
    await employees.close()


async def test_no_answer_at_all_is_an_error_and_no_crash(day: PreparedDay) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody listens", request=request)

    employees = employees_of(day, FakeApi())
    employees._client = httpx.AsyncClient(base_url="http://api", transport=httpx.MockTransport(refuse))
    employees.plan(day.starts_s)
    await play(employees, a_booker(day).books_s or 0)
    assert employees.counts["errors"] > 0
    await employees.close()
