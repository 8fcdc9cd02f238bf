"""Plans of what was written: the planner sees the same, and does the same."""

from datetime import timedelta

import orjson
from fleets import NOW, parks, wired_parks
from hypothesis import given, settings
from hypothesis import strategies as st

from app.operations import records
from app.scheduling.planner import plan


@settings(max_examples=40, deadline=None)
@given(parks() | wired_parks(), st.integers(0, 899_999_999))
def test_a_plan_made_again_of_what_was_written_is_the_same_bit_by_bit(park, microseconds):
    now = NOW + timedelta(microseconds=microseconds)
    made = plan(park, now)
    again = plan(records.read_snapshot_json(records.snapshot_json(park)), now)
    assert records.plan_json(again) == records.plan_json(made)


@given(parks())
@settings(max_examples=10)
def test_records_of_earlier_versions_have_spans_in_seconds_and_fewer_fields(park):
    older = orjson.loads(records.snapshot_json(park))
    older["site"] |= {"lease": 600.0, "settle": 12.0, "departure_buffer": 1800.0}
    for name in ("arrivals", "grid"):
        del older[name]
    del older["site"]["miss_cost_ratio"]
    for each in older["demands"]:
        del each["outlook"]
    assert records.read_snapshot_json(orjson.dumps(older)) == park
