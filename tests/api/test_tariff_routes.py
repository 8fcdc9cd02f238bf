"""What the grid costs and emits, over the API."""

from json import dumps

import pytest

pytestmark = pytest.mark.database

PATH = "/v1/sites/north/tariff"
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
FLAT = {"currency": "JPY", "price_per_kwh": 22.5}
BY_TIME = FLAT | {
    "co2_g_per_kwh": 430.0,
    "co2_source": "adjusted factor of our menu, fiscal year 2025",
    "periods": [{"days": ["fri", "mon"], "from": "13:00", "to": "16:00", "price_per_kwh": 30.0}],
}


async def test_a_tariff_is_set_told_and_taken_away(operator, site):
    assert (await operator.send("GET", PATH)).json()["detail"] == "the site has no tariff"
    told = await operator.ok("PUT", PATH, BY_TIME)
    period = BY_TIME["periods"][0] | {"days": ["mon", "fri"], "co2_g_per_kwh": None}
    assert told == BY_TIME | {"periods": [period]}
    assert await operator.ok("GET", PATH) == told
    assert await operator.ok("PUT", PATH, told) == told
    flat = await operator.ok("PUT", PATH, FLAT)
    assert flat == FLAT | {"co2_g_per_kwh": None, "co2_source": None, "periods": []}
    await operator.ok("DELETE", PATH, status=204)
    assert (await operator.send("DELETE", PATH)).status_code == 404
    assert (await operator.send("PUT", "/v1/sites/nowhere/tariff", FLAT)).status_code == 404


async def test_days_that_are_left_out_are_all_of_them(operator, site):
    told = await operator.ok("PUT", PATH, FLAT | {"periods": [{"from": "22:00", "to": "06:00", "price_per_kwh": 9}]})
    assert told["periods"][0]["days"] == WEEK


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"price_per_kwh": -1}, "price_per_kwh", "Input should be greater than or equal to 0"),
        ({"price_per_kwh": float("nan")}, "price_per_kwh", "must be a finite number"),
        ({"price_per_kwh": "20"}, "price_per_kwh", "Input should be a valid number"),
        ({"currency": "yen"}, "currency", "String should match pattern '^[A-Z]{3}$'"),
        ({"currency": None}, "currency", "is needed with a price"),
        ({"co2_g_per_kwh": 430}, "co2_source", "is needed with co2_g_per_kwh"),
        ({"source": "me"}, "source", "is not a known field"),
        ({"periods": [{"from": "08:00"}]}, "periods[0].to", "is needed"),
        ({"periods": [{"from": "08:07", "to": "09:00"}]}, "periods[0].from", "must be a time of day on a quarter"),
        ({"periods": [{"days": [], "from": "08:00", "to": "09:00"}]}, "periods[0].days", "at least 1 item"),
        ({"periods": [{"days": ["Mo"], "from": "08:00", "to": "09:00"}]}, "periods[0].days[0]", "'mon', 'tue'"),
        ({"periods": [{"from": "08:00", "to": "09:00"}] * 2}, "periods[1]", "overlaps periods[0] on mon at 08:00"),
        ({"periods": [{"from": "08:00", "to": "09:00"}] * 101}, "periods", "at most 100 items"),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_its_field(operator, site, change, field, reason):
    answer = await operator.client.put(PATH, content=dumps(FLAT | change), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    errors = answer.json()["errors"]
    assert [each["field"] for each in errors] == [field]
    assert reason in errors[0]["reason"]
    assert (await operator.send("GET", PATH)).status_code == 404


async def test_what_is_missed_has_a_price_that_an_operator_sets(operator, site):
    assert site["miss_cost_ratio"] == 6.0
    changed = await operator.ok("PATCH", "/v1/sites/north", {"miss_cost_ratio": 0})
    assert changed == site | {"miss_cost_ratio": 0.0}
    for wrong in (-1, 100.5, "3"):
        answer = await operator.send("PATCH", "/v1/sites/north", {"miss_cost_ratio": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "miss_cost_ratio")
