"""Sites, their readings, forecasts, plans, sessions and flexibility, as callers see them."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.bus.subjects import SITES_CHANGED, site_changed, station_orders
from app.domain.facts import SessionStarted
from app.domain.identity import Role
from app.operations import proofs
from app.operations.planning import replan_site
from app.operations.station_facts import record_facts
from app.store.station import EvseRow

pytestmark = pytest.mark.database

READING = {"at": "2026-04-01T16:00:00+09:00", "pv_kw": 12.5, "building_kw": 3.0}


@pytest.fixture
async def plugged(operator, driver, site, transactions, clock):
    """The driver's car at station `one`, and a plan; returns the session."""
    await operator.ok("POST", f"/v1/drivers/{driver.driver_id}/tokens", {"token": "CARD1"}, 201)
    at = clock.at
    async with transactions() as tx:
        await proofs.note_slack(tx, "one", timedelta(seconds=30))
        await record_facts(tx, "one", [SessionStarted(1, at, at, None, "card1", 0.0, "k")])
    session = (await driver.ok("GET", "/v1/sessions"))["items"][0]
    path = f"/v1/sessions/{session['session_id']}/intent"
    body = {"departs_at": (at + timedelta(hours=4)).isoformat(), "energy_kwh": 10.0}
    session = await driver.ok("PUT", path, body)
    async with transactions() as tx:
        await replan_site(tx, "north")
    return session


async def test_a_new_site_has_defaults_wakes_the_loops_and_exists_once(operator, bus, clock):
    body = {"site_id": "south", "name": "South", "zone": "Asia/Tokyo", "limit_kw": 50.0}
    with bus.listen(SITES_CHANGED) as bell:
        made = await operator.ok("POST", "/v1/sites", body, 201)
        assert await bell.next(clock.at)
    assert made == body | {
        "margin_kw": 0.0,
        "reserve_kw": 0.0,
        "voltage_v": 200.0,
        "low_voltage_share": 0.9,
        "safe_current_a": 6.0,
        "min_current_a": 6.0,
        "surprised_stations": 1,
        "load_rise_kw": None,
        "demand_target_kw": None,
        "default_energy_kwh": 12.0,
        "default_stay_hours": 8.0,
        "miss_cost_ratio": 6.0,
        "latitude_deg": None,
        "longitude_deg": None,
        "pv_peak_kw": None,
        "pv_tilt_deg": None,
        "pv_azimuth_deg": None,
        "created_at": "2026-04-01T07:00:00Z",
    }
    again = await operator.send("POST", "/v1/sites", body)
    assert (again.status_code, again.json()["errors"][0]["field"]) == (409, "site_id")


async def test_a_sites_change_is_partial_and_a_safe_current_must_be_proven(operator, site, bus, clock, transactions):
    async with transactions() as tx:
        for row in await tx.session.scalars(select(EvseRow)):
            row.default_verified_at = tx.now

    async def proven():
        async with transactions() as tx:
            return {row.default_verified_at is not None for row in await tx.session.scalars(select(EvseRow))}

    with bus.listen(station_orders("two")) as bell:
        changed = await operator.ok("PATCH", "/v1/sites/north", {"limit_kw": 40.0, "default_stay_hours": 0.5})
        assert changed == site | {"limit_kw": 40.0, "default_stay_hours": 0.5}
        assert await proven() == {True}
        assert not await bell.next(clock.at)
        await operator.ok("PATCH", "/v1/sites/north", {"safe_current_a": 8.0})
        assert await proven() == {False}
        assert await bell.next(clock.at)
    assert (await operator.send("PATCH", "/v1/sites/none", {"limit_kw": 1.0})).status_code == 404


@pytest.mark.parametrize("values", [{"reserve_kw": 60.0}, {"margin_kw": 60.0}, {"limit_kw": 5e-324, "reserve_kw": 1.0}])
async def test_a_change_that_leaves_no_room_is_refused_before_the_database_has_to(operator, site, values):
    before = await operator.ok("GET", "/v1/sites/north")
    answer = await operator.send("PATCH", "/v1/sites/north", values)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit_kw")
    assert await operator.ok("GET", "/v1/sites/north") == before


