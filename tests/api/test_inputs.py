import json

import pytest

pytestmark = pytest.mark.database

READINGS = "/v1/sites/north/readings"
FORECASTS = "/v1/sites/north/forecasts"
NOON = "2026-04-01T07:00:00Z"
READING = {"at": NOON, "pv_kw": 1.0, "building_kw": 2.0}
FORECAST = {
    "source": "test",
    "issued_at": NOON,
    "starts_at": NOON,
    "step_minutes": 15,
    "pv_kw": [1.0],
    "building_kw": [1.0],
}
BOOKING = {
    "site_id": "north",
    "arrives_at": "2026-04-01T08:00:00Z",
    "departs_at": "2026-04-01T10:00:00Z",
    "energy_kwh": 5.0,
}
SITE = {"site_id": "south", "name": "South", "zone": "Asia/Tokyo", "limit_kw": 50.0}
STATION = {"station_id": "three", "site_id": "north", "evses": [{"max_current_a": 30.0}]}
VEHICLE = {"name": "car", "battery_kwh": 40.0, "consumption_wh_per_km": 150.0}
ISO = "must be an ISO 8601 date and time with a UTC offset, like 2026-11-02T08:30:00+09:00"

CASES = [
    ("POST", READINGS, READING | {"pv_kw": -0.1}, "pv_kw", "Input should be greater than or equal to 0"),
    ("POST", READINGS, READING | {"pv_kw": float("nan")}, "pv_kw", "must be a finite number"),
    ("POST", READINGS, READING | {"building_kw": float("inf")}, "building_kw", "must be a finite number"),
    ("POST", READINGS, READING | {"building_kw": "2"}, "building_kw", "Input should be a valid number"),
    ("POST", READINGS, READING | {"building_kw": True}, "building_kw", "Input should be a valid number"),
    ("POST", READINGS, READING | {"building_w": 1}, "building_w", "is not a known field"),
    ("POST", READINGS, {"at": NOON, "pv_kw": 1}, "building_kw", "is needed"),
    ("POST", READINGS, READING | {"at": "2026-04-01T07:00:00"}, "at", "must carry a UTC offset"),
    ("POST", READINGS, READING | {"at": 1_775_000_000}, "at", ISO),
    ("POST", READINGS, READING | {"at": "1775000000"}, "at", ISO),
    ("POST", READINGS, READING | {"at": "yesterday"}, "at", ISO),
    ("POST", READINGS, READING | {"at": "0001-01-01T00:00:00+14:00"}, "at", "must lie between the years 2000 and 2200"),
    ("POST", READINGS, READING | {"at": "2026-04-01T07:05:01Z"}, "at", "lies more than 5 minutes in the future"),
    ("POST", READINGS, READING | {"at": "2026-03-25T06:59:59Z"}, "at", "lies more than 7 days in the past"),
    ("GET", READINGS + "?limit=0", None, "limit", "Input should be greater than or equal to 1"),
    ("GET", READINGS + "?cursor=%00", None, "cursor", "is not a cursor of this list"),
    ("GET", READINGS + "?cursor=WyJ4Il0", None, "cursor", "is not a cursor of this list"),
    ("GET", READINGS + "?from=2026-04-01", None, "from", ISO),
    ("POST", FORECASTS, FORECAST | {"building_kw": [1.0, 2.0]}, "building_kw", "has 2 values, pv_kw has 1"),
    (
        "POST",
        FORECASTS,
        FORECAST | {"pv_kw": [1.0, -1.0], "building_kw": [1.0, 1.0]},
        "pv_kw[1]",
        "Input should be greater than or equal to 0",
    ),
    ("POST", FORECASTS, FORECAST | {"step_minutes": 7}, "step_minutes", "Input should be 5, 15, 30 or 60"),
    (
        "POST",
        FORECASTS,
        FORECAST | {"step_minutes": 60, "pv_kw": [1.0] * 97, "building_kw": [1.0] * 97},
        "pv_kw",
        "covers more than 4 days",
    ),
    ("POST", FORECASTS, FORECAST | {"starts_at": "2026-04-09T07:00:00Z"}, "starts_at", "is more than 7 days away"),
    (
        "POST",
        FORECASTS,
        FORECAST | {"issued_at": "2026-04-01T08:00:00Z"},
        "issued_at",
        "lies more than 5 minutes in the future",
    ),
    ("POST", FORECASTS, FORECAST | {"source": "a\u0000b"}, "source", None),
    ("POST", "/v1/sites", SITE | {"zone": "Mars/Olympus"}, "zone", "is not a time zone of the IANA database"),
    ("POST", "/v1/sites", SITE | {"zone": "../../etc/passwd"}, "zone", "is not a time zone of the IANA database"),
    ("POST", "/v1/sites", SITE | {"limit_kw": 0}, "limit_kw", "Input should be greater than or equal to 0.001"),
    (
        "POST",
        "/v1/sites",
        SITE | {"margin_kw": 30, "reserve_kw": 20},
        "limit_kw",
        "margin_kw and reserve_kw together must be less than limit_kw",
    ),
    ("POST", "/v1/sites", SITE | {"site_id": "so.uth"}, "site_id", None),
    ("POST", "/v1/sites", SITE | {"name": " "}, "name", "String should have at least 1 character"),
    ("POST", "/v1/sites", SITE | {"name": "\ud800"}, "name", None),
    ("POST", "/v1/stations", STATION | {"site_id": "south"}, "site_id", "there is no such site"),
    ("POST", "/v1/stations", STATION | {"station_id": "a/b"}, "station_id", None),
    ("POST", "/v1/stations", STATION | {"station_id": "a:b"}, "station_id", None),  # could never log in
    ("POST", "/v1/stations", STATION | {"evses": []}, "evses", None),
    ("POST", "/v1/stations", STATION | {"security_profile": 4}, "security_profile", "Input should be 0, 1, 2 or 3"),
    (
        "POST",
        "/v1/stations",
        STATION | {"evses": [{"max_current_a": 16.0, "phase_count": 2}]},
        "evses[0].phase_count",
        "Input should be 1 or 3",
    ),
    ("POST", "/v1/drivers/{driver}/tokens", {"token": "a b"}, "token", None),
    (
        "POST",
        "/v1/drivers/{driver}/tokens",
        {"token": "AB", "expires_at": "2026-01-01T00:00:00Z"},
        "expires_at",
        "lies in the past",
    ),
    ("POST", "/v1/drivers/{driver}/vehicles", VEHICLE | {"battery_kwh": 0}, "battery_kwh", None),
    ("GET", "/v1/drivers/me", None, "driver_id", None),
    ("POST", "/v1/access-tokens", {"role": "boss", "name": "x"}, "role", None),
    ("POST", "/v1/access-tokens", {"role": "driver", "name": "x"}, "driver_id", "is needed for a driver's token"),
    (
        "POST",
        "/v1/access-tokens",
        {"role": "grid", "name": "x", "driver_id": "{driver}"},
        "driver_id",
        "is not for the role grid",
    ),
    ("POST", "/v1/bookings", BOOKING, "driver_id", "is needed"),
    ("POST", "/v1/bookings", BOOKING | {"driver_id": "{driver}", "energy_kwh": -1}, "energy_kwh", None),
    (
        "POST",
        "/v1/bookings",
        BOOKING | {"driver_id": "{driver}", "departs_at": "2026-04-01T07:30:00Z"},
        "departs_at",
        "must be after arrives_at",
    ),
    ("POST", "/v1/bookings", BOOKING | {"driver_id": "{driver}", "evse_id": 2**70}, "evse_id", None),
    ("GET", "/v1/sessions?state=asleep", None, "state", "Input should be 'running' or 'ended'"),
    ("GET", "/v1/flexibility", None, "site_id", "is needed"),
    (
        "POST",
        "/v1/stations/one/commands/write-setting",
        {"name": "ChargeProfileMaxStackLevel", "value": "1"},
        "name",
        "may change the charging limit, which only the scheduler sets",
    ),
    ("POST", "/v1/stations/one/commands/trigger", {"message": "nonsense"}, "message", None),
    (
        "POST",
        "/v1/stations/one/commands/trigger",
        {"message": "status", "evse_number": 3},
        "evse_number",
        "the station has no such EVSE",
    ),
]


