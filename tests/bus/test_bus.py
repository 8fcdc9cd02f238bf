import asyncio
from datetime import UTC, datetime

import pytest

from app.bus.local import LocalBus
from app.domain.errors import StationOffline, StationTimeout
from app.runtime.clock import WallClock


@pytest.fixture
def local():
    return LocalBus(WallClock())


async def test_a_ring_while_the_listener_works_is_remembered_once(local):
    with local.listen("a", "b") as bell:
        local.ring("a")
        local.ring("b")
        local.ring("nobody listens")
        assert await bell.next(datetime.now(UTC)) is True
        assert await bell.next(datetime.now(UTC)) is False


async def test_asking_nobody_raises_station_offline(local):
    with pytest.raises(StationOffline):
        await local.ask("station.x.command", "reset", timeout_s=1)


async def test_the_newest_server_answers_and_the_end_of_an_old_one_does_not_unregister_it(local):
    async def old(request: str) -> str:
        return f"old {request}"

    async def new(request: str) -> str:
        return f"new {request}"

    serving_old = local.serve("s", old)
    serving_old.__enter__()
    with local.serve("s", new):
        serving_old.__exit__(None, None, None)
        assert await local.ask("s", "ping", timeout_s=1) == "new ping"
    with pytest.raises(StationOffline):
        await local.ask("s", "ping", timeout_s=1)


async def test_a_late_answer_raises_station_timeout(local):
    async def slow(request: str) -> str:
        await asyncio.sleep(10)
        return request

    with local.serve("s", slow), pytest.raises(StationTimeout):
        await local.ask("s", "ping", timeout_s=0.02)