async def test_a_reading_is_stored_once_and_another_of_that_instant_is_a_conflict(operator, desk, site, bus, clock):
    meter = await desk.with_role(Role.STATION_ADMIN)
    path = "/v1/sites/north/readings"
    with bus.listen(site_changed("north")) as bell:
        stored = await meter.ok("POST", path, READING, 201)
        assert await bell.next(clock.at)
        assert await meter.ok("POST", path, READING, 200) == stored
        assert not await bell.next(clock.at)
    assert (stored["at"], stored["pv_kw"]) == ("2026-04-01T07:00:00Z", 12.5)
    other = await meter.send("POST", path, READING | {"pv_kw": 12.6})
    assert (other.status_code, other.json()["errors"][0]["field"]) == (409, "at")
    assert (await meter.send("POST", "/v1/sites/none/readings", READING)).status_code == 404


async def test_readings_are_listed_in_a_half_open_span_in_pages(operator, site):
    path = "/v1/sites/north/readings"
    for minute in (0, 1, 2, 3):
        await operator.ok("POST", path, READING | {"at": f"2026-04-01T06:0{minute}:00Z"}, 201)
    span = {"from": "2026-04-01T06:00:00Z", "to": "2026-04-01T06:03:00Z"}
    page = await operator.ok("GET", path, params=span | {"limit": 2})
    rest = await operator.ok("GET", path, params=span | {"limit": 2, "cursor": page["next_cursor"]})
    assert [each["at"][14:16] for each in page["items"] + rest["items"]] == ["00", "01", "02"]
    assert rest["next_cursor"] is None


async def test_the_forecast_issued_last_is_the_latest(operator, site):
    path = "/v1/sites/north/forecasts"
    assert (await operator.send("GET", f"{path}/latest")).status_code == 404
    forecast = {
        "source": "model",
        "issued_at": "2026-04-01T06:00:00Z",
        "starts_at": "2026-04-01T06:00:00Z",
        "step_minutes": 30,
        "pv_kw": [0.5, 12.25],
        "building_kw": [2, 3],
    }
    newest = await operator.ok("POST", path, forecast, 201)
    await operator.ok("POST", path, forecast | {"issued_at": "2026-04-01T05:00:00Z"}, 201)
    latest = await operator.ok("GET", f"{path}/latest")
    assert latest == newest
    assert {key: latest[key] for key in forecast} == forecast


async def test_a_driver_sees_only_own_sessions(driver, desk, plugged):
    assert (plugged["need_kwh"], plugged["intent_source"]) == (10.0, "driver")
    assert (plugged["station_id"], plugged["evse_number"], plugged["ended_at"]) == ("one", 1, None)
    assert (await driver.ok("GET", "/v1/sessions?state=running&site_id=north"))["items"] == [plugged]
    assert (await driver.ok("GET", "/v1/sessions?state=ended"))["items"] == []
    other = await desk.with_role(Role.DRIVER)
    assert (await other.ok("GET", "/v1/sessions"))["items"] == []
    path = f"/v1/sessions/{plugged['session_id']}"
    intent = {"departs_at": "2026-04-01T09:00:00Z", "energy_kwh": 1.0}
    assert (await other.send("GET", path)).status_code == 404
    assert (await other.send("PUT", f"{path}/intent", intent)).status_code == 404
    assert await driver.ok("GET", path) == plugged


