"""Why a car charges as it does, as drivers and operators are told."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.domain.explanation import Why
from app.domain.facts import SessionEnded, SessionStarted
from app.domain.identity import Role
from app.operations import limits, proofs
from app.operations.planning import replan_site
from app.operations.station_facts import record_facts

pytestmark = pytest.mark.database


@pytest.fixture
async def session(operator, driver, site, transactions, clock):
    """The driver's car at station `one` with a plan: 5 kWh in four hours, without sun."""
    await operator.ok("POST", f"/v1/drivers/{driver.driver_id}/tokens", {"token": "CARD1"}, 201)
    async with transactions() as tx:
        await proofs.note_slack(tx, "one", timedelta(seconds=30))
        await record_facts(tx, "one", [SessionStarted(1, clock.at, clock.at, "tx-1", "card1", 0.0, "k")])
    found = (await driver.ok("GET", "/v1/sessions"))["items"][0]
    body = {"departs_at": (clock.at + timedelta(hours=4)).isoformat(), "energy_kwh": 5.0}
    await driver.ok("PUT", f"/v1/sessions/{found['session_id']}/intent", body)
    async with transactions() as tx:
        await replan_site(tx, "north")
    return found


async def test_a_driver_is_told_why_when_and_what_holds_now(driver, session, clock):
    told = await driver.ok("GET", f"/v1/sessions/{session['session_id']}/explanation")
    part = told["part"]
    assert (part["planned_kwh"], part["grid_kwh"], part["missing_kwh"]) == (5.0, 5.0, 0.0)
    assert part["spans"][0]["start_at"] == told["made_at"]
    assert {Why(each["reason"]["code"]) for each in part["spans"]} >= {Why.PROMISE}
    assert part["now"][0]["code"] == Why.UNVERIFIED
    assert part["done_at"] < (clock.at + timedelta(hours=4)).isoformat()
    assert told["is_same_planner"] is True
    assert told["now"]["lease_ends_at"] is None
    assert told["now"]["text"].startswith("only the default of")


async def test_another_drivers_session_is_not_explained(desk, session):
    other = await desk.with_role(Role.DRIVER, "Ben")
    answer = await other.send("GET", f"/v1/sessions/{session['session_id']}/explanation")
    assert answer.status_code == 404


async def test_an_operator_has_any_plan_explained_whole_or_for_one_session(operator, session):
    plan_id = (await operator.ok("GET", "/v1/sites/north/plan"))["plan_id"]
    whole = await operator.ok("GET", f"/v1/plans/{plan_id}/explanation")
    one = await operator.ok("GET", f"/v1/plans/{plan_id}/explanation?session_id={session['session_id']}")
    assert whole == one
    assert [each["session_id"] for each in whole["sessions"]] == [session["session_id"]]
    for path in (f"{plan_id}/explanation?session_id={uuid4()}", f"{uuid4()}/explanation"):
        assert (await operator.send("GET", f"/v1/plans/{path}")).status_code == 404


async def test_what_the_limit_loop_made_of_it_is_told(operator, session, transactions, clock):
    async with transactions() as tx:
        await limits.allocate_site(tx, "north")
    told = await operator.ok("GET", f"/v1/sessions/{session['session_id']}/explanation")
    assert told["now"]["wanted_kw"] == told["part"]["target_kw"]


async def test_a_session_that_is_over_keeps_the_explanation_of_its_last_plan(operator, session, transactions, clock):
    clock.advance(minutes=5)
    async with transactions() as tx:
        await record_facts(tx, "one", [SessionEnded(1, clock.at, clock.at, "tx-1", None, "end")])
        await replan_site(tx, "north")
    told = await operator.ok("GET", f"/v1/sessions/{session['session_id']}/explanation")
    assert told["now"] is None
    assert told["part"]["planned_kwh"] == 5.0
