from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.intervals import Interval
from app.domain.plan import ChargingPlan
from app.domain.snapshot import SiteSnapshot
from app.operations import records

numbers = st.floats(allow_nan=False, allow_infinity=False)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(2000, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC) | offsets)  # noqa: DTZ001
spans = st.timedeltas(timedelta(0), timedelta(days=400))
intervals = st.builds(lambda at, span: Interval(at, at + span + timedelta(microseconds=1)), instants, spans)

st.register_type_strategy(float, numbers)
st.register_type_strategy(datetime, instants)
st.register_type_strategy(timedelta, spans)
st.register_type_strategy(Interval, intervals)


@settings(max_examples=20)
@given(st.from_type(SiteSnapshot))
def test_any_snapshot_is_read_as_it_was_written(snapshot):
    text = records.snapshot_json(snapshot)
    again = records.read_snapshot_json(records.unpacked(records.packed(text)))
    assert again == snapshot
    assert records.snapshot_json(again) == text


@settings(max_examples=15)
@given(st.from_type(ChargingPlan))
def test_any_plan_is_read_as_it_was_written(made):
    assert records.read_plan_json(records.plan_json(made)) == made


def test_a_record_that_is_cut_or_no_record_at_all_is_damaged():
    whole = records.packed(b"{}" * 5000)
    for body in (whole[:-5], b"{}", b""):
        with pytest.raises(ValueError, match="damaged"):
            records.unpacked(body)
    with pytest.raises(ValueError, match="Field required"):
        records.read_snapshot_json(b"{}")


def test_a_record_larger_than_any_of_ours_is_refused_before_it_fills_the_memory():
    body = records.packed(b" " * 1000)
    assert records.unpacked(body, 1000) == b" " * 1000
    with pytest.raises(ValueError, match="larger"):
        records.unpacked(body, 999)


def test_the_planners_name_covers_what_it_is_made_of_and_nothing_else():
    sources = records._sources(records.PLANNER)
    assert {"app.scheduling.planner", "app.scheduling.flow", "app.domain.snapshot", "app.domain.stays"} <= set(sources)
    assert not {name for name in sources if name.startswith(("app.operations", "app.store"))}
    assert "app.scheduling.allocation" not in sources
    version, digest = records.planner_name().split(" ")
    assert version
    assert len(digest) == records.DIGITS_COUNT


def test_another_source_has_another_name(tmp_path):
    first = records.planner_name()
    changed = tmp_path / "planner.py"
    sources = records._sources(records.PLANNER)
    changed.write_bytes(sources[records.PLANNER].read_bytes() + b"# changed\n")
    names = {records.name_of(sources), records.name_of(sources | {records.PLANNER: changed})}
    assert first in names
    assert len(names) == 2
