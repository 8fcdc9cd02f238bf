from uuid import uuid4

import pytest
from sqlalchemy import select

from app.domain.facts import SessionStarted, Suspicious, TokenStatus
from app.domain.identity import Role
from app.operations.arrivals import present
from app.operations.station_facts import record_facts
from app.store.driver import ApiTokenRow
from app.store.session import SessionRow
from app.store.station import QuarantineRow

pytestmark = pytest.mark.database

CAR = {"name": "car", "battery_kwh": 40.0, "consumption_wh_per_km": 150.0}
BOOKING = {"site_id": "north", "arrives_at": "2026-04-01T08:00:00Z", "departs_at": "2026-04-01T10:00:00Z"}


async def test_tokens_are_the_same_in_upper_and_lower_case_and_belong_to_one_driver(operator, driver):
    path = f"/v1/drivers/{driver.driver_id}/tokens"
    token = await operator.ok("POST", path, {"token": "abCd12"}, 201)
    assert token == {"token": "ABCD12", "is_blocked": False, "expires_at": None}
    other = await operator.ok("POST", "/v1/drivers", {"name": "Ben"}, 201)
    for driver_id in (driver.driver_id, other["driver_id"]):
        answer = await operator.send("POST", f"/v1/drivers/{driver_id}/tokens", {"token": "ABcd12"})
        assert answer.status_code == 409
        assert answer.json()["errors"] == [{"field": "token", "reason": "the token is in use already"}]
    assert (await driver.ok("GET", path))["items"] == [token]
    await operator.ok("DELETE", f"{path}/abcd12", status=204)
    assert (await driver.ok("GET", path))["items"] == []
    assert (await operator.send("DELETE", f"{path}/abcd12")).status_code == 404


async def test_a_token_is_blocked_freed_and_given_an_end(operator, driver, transactions, clock):
    path = f"/v1/drivers/{driver.driver_id}/tokens"
    await operator.ok("POST", path, {"token": "CARD"}, 201)

    async def status():
        async with transactions() as tx:
            return (await present(tx, "card")).status

    blocked = await operator.ok("PATCH", f"{path}/card", {"is_blocked": True})
    assert blocked == {"token": "CARD", "is_blocked": True, "expires_at": None}
    assert await status() is TokenStatus.BLOCKED
    await operator.ok("PATCH", f"{path}/card", {"expires_at": "2026-04-01T08:00:00Z"})
    assert await status() is TokenStatus.BLOCKED, "what is not named stays"
    await operator.ok("PATCH", f"{path}/card", {"is_blocked": False})
    assert await status() is TokenStatus.ACCEPTED
    clock.advance(hours=1)
    assert await status() is TokenStatus.EXPIRED
    await operator.ok("PATCH", f"{path}/card", {"expires_at": None})
    assert await status() is TokenStatus.ACCEPTED
    past = await operator.send("PATCH", f"{path}/card", {"expires_at": "2026-04-01T07:00:00Z"})
    assert (past.status_code, past.json()["errors"][0]["field"]) == (422, "expires_at")
    assert (await operator.send("PATCH", f"{path}/other", {"is_blocked": True})).status_code == 404


async def test_a_driver_keeps_cars(driver):
    path = f"/v1/drivers/{driver.driver_id}/vehicles"
    slow = await driver.ok("POST", path, CAR | {"max_charge_kw": 3.3}, 201)
    assert slow | {"vehicle_id": ""} == CAR | {"max_charge_kw": 3.3, "vehicle_id": ""}
    fast = await driver.ok("POST", path, CAR | {"name": "bus"}, 201)
    assert fast["max_charge_kw"] is None
    assert (await driver.ok("GET", path))["items"] == [fast, slow]
    await driver.ok("DELETE", f"{path}/{slow['vehicle_id']}", status=204)
    assert (await driver.send("DELETE", f"{path}/{slow['vehicle_id']}")).status_code == 404
    assert (await driver.ok("GET", path))["items"] == [fast]


