"""A large plan is made in a process of its own, and made all the same when that dies, hangs or talks nonsense."""

import asyncio
import io
import os
import sys
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from app.domain.snapshot import Demand, EvseSpec, IntentSource, SiteSnapshot, SiteSpec
from app.operations.planning import in_thread
from app.operations.records import read_plan_json, snapshot_json
from app.runtime.planning_child import LENGTH_BYTES, answers, question
from app.runtime.planning_process import CHILD, PlanningProcess, cell_count, planning_process

NOW = datetime(2026, 4, 1, 7, 3, 21, 123_456, tzinfo=UTC)
DYING = (sys.executable, "-c", "raise SystemExit(3)")
HANGING = (sys.executable, "-c", "import time; time.sleep(60)")
BABBLING = (sys.executable, "-c", "import sys; sys.stdout.write('x' * 8000)")


def park(count: int = 3) -> SiteSnapshot:
    evses = tuple(EvseSpec(each, f"cp{each}", 1, 6000.0, 1200.0, 1200.0, 200.0, 1, True, True) for each in range(count))
    demands = tuple(
        Demand(
            f"session {each}", each, NOW, NOW + timedelta(hours=each + 1), 5000.1, 6000.0, 1200.0, IntentSource.DRIVER
        )
        for each in range(count)
    )
    return SiteSnapshot(SiteSpec("north", "Asia/Tokyo", 9000.0, 0.0, 0.0), evses, demands)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_plans_size_is_cars_times_slots_up_to_the_horizon():
    assert cell_count(park(1), NOW) == 5
    assert cell_count(park(3), NOW) == 3 * 13
    assert cell_count(SiteSnapshot(park(0).site, (), ()), NOW) == 0
    assert cell_count(park(100), NOW) == 100 * (36 * 4 + 1)


async def test_the_process_makes_the_same_plan_bit_by_bit_again_after_it_was_killed_and_ends_with_its_owner():
    expected = await in_thread(park(), NOW)
    with capture_logs() as logs:
        async with planning_process(1) as planner:
            assert await planner(park(), NOW) == expected
            os.kill(logs[0]["pid"], 9)
            await asyncio.sleep(0.2)
            assert await planner(park(), NOW) == expected
    assert [each["event"] for each in logs] == ["planning_process_started"] * 2
    assert not any(is_alive(each["pid"]) for each in logs)


async def test_a_small_plan_starts_no_process_and_one_near_the_size_starts_it_ahead():
    with capture_logs() as logs:
        planner = PlanningProcess(39 * 2 + 1, HANGING, timeout_s=30.0)
        await planner(park(), NOW)
        assert logs == []
        ahead = PlanningProcess(39 * 2, HANGING, timeout_s=30.0)
        await ahead(park(), NOW)
        assert [each["event"] for each in logs] == ["planning_process_started"]
        await ahead.end(at_once=True)


@pytest.mark.parametrize("command", [DYING, HANGING, BABBLING, ("/nowhere/python",)])
async def test_a_process_that_dies_hangs_or_babbles_costs_a_log_line_and_a_thread_plans(command):
    planner = PlanningProcess(1, command, timeout_s=0.5)
    with capture_logs() as logs:
        assert await planner(park(), NOW) == await in_thread(park(), NOW)
    assert [each["event"] for each in logs if each["log_level"] == "warning"] == ["planning_process_failed"]
    for started in [each for each in logs if each["event"] == "planning_process_started"]:
        assert not is_alive(started["pid"])


async def test_who_is_cancelled_while_it_waits_takes_the_process_along():
    planner = PlanningProcess(1, HANGING, timeout_s=30.0)
    with capture_logs() as logs:
        waiting = asyncio.create_task(planner(park(), NOW))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert not is_alive(logs[0]["pid"])


async def test_the_child_answers_until_its_input_ends():
    sink = io.BytesIO()
    text = question(snapshot_json(park()), NOW)
    answers(io.BytesIO(text + text), sink)
    told = sink.getvalue()
    length = int.from_bytes(told[:LENGTH_BYTES], "big")
    assert len(told) == 2 * (LENGTH_BYTES + length)
    assert read_plan_json(told[LENGTH_BYTES : LENGTH_BYTES + length]) == await in_thread(park(), NOW)
    assert CHILD[-1] == "app.runtime.planning_child"