async def test_every_bad_input_is_answered_with_422_its_field_and_the_reason(operator, driver, site):
    found, expected = {}, {}
    for method, place, body, field, reason in CASES:
        path = place.replace("{driver}", str(driver.driver_id))
        content = None if body is None else json.dumps(body).replace("{driver}", str(driver.driver_id))
        answer = await operator.client.request(
            method, path, content=content, headers={"content-type": "application/json"}
        )
        case = f"{method} {path} {content}"
        errors = answer.json().get("errors", [{}])
        expected[case] = (422, 1, field, reason)
        told = errors[0].get("reason")
        found[case] = (answer.status_code, len(errors), errors[0].get("field"), told if reason else told and None)
        assert told, case
    assert found == expected


async def test_several_wrong_fields_are_all_named(operator, site):
    answer = await operator.send("POST", READINGS, {"at": "x", "pv_kw": -1, "more": 1})
    assert [error["field"] for error in answer.json()["errors"]] == ["at", "pv_kw", "building_kw", "more"]


async def test_a_problem_never_repeats_what_was_sent(operator, site):
    answer = await operator.send("POST", "/v1/drivers", {"name": {"password": "swordfish"}})
    assert answer.status_code == 422
    assert "swordfish" not in answer.text


@pytest.mark.parametrize("key", ["", "a b", "x" * 201])
async def test_an_impossible_idempotency_key_is_named(driver, site, key):
    answer = await driver.send("POST", "/v1/bookings", BOOKING, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].lower() == "idempotency-key"