async def test_another_driver_does_not_exist_for_a_driver(driver, desk):
    other = await desk.with_role(Role.DRIVER)
    mine = f"/v1/drivers/{driver.driver_id}"
    for method, path, body in (
        ("GET", mine, None),
        ("DELETE", mine, None),
        ("GET", f"{mine}/tokens", None),
        ("GET", f"{mine}/vehicles", None),
        ("POST", f"{mine}/vehicles", CAR),
        ("DELETE", f"{mine}/vehicles/{uuid4()}", None),
    ):
        answer = await other.send(method, path, body)
        assert (answer.status_code, answer.json()["detail"]) == (404, "there is no such driver"), (method, path)
    assert (await driver.ok("GET", mine))["name"] == "Aiko"


async def test_drivers_are_listed_in_pages_oldest_first(operator, clock):
    for name in ("a", "b", "c"):
        clock.advance(seconds=1)
        await operator.ok("POST", "/v1/drivers", {"name": name}, 201)
    page = await operator.ok("GET", "/v1/drivers?limit=2")
    rest = await operator.ok("GET", f"/v1/drivers?limit=2&cursor={page['next_cursor']}")
    assert [each["name"] for each in page["items"] + rest["items"]] == ["a", "b", "c"]


async def test_erasing_a_driver_leaves_energy_without_a_person(operator, driver, site, transactions, clock):
    me = f"/v1/drivers/{driver.driver_id}"
    await operator.ok("POST", f"{me}/tokens", {"token": "CARD77"}, 201)
    await driver.ok("POST", f"{me}/vehicles", CAR, 201)
    await driver.ok("POST", "/v1/bookings", BOOKING | {"energy_kwh": 3.0}, 201)
    at = clock.at
    async with transactions() as tx:
        odd = Suspicious(at, at, "DataTransfer", "odd", '{"idTag": "card77"}')
        await record_facts(tx, "one", [SessionStarted(1, at, at, None, "card77", 0.0, "k"), odd])
    await driver.ok("DELETE", me, status=204)
    assert (await driver.send("GET", me)).status_code == 401
    assert (await operator.send("GET", me)).status_code == 404
    assert (await operator.ok("GET", "/v1/bookings"))["items"] == []
    async with transactions() as tx:
        session = (await tx.session.scalars(select(SessionRow))).one()
        assert (session.driver_id, session.token, session.booking_id) == (None, None, None)
        payloads = [str(row.payload) for row in await tx.session.scalars(select(QuarantineRow))]
        assert payloads
        assert not any("card77" in payload.lower() for payload in payloads)


async def test_an_access_token_is_shown_once_stored_hashed_and_worthless_when_revoked(operator, desk, transactions):
    issued = await operator.ok("POST", "/v1/access-tokens", {"role": "grid", "name": "balancing"}, 201)
    assert len(issued["token"]) == 43
    grid = desk.caller(issued["token"])
    await grid.ok("GET", "/v1/sites")
    async with transactions() as tx:
        stored = [row.token_hash for row in await tx.session.scalars(select(ApiTokenRow))]
    assert all(len(token_hash) == 32 for token_hash in stored)
    listed = await operator.ok("GET", "/v1/access-tokens")
    assert issued["token"] not in str(listed)
    assert [each["role"] for each in listed["items"]].count("grid") == 1
    await operator.ok("DELETE", f"/v1/access-tokens/{issued['token_id']}", status=204)
    assert (await grid.send("GET", "/v1/sites")).status_code == 401
    assert (await operator.send("DELETE", f"/v1/access-tokens/{issued['token_id']}")).status_code == 404


async def test_an_access_token_expires(operator, desk, clock):
    body = {"role": "grid", "name": "balancing", "expires_at": "2026-04-01T08:00:00Z"}
    grid = desk.caller((await operator.ok("POST", "/v1/access-tokens", body, 201))["token"])
    await grid.ok("GET", "/v1/sites")
    clock.advance(hours=1)
    answer = await grid.send("GET", "/v1/sites")
    assert (answer.status_code, answer.json()["detail"]) == (401, "the bearer token has expired")
