"""Forecasts over the API: bands, CSV, skill, feeds and the panels that forecasts are made of."""

import pytest

pytestmark = pytest.mark.database

PATH = "/v1/sites/north/forecasts"
FEED = "/v1/sites/north/forecast-feed"
CSV = "time,pv_kw,building_kw\n2026-04-01T07:00:00Z,1.5,3\n2026-04-01T07:15:00Z,2.5,4\n"
QUERY = {"source": "office", "issued_at": "2026-04-01T07:00:00Z"}


async def push_csv(operator, text: str, path: str = f"{PATH}/csv"):
    headers = {"Content-Type": "text/csv"}
    return await operator.client.post(path, content=text.encode(), params=QUERY, headers=headers)


async def test_a_forecast_may_be_pushed_as_csv(operator, site):
    made = await push_csv(operator, CSV)
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["pv_kw"], told["building_kw"], told["step_minutes"]) == ([1.5, 2.5], [3.0, 4.0], 15)
    assert (told["method"], told["pv_p10_kw"], told["arrivals_count"]) == ("pushed", None, None)
    assert await operator.ok("GET", f"{PATH}/latest") == told


@pytest.mark.parametrize(
    ("text", "field"),
    [(CSV.replace("2.5", "sun"), "line 3, pv_kw"), (CSV.replace("07:15", "07:07"), "step_minutes"), ("", "line 1")],
)
async def test_a_bad_csv_is_refused_by_line(operator, site, text, field):
    answer = await push_csv(operator, text)
    assert answer.status_code == 422
    assert field in answer.text or answer.json()["errors"][0]["field"] == "body"
    assert (await operator.send("GET", f"{PATH}/latest")).status_code == 404


async def test_a_band_is_stored_beside_the_middle(operator, site):
    body = QUERY | {"starts_at": QUERY["issued_at"], "step_minutes": 15, "pv_kw": [2], "building_kw": [1]}
    told = await operator.ok("POST", PATH, body | {"pv_p10_kw": [1], "pv_p90_kw": [3]}, 201)
    assert (told["pv_p10_kw"], told["pv_p90_kw"]) == ([1.0], [3.0])
    answer = await operator.send("POST", PATH, body | {"pv_p10_kw": [3], "pv_p90_kw": [4]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "pv_p10_kw")


async def test_skill_is_told_of_a_window(operator, site):
    report = await operator.ok("GET", f"{PATH}/skill")
    assert (report["to"], report["forecasts_count"], report["items"]) == ("2026-04-01T07:00:00Z", 0, [])
    backwards = {"from": "2026-04-01T07:00:00Z", "to": "2026-03-01T07:00:00Z"}
    assert (await operator.send("GET", f"{PATH}/skill", params=backwards)).status_code == 422


async def test_a_feed_never_gives_its_key_out(operator, site):
    assert (await operator.send("GET", FEED)).status_code == 404
    body = {"kind": "solcast", "resource": "ab-12", "key": "s3cret", "every_minutes": 180}
    made = await operator.send("PUT", FEED, body)
    assert made.json() == {
        "kind": "solcast",
        "every_minutes": 180,
        "resource": "ab-12",
        "has_key": True,
        "tried_at": None,
        "fetched_at": None,
        "failures_count": 0,
        "problem": None,
    }
    assert await operator.ok("GET", FEED) == made.json()
    wrong = await operator.send("PUT", FEED, body | {"key": "s3cret/../x"})
    assert wrong.status_code == 422
    assert "s3cret" not in wrong.text
    await operator.ok("DELETE", FEED, status=204)
    assert (await operator.send("DELETE", FEED)).status_code == 404


async def test_panels_are_described_and_can_be_taken_away(operator, site):
    panels = {"latitude_deg": 35.7, "longitude_deg": 139.8, "pv_peak_kw": 50.0, "pv_tilt_deg": 20.0}
    changed = await operator.ok("PATCH", "/v1/sites/north", panels)
    assert changed == site | panels
    assert await operator.ok("PUT", FEED, {"kind": "open_meteo"})
    assert await operator.ok("PATCH", "/v1/sites/north", dict.fromkeys(panels)) == site
    assert (await operator.send("PATCH", "/v1/sites/north", {"latitude_deg": 91})).status_code == 422
