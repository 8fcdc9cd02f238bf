"""Readings of the site's meters, as those who push them see it."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from app.bus.subjects import site_changed, site_limits
from app.domain.identity import Role
from app.store.electrical import FeederRow
from app.store.site import SiteRow

pytestmark = pytest.mark.database

PATH = "/v1/sites/north/readings"


def reading(clock, **changes):
    return {"at": clock.at.isoformat(), "pv_kw": 12.5, "building_kw": 3.0} | changes


@pytest.fixture
async def panel(site, transactions):
    async with transactions() as tx:
        tx.session.add(FeederRow(site_id="north", feeder_id="panel", kind="panel", rating_a=100.0))


async def noted(transactions):
    async with transactions() as tx:
        row = await tx.session.get_one(SiteRow, "north")
        return row.reading_refused_at, row.reading_refused_for


async def test_grid_power_and_flows_through_feeders_are_kept_and_listed(operator, panel, clock):
    more = {"grid_kw": -4.2, "loads": {"panel": {"kw": 2.5, "l2_a": 7.5}}, "totals": {"panel": {"l1_a": 30.0}}}
    stored = await operator.ok("POST", PATH, reading(clock, **more), 201)
    unknown = {"kw": None, "l1_a": None, "l2_a": None, "l3_a": None}
    assert stored["grid_kw"] == -4.2
    assert stored["loads"] == {"panel": unknown | {"kw": 2.5, "l2_a": 7.5}}
    assert stored["totals"] == {"panel": unknown | {"l1_a": 30.0}}
    assert (await operator.ok("GET", PATH))["items"] == [stored]
    assert await operator.ok("POST", PATH, reading(clock, **more), 200) == stored
    other = await operator.send("POST", PATH, reading(clock, **more | {"grid_kw": 4.2}))
    assert other.status_code == 409


async def test_what_is_not_measured_is_left_out(operator, site, clock):
    stored = await operator.ok("POST", PATH, reading(clock), 201)
    assert (stored["grid_kw"], stored["loads"], stored["totals"]) == (None, {}, {})


BAD = {
    "not a number": ('"pv_kw": NaN, "building_kw": 3.0', "pv_kw", "must be a finite number"),
    "too large for a float": ('"pv_kw": 1.0, "building_kw": 1e999', "building_kw", "must be a finite number"),
    "negative": (
        '"pv_kw": 1.0, "building_kw": -3.0',
        "building_kw",
        "Input should be greater than or equal to 0",
    ),
    "absurd": (
        '"pv_kw": 1.0, "building_kw": 3.0, "grid_kw": 1e7',
        "grid_kw",
        "Input should be less than or equal to 100000",
    ),
    "infinite at a feeder": (
        '"pv_kw": 1.0, "building_kw": 3.0, "loads": {"panel": {"l1_a": Infinity}}',
        "loads.panel.l1_a",
        "must be a finite number",
    ),
    "of no feeder": (
        '"pv_kw": 1.0, "building_kw": 3.0, "totals": {"attic": {"kw": 1.0}}',
        "totals.attic",
        "there is no such feeder",
    ),
}


@pytest.mark.parametrize(("values", "field", "reason"), BAD.values(), ids=BAD)
async def test_a_reading_that_cannot_be_meant_is_refused_and_noted(
    operator, panel, transactions, bus, clock, values, field, reason
):
    body = f'{{"at": "{clock.at.isoformat()}", {values}}}'
    with bus.listen(site_limits("north")) as bell:
        answer = await operator.client.post(PATH, content=body, headers={"content-type": "application/json"})
        assert await bell.next(clock.at)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "reason": reason}]
    assert await noted(transactions) == (clock.at, f"{field}: {reason}")
    assert (await operator.ok("GET", PATH))["items"] == []


async def test_only_who_may_push_readings_can_bring_a_meter_into_doubt(operator, driver, desk, site, transactions):
    for caller, status in ((driver, 403), (desk.caller(None), 401), (desk.caller("wrong"), 401)):
        assert (await caller.send("POST", PATH, {"pv_kw": -1.0})).status_code == status
    assert (await operator.send("POST", "/v1/sites/none/readings", {"pv_kw": -1.0})).status_code == 422
    assert (await operator.send("GET", f"{PATH}?limit=0")).status_code == 422
    assert await noted(transactions) == (None, None)


async def test_what_is_no_json_brings_a_meter_into_doubt_only_from_who_may_push(
    operator, driver, desk, site, transactions, clock
):
    told = {"content": "{", "headers": {"content-type": "application/json"}}
    for caller in (driver, desk.caller(None), desk.caller("wrong")):
        assert (await caller.client.post(PATH, **told)).status_code == 422
    assert await noted(transactions) == (None, None)
    assert (await operator.client.post(PATH, **told)).status_code == 422
    assert await noted(transactions) == (clock.at, "body: is not valid JSON")


@pytest.mark.parametrize("site_id", ["%00", "north%00", "%ED%A0%80", "a%2Fb"])
@pytest.mark.parametrize("body", ["{", "{}"])
async def test_a_reading_of_no_possible_site_is_refused(operator, site, transactions, site_id, body):
    told = {"content": body, "headers": {"content-type": "application/json"}}
    answer = await operator.client.post(f"/v1/sites/{site_id}/readings", **told)
    assert answer.status_code in {404, 422}
    assert await noted(transactions) == (None, None)


async def test_a_refused_reading_holds_one_connection_at_a_time(operator, desk, site, transactions):
    open_count, most_count = 0, 0

    @asynccontextmanager
    async def counted():
        nonlocal open_count, most_count
        async with transactions() as tx:
            open_count += 1
            most_count = max(most_count, open_count)
            try:
                yield tx
            finally:
                open_count -= 1

    desk.app.state.api = replace(desk.app.state.api, transactions=counted)
    assert (await operator.send("POST", PATH, {"pv_kw": -1.0})).status_code == 422
    assert await noted(transactions) != (None, None)
    assert most_count == 1


async def test_every_reading_wakes_the_limits_and_few_wake_the_planner(desk, site, bus, clock):
    meter = await desk.with_role(Role.STATION_ADMIN)
    rung = []
    with bus.listen(site_changed("north")) as plans, bus.listen(site_limits("north")) as limits:
        for second, pv_kw in ((0, 12.5), (5, 12.6), (10, 12.0), (15, 9.0), (20, 8.9), (62, 8.9)):
            clock.at = clock.at.replace(second=0) + timedelta(seconds=second)
            await meter.ok("POST", PATH, reading(clock, pv_kw=pv_kw), 201)
            rung.append((await limits.next(clock.at), await plans.next(clock.at)))
    assert rung == [(True, True), (True, False), (True, False), (True, False), (True, False), (True, True)]


async def test_a_step_of_the_surplus_wakes_the_planner_and_a_late_reading_does_not(operator, site, bus, clock):
    await operator.ok("POST", PATH, reading(clock), 201)
    with bus.listen(site_changed("north")) as bell:
        clock.advance(seconds=5)
        await operator.ok("POST", PATH, reading(clock, building_kw=6.1), 201)
        assert await bell.next(clock.at)
        late = clock.at - timedelta(minutes=3)
        await operator.ok("POST", PATH, reading(clock, at=late.isoformat(), pv_kw=80.0), 201)
        assert not await bell.next(clock.at)