async def test_a_plan_tells_per_slot_who_charges_and_sums_up(operator, plugged):
    plan = await operator.ok("GET", "/v1/sites/north/plan")
    assert await operator.ok("GET", f"/v1/plans/{plan['plan_id']}") == plan
    assert (plan["site_id"], plan["revision"], plan["made_at"]) == ("north", 1, "2026-04-01T07:00:00Z")
    (line,) = plan["sessions"]
    assert (line["session_id"], line["unmet_kwh"], line["reason"]) == (plugged["session_id"], 0.0, "")
    hours = [
        (datetime.fromisoformat(slot["end_at"]) - datetime.fromisoformat(slot["start_at"])) / timedelta(hours=1)
        for slot in plan["slots"]
    ]
    by_slot = [slot["session_kw"].get(plugged["session_id"], 0.0) for slot in plan["slots"]]
    assert sum(power * length for power, length in zip(by_slot, hours, strict=True)) == pytest.approx(10.0, abs=0.02)
    assert plan["planned_kwh"] == line["planned_kwh"] == pytest.approx(10.0, abs=0.02)
    assert [slot["planned_kw"] for slot in plan["slots"]] == by_slot


async def test_what_cannot_be_promised_is_said_with_its_reason(operator, driver, plugged, transactions, clock):
    body = {"departs_at": (clock.at + timedelta(hours=1)).isoformat(), "energy_kwh": 10.0}
    await driver.ok("PUT", f"/v1/sessions/{plugged['session_id']}/intent", body)
    async with transactions() as tx:
        await replan_site(tx, "north")
    plan = await operator.ok("GET", "/v1/sites/north/plan")
    assert plan["revision"] == 2
    assert plan["unmet_kwh"] == pytest.approx(4.0, abs=0.1)
    assert plan["sessions"][0]["reason"]


async def test_a_site_without_a_plan_and_an_unknown_plan_do_not_exist(operator, site):
    answers = [
        await operator.send("GET", "/v1/sites/north/plan"),
        await operator.send("GET", "/v1/sites/none/plan"),
        await operator.send("GET", f"/v1/plans/{uuid4()}"),
        await operator.send("GET", "/v1/flexibility?site_id=north"),
        await operator.send("GET", "/v1/flexibility?site_id=none"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5


async def test_flexibility_is_told_in_half_hours_of_the_sites_zone(desk, plugged):
    grid = await desk.with_role(Role.GRID)
    offer = await grid.ok("GET", "/v1/flexibility?site_id=north")
    assert (offer["site_id"], offer["connected"], offer["suppressed"]) == ("north", 1, None)
    assert "not jointly deliverable" in offer["caveat"]
    assert offer["slots"]
    for slot in offer["slots"]:
        start_at = datetime.fromisoformat(slot["start_at"])
        assert slot["start_at"].endswith("+09:00")
        assert start_at.astimezone(ZoneInfo("Asia/Tokyo")).minute in {0, 30}
        assert slot["decrease_kw"] >= 0
        assert slot["increase_kw"] >= 0
    assert offer["blocks"]
    assert "session" not in str(offer)
    assert not any(UUID(plugged["session_id"]).hex[:8] in str(value) for value in offer.values())


async def test_the_etag_is_the_plans_and_saves_the_answer_until_the_next_plan(desk, plugged, transactions):
    grid = await desk.with_role(Role.GRID)
    first = await grid.send("GET", "/v1/flexibility?site_id=north")
    etag = first.headers["etag"]
    for known in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        again = await grid.send("GET", "/v1/flexibility?site_id=north", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    async with transactions() as tx:
        await replan_site(tx, "north")
    changed = await grid.send("GET", "/v1/flexibility?site_id=north", headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


async def test_behind_too_few_cars_no_number_is_told(app, context, desk, plugged):
    grid = await desk.with_role(Role.GRID)
    app.state.api = replace(context, least_vehicle_count=2)
    offer = await grid.ok("GET", "/v1/flexibility?site_id=north")
    assert offer["suppressed"] == "fewer than 2 vehicles are behind these numbers"
    assert offer["connected"] is None
    powers = [
        value for part in offer["slots"] + offer["blocks"] for name, value in part.items() if name.endswith("_kw")
    ]
    assert powers
    assert set(powers) == {None}
