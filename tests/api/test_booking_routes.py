import asyncio
from uuid import uuid4

import pytest

from app.domain.identity import Role

pytestmark = pytest.mark.database

BOOKING = {
    "site_id": "north",
    "arrives_at": "2026-04-01T17:00:00+09:00",
    "departs_at": "2026-04-01T19:00:00+09:00",
    "energy_kwh": 5.0,
}


def with_key(key="a key"):
    return {"headers": {"Idempotency-Key": key.replace(" ", "-")}}


async def test_a_driver_books_reads_changes_and_cancels(driver, site):
    booked = await driver.ok("POST", "/v1/bookings", BOOKING, 201)
    assert booked["driver_id"] == str(driver.driver_id)
    assert (booked["arrives_at"], booked["energy_kwh"]) == ("2026-04-01T08:00:00Z", 5.0)
    assert (booked["station_id"], booked["evse_number"], booked["is_pinned"]) == ("one", 1, False)
    path = f"/v1/bookings/{booked['booking_id']}"
    assert await driver.ok("GET", path) == booked
    changed = await driver.ok("PATCH", path, {"departs_at": "2026-04-01T20:00:00+09:00", "energy_kwh": 6.5})
    assert (changed["departs_at"], changed["energy_kwh"]) == ("2026-04-01T11:00:00Z", 6.5)
    cancelled = await driver.ok("DELETE", path)
    assert cancelled["state"] == "cancelled"
    assert (await driver.ok("GET", "/v1/bookings"))["items"] == [cancelled]
    assert (await driver.ok("GET", "/v1/bookings?state=booked"))["items"] == []


async def test_a_range_is_booked_with_a_car(driver, site):
    car = {"name": "car", "battery_kwh": 40.0, "consumption_wh_per_km": 150.0, "max_charge_kw": 3.0}
    vehicle = await driver.ok("POST", f"/v1/drivers/{driver.driver_id}/vehicles", car, 201)
    body = {key: value for key, value in BOOKING.items() if key != "energy_kwh"}
    body |= {"range_km": 30.0, "vehicle_id": vehicle["vehicle_id"], "station_id": "two"}
    booked = await driver.ok("POST", "/v1/bookings", body, 201)
    assert (booked["energy_kwh"], booked["station_id"], booked["is_pinned"]) == (4.5, "two", True)
    answer = await driver.send("PATCH", f"/v1/bookings/{booked['booking_id']}", {"range_km": 41.0})
    assert answer.json()["errors"] == [{"field": "vehicle_id", "reason": "is needed with range_km"}]


async def test_others_bookings_do_not_exist_for_a_driver(driver, desk, site):
    booked = await driver.ok("POST", "/v1/bookings", BOOKING, 201)
    other = await desk.with_role(Role.DRIVER, "Ben")
    path = f"/v1/bookings/{booked['booking_id']}"
    answers = [
        await other.send("GET", path),
        await other.send("PATCH", path, {"energy_kwh": 1.0}),
        await other.send("DELETE", path),
        await other.send("GET", f"/v1/bookings/{uuid4()}"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({answer.text for answer in answers}) == 1
    for path in ("/v1/bookings", f"/v1/bookings?driver_id={driver.driver_id}"):
        assert (await other.ok("GET", path))["items"] == []
    refused = await other.send("POST", "/v1/bookings", BOOKING | {"driver_id": str(driver.driver_id)})
    assert refused.json()["errors"] == [{"field": "driver_id", "reason": "there is no such driver"}]


async def test_an_operator_books_for_a_driver_and_sees_everybodys(operator, driver, site):
    booked = await operator.ok("POST", "/v1/bookings", BOOKING | {"driver_id": str(driver.driver_id)}, 201)
    assert (await operator.ok("GET", f"/v1/bookings?driver_id={driver.driver_id}"))["items"] == [booked]
    assert (await operator.ok("GET", f"/v1/bookings?driver_id={uuid4()}"))["items"] == []


async def test_a_refusal_names_alternatives_that_can_be_booked_as_they_are(operator, driver, desk, site):
    for _ in range(2):
        person = await desk.with_role(Role.DRIVER)
        await person.ok("POST", "/v1/bookings", BOOKING | {"station_id": "one"} if _ == 0 else BOOKING, 201)
    answer = await driver.send("POST", "/v1/bookings", BOOKING | {"station_id": "one", "evse_number": 1})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (409, "booking_refused")
    assert body["detail"] == "the EVSE is taken at that time"
    best = body["alternatives"][0]
    assert best["station_id"] == "two"
    again = BOOKING | {key: best[key] for key in ("evse_id", "arrives_at", "departs_at")}
    assert (await driver.ok("POST", "/v1/bookings", again, 201))["station_id"] == "two"


async def test_more_energy_than_the_stay_can_give_is_refused_with_what_it_can(driver, site):
    answer = await driver.send("POST", "/v1/bookings", BOOKING | {"energy_kwh": 19.3})
    assert (answer.status_code, answer.json()["code"]) == (409, "booking_refused")
    reason = "at most 19.2 kWh can be charged in this stay"
    assert answer.json()["errors"] == [{"field": "energy_kwh", "reason": reason}]
    assert (await driver.ok("POST", "/v1/bookings", BOOKING | {"energy_kwh": 19.2}, 201))["station_id"] == "two"


async def test_the_same_key_and_body_give_the_same_answer_and_one_booking(driver, site):
    first = await driver.send("POST", "/v1/bookings", BOOKING, **with_key())
    second = await driver.send("POST", "/v1/bookings", BOOKING, **with_key())
    same_instants = BOOKING | {"arrives_at": "2026-04-01T08:00:00Z"}
    third = await driver.send("POST", "/v1/bookings", same_instants, **with_key())
    assert [answer.status_code for answer in (first, second, third)] == [201] * 3
    assert first.text == second.text == third.text
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == third.headers["idempotency-replayed"] == "true"
    assert len((await driver.ok("GET", "/v1/bookings"))["items"]) == 1


async def test_a_key_with_another_body_is_a_mismatch_and_belongs_to_its_caller_alone(driver, desk, site):
    await driver.ok("POST", "/v1/bookings", BOOKING, 201, **with_key())
    answer = await driver.send("POST", "/v1/bookings", BOOKING | {"energy_kwh": 6.0}, **with_key())
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    other = await desk.with_role(Role.DRIVER)
    assert (await other.send("POST", "/v1/bookings", BOOKING | {"energy_kwh": 6.0}, **with_key())).status_code == 201


async def test_one_key_sent_many_times_at_once_books_once(driver, site):
    answers = await asyncio.gather(*(driver.send("POST", "/v1/bookings", BOOKING, **with_key()) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 5
    assert len((await driver.ok("GET", "/v1/bookings"))["items"]) == 1


async def test_a_refused_request_does_not_use_its_key_up(driver, desk, site):
    other = await desk.with_role(Role.DRIVER)
    taken = BOOKING | {"station_id": "one"}
    theirs = await other.ok("POST", "/v1/bookings", taken, 201)
    assert (await driver.send("POST", "/v1/bookings", taken, **with_key())).status_code == 409
    await other.ok("DELETE", f"/v1/bookings/{theirs['booking_id']}")
    answer = await driver.send("POST", "/v1/bookings", taken, **with_key())
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers
