import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.bus.local import LocalBus
from app.runtime.clock import SteppedClock, WallClock

MORNING = datetime(2026, 4, 1, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def test_a_sleeper_wakes_when_the_clock_is_moved_to_its_time_and_not_before():
    clock = SteppedClock(MORNING)
    sleeper = asyncio.create_task(clock.sleep_until(MORNING + 5 * SECOND))
    await clock.quiet(1)
    clock.move_to(MORNING + 4 * SECOND)
    await clock.quiet(1)
    assert not sleeper.done()
    assert clock.next_wake_at() == MORNING + 5 * SECOND
    clock.move_to(MORNING + 5 * SECOND)
    await clock.quiet(1)
    assert sleeper.done()


async def test_the_clock_is_not_quiet_while_work_that_a_sleeper_started_is_in_flight():
    clock = SteppedClock(MORNING)
    gate = asyncio.Event()
    done = []

    async def loop() -> None:
        await clock.sleep_until(MORNING + SECOND)
        with clock.hold():
            await gate.wait()
            done.append(clock.now())

    task = asyncio.create_task(loop())
    await clock.quiet(1)
    clock.move_to(MORNING + SECOND)
    with pytest.raises(TimeoutError):
        await clock.quiet(0.05)
    gate.set()
    await clock.quiet(1)
    assert done == [MORNING + SECOND]
    await task


async def test_the_clock_refuses_to_run_backwards():
    clock = SteppedClock(MORNING)
    with pytest.raises(ValueError, match="backwards"):
        clock.move_to(MORNING - SECOND)


async def test_a_cancelled_sleeper_is_forgotten():
    clock = SteppedClock(MORNING)
    sleeper = asyncio.create_task(clock.sleep_until(MORNING + SECOND))
    await clock.quiet(1)
    sleeper.cancel()
    await asyncio.gather(sleeper, return_exceptions=True)
    assert clock.next_wake_at() is None


async def test_a_ring_holds_the_clock_until_the_listener_listens_again():
    clock = SteppedClock(MORNING)
    bus = LocalBus(clock)
    gate = asyncio.Event()
    rounds = []

    async def loop() -> None:
        with bus.listen("site.a.changed") as bell:
            while True:
                rounds.append(await bell.next(MORNING + 10 * SECOND))
                await gate.wait()

    task = asyncio.create_task(loop())
    await clock.quiet(1)
    bus.ring("site.a.changed")
    with pytest.raises(TimeoutError):
        await clock.quiet(0.05)
    gate.set()
    await clock.quiet(1)
    assert rounds == [True]
    clock.move_to(MORNING + 10 * SECOND)
    await asyncio.sleep(0.01)
    assert rounds[1] is False
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert clock.hold_count == 0


async def test_the_wall_clock_sleeps_until_a_time_of_day_and_never_holds():
    clock = WallClock()
    until_at = clock.now() + timedelta(milliseconds=20)
    with clock.hold():
        await clock.sleep_until(until_at)
    assert clock.now() >= until_at
