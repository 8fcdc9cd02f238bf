"""What `sunslot replay` reads, compares and says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from typer.testing import CliRunner

from app.cli import app as cli
from app.domain.errors import Invalid
from app.domain.intervals import Interval
from app.domain.snapshot import Demand, EvseSpec, IntentSource, SiteSnapshot, SiteSpec, SurplusSlot
from app.operations import records
from app.replay import differences, read, replay, report
from app.scheduling.planner import plan

NOW = datetime(2026, 4, 1, 7, 3, tzinfo=UTC)
PLAN_ID = "5f0c2d2e-8b0b-4c39-9a39-3a27d1b7a001"
SESSION_ID = "session 1"


def park() -> SiteSnapshot:
    evse = EvseSpec(1, "cp1", 1, 6000.0, 1200.0, 1200.0, 200.0, 1, True, True)
    leaves_at = NOW + timedelta(hours=3)
    demand = Demand(SESSION_ID, 1, NOW, leaves_at, 9_000.0, 6000.0, 1200.0, IntentSource.DRIVER)
    sun = SurplusSlot(Interval(NOW + timedelta(hours=1), NOW + timedelta(hours=1, minutes=15)), 4000.0)
    return SiteSnapshot(SiteSpec("north", "Asia/Tokyo", 20_000.0, 0.0, 0.0), (evse,), (demand,), surplus=(sun,))


def told(made=None, **changes) -> bytes:
    made = plan(park(), NOW) if made is None else made
    body = {
        "plan_id": PLAN_ID,
        "planner": records.planner_name(),
        "inputs": orjson.loads(records.snapshot_json(park())),
        "plan": orjson.loads(records.plan_json(made)),
    }
    return orjson.dumps(body | changes)


def test_a_plan_made_again_by_the_same_code_is_identical():
    again = replay(read(told()))
    assert again.is_same_code
    assert again.differences == ()
    assert list(report(again)) == [f"identical: 1 sessions × {again.slot_count} slots"]


def test_another_planner_is_named_even_where_nothing_differs():
    (note, verdict) = report(replay(read(told(planner="0.0.9 abc"))))
    assert note == f"the plan was made by 0.0.9 abc; here is {records.planner_name()}"
    assert verdict.startswith("identical")
    assert "does not say which code" in next(report(replay(read(told(planner=None)))))


def test_the_smallest_difference_of_a_power_is_told_with_its_slot():
    made = plan(park(), NOW)
    (line,) = made.lines
    powers_w = list(line.power_w)
    number = next(each for each, power_w in enumerate(powers_w) if power_w)
    powers_w[number] *= 1 + 2**-52
    again = replay(read(told(replace(made, lines=(replace(line, power_w=tuple(powers_w)),)))))
    (difference,) = again.differences
    assert difference.startswith(f"session {SESSION_ID}: slot {made.slots[number].start_at.isoformat()} was ")
    assert difference.endswith(f"is {line.power_w[number]!r} W")


def test_every_field_of_a_plan_is_compared():
    made = plan(park(), NOW)
    (line,) = made.lines
    for changed, said in (
        (replace(made, surplus_w=made.surplus_w[:-1]), "plan: surplus_w"),
        (replace(made, lines=()), f"session {SESSION_ID}: is missing now"),
        (replace(made, lines=(replace(line, target_w=1.0),)), f"session {SESSION_ID}: target_w"),
        (replace(made, lines=(replace(line, reason="x"),)), f"session {SESSION_ID}: reason"),
    ):
        (difference,) = differences(made, changed)
        assert difference.startswith(said)


def test_what_is_no_record_is_refused():
    for text in (b"", b"[]", b"{}", told(inputs={}), told(plan=None)):
        with pytest.raises(Invalid, match="not the record of a plan"):
            read(text)


def test_the_command_reads_a_saved_record_and_its_exit_code_says_whether_it_is_the_same(tmp_path):
    file = tmp_path / "plan.json"
    file.write_bytes(told())
    same = CliRunner().invoke(cli, ["replay", PLAN_ID, "--file", str(file)])
    assert (same.exit_code, same.output.split(":")[0]) == (0, "identical")
    made = plan(park(), NOW)
    file.write_bytes(told(replace(made, lines=(replace(made.lines[0], unmet_wh=7.0),))))
    differing = CliRunner().invoke(cli, ["replay", PLAN_ID, "--file", str(file)])
    assert differing.exit_code == 1
    assert "unmet_wh was 7.0, is 0.0" in differing.output
