"""A plan's record over the API, and the plan made again of it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.domain.facts import SessionStarted
from app.operations import proofs
from app.operations.planning import replan_site
from app.operations.station_facts import record_facts
from app.replay import read, replay
from app.store.plan import PlanRow

pytestmark = pytest.mark.database


@pytest.fixture
async def plan_id(operator, driver, site, transactions, clock):
    await operator.ok("POST", f"/v1/drivers/{driver.driver_id}/tokens", {"token": "CARD1"}, 201)
    async with transactions() as tx:
        await proofs.note_slack(tx, "one", timedelta(seconds=30))
        await record_facts(tx, "one", [SessionStarted(1, clock.at, clock.at, None, "card1", 0.0, "k")])
    async with transactions() as tx:
        await replan_site(tx, "north")
    return (await operator.ok("GET", "/v1/sites/north/plan"))["plan_id"]


async def test_what_a_plan_was_made_from_makes_it_again_bit_by_bit(operator, plan_id):
    answer = await operator.send("GET", f"/v1/plans/{plan_id}/inputs")
    record = read(answer.content)
    assert (record.plan_id, len(record.snapshot.demands), len(record.made.lines)) == (plan_id, 1, 1)
    again = replay(record)
    assert again.is_same_code
    assert again.differences == ()


async def test_the_record_of_an_older_version_is_plain_text(operator, plan_id, transactions):
    async with transactions() as tx:
        row = await tx.session.get_one(PlanRow, plan_id)
        row.inputs, row.inputs_zip, row.planner = '{"site": {}}', None, None
    answer = await operator.ok("GET", f"/v1/plans/{plan_id}/inputs")
    assert (answer["inputs"], answer["planner"]) == ({"site": {}}, None)


async def test_no_such_plan_has_no_record(operator, site):
    assert (await operator.send("GET", f"/v1/plans/{uuid4()}/inputs")).status_code == 404
