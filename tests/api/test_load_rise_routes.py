"""What the site's history proposes as its load rise."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.store.electrical import FeederRow

pytestmark = pytest.mark.database

PATH = "/v1/sites/north/load-rise"
FILL = text(
    "INSERT INTO site_reading (site_id, at, pv_w, building_w, received_at, loads)"
    " SELECT 'north', at, 0, 5000 + CASE WHEN at >= :step_at THEN 3000 ELSE 0 END, at,"
    " CASE WHEN at >= :panel_at THEN CAST(:loads AS jsonb) END"
    " FROM generate_series(CAST(:from_at AS timestamptz), :until_at, interval '10 seconds') AS at"
)


async def fill(transactions, now, days):
    async with transactions() as tx:
        tx.session.add(FeederRow(site_id="north", feeder_id="panel", kind="panel", rating_a=100.0))
        values = {
            "from_at": now - timedelta(days=days),
            "until_at": now - timedelta(seconds=1),
            "step_at": now - timedelta(hours=5),
            "panel_at": now - timedelta(hours=2),
            "loads": '{"panel": {"w": 900, "L1": 4.5}}',
        }
        await tx.session.execute(FILL, values)


async def test_enough_days_propose_the_largest_rise_with_its_evidence(operator, site, transactions, clock):
    await fill(transactions, clock.at, days=14)
    found = await operator.ok("GET", PATH)
    assert (found["load_rise_kw"], found["load_rise_a"]) == (3.75, None)
    assert (found["horizon_s"], found["days_needed"], found["safety_factor"]) == (672.0, 14, 1.25)
    (evidence,) = found["evidence"]
    assert (evidence["days"], evidence["largest_kw"], evidence["conductor"]) == (14, 3.0, None)
    step_at = clock.at - timedelta(hours=5)
    assert evidence["high_at"] == step_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    await operator.ok("PATCH", "/v1/sites/north", {"reserve_kw": 9.0, "load_rise_kw": found["load_rise_kw"]})


async def test_too_few_days_propose_nothing_but_show_what_there_is(operator, site, transactions, clock):
    await fill(transactions, clock.at, days=1)
    found = await operator.ok("GET", PATH, params={"feeder_id": "panel"})
    assert (found["load_rise_kw"], found["load_rise_a"]) == (None, None)
    seen = [(each["conductor"], each["days"], each["largest_kw"], each["largest_a"]) for each in found["evidence"]]
    assert seen == [("L1", 0, None, 0.0), (None, 0, 0.0, None)]
    assert (await operator.ok("GET", PATH))["evidence"][0]["largest_kw"] == 3.0


async def test_a_site_or_feeder_that_is_not_there_is_not_found(operator, site):
    assert (await operator.send("GET", "/v1/sites/none/load-rise")).status_code == 404
    missing = await operator.send("GET", PATH, params={"feeder_id": "attic"})
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (404, "feeder_id")
    assert (await operator.ok("GET", PATH))["evidence"][0]["largest_kw"] is None
