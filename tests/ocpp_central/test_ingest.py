"""How fast and how much one station may send: it is read later, not refused, and its neighbours notice nothing."""

import asyncio
import contextlib
from datetime import timedelta

import pytest
from charger import TIMEOUT_S, plugged
from rows import CARD, MORNING
from sqlalchemy import func, select
from websockets.exceptions import ConnectionClosed

from app.bus.subjects import station_command
from app.domain.commands import Accepted, Reboot
from app.ocpp_central.rate import RateBound
from app.runtime.clock import WallClock
from app.store.session import SessionRow

V16, V201 = "ocpp1.6", "ocpp2.0.1"


def start_tx(number):
    return {
        "connectorId": 1,
        "idTag": CARD,
        "meterStart": number,
        "timestamp": (MORNING - timedelta(hours=number)).isoformat(),
    }


@pytest.mark.database
@pytest.mark.ocpp("1.6", "StartTransaction")
async def test_a_replay_that_does_not_wait_for_answers_is_answered_whole_in_its_order(start, park, transactions):
    async with start(max_queue_count=4) as central, plugged(central.port, "cp16", V16) as charger:
        for number in range(200):
            await charger.send([2, f"m{number}", "StartTransaction", start_tx(number)])
        answers = [await charger.frame() for _ in range(200)]
        assert [(frame[0], frame[1]) for frame in answers] == [(3, f"m{number}") for number in range(200)]
        assert central.counts["too_many_calls_at_once"] > 0
    async with transactions() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(SessionRow)) == 200


@pytest.mark.database
async def test_an_answer_overtakes_the_calls_that_wait(start, park, transactions, bus):
    async with start(max_queue_count=8) as central, plugged(central.port, "cp16", V16) as charger:
        await charger.heard("ChangeConfiguration", 2)
        await charger.call("Heartbeat", {})
        async with transactions() as tx:  # keeps the station's rows, so that its calls wait
            await tx.session.execute(select(SessionRow))
            await _lock(tx)
            for number in range(5):
                await charger.send([2, f"m{number}", "Heartbeat", {}])
            assert await bus.ask(station_command("cp16"), Reboot(), 5) == Accepted()
            assert charger.frames.empty()
        assert [(await charger.frame())[1] for _ in range(5)] == [f"m{number}" for number in range(5)]


async def _lock(tx):
    from app.store.station import lock_evses

    await lock_evses(tx.session, "cp16")


@pytest.mark.database
async def test_a_flooding_station_is_slowed_down_and_its_neighbour_is_not(start, park, transactions):
    transactions.clock = WallClock()
    bounds = {"message_rate_per_s": 10.0, "message_burst_count": 20}
    async with (
        start(**bounds) as central,
        plugged(central.port, "cp16", V16) as flooder,
        plugged(central.port, "cp201", V201) as neighbour,
    ):
        await flooder.heard("ChangeConfiguration", 2)
        flood = asyncio.create_task(_flood(flooder))
        for _ in range(10):
            assert "currentTime" in await neighbour.call("Heartbeat", {})
        assert central.counts["slowed_down"] > 0
        assert flooder.frames.qsize() < 200
        assert flooder.socket.close_code is None
        flood.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flood
        flooder.socket.transport.abort()


async def _flood(charger):
    with contextlib.suppress(ConnectionClosed):
        for number in range(100_000):
            await charger.send([2, f"f{number}", "Heartbeat", {}])


@pytest.mark.database
async def test_a_station_that_keeps_flooding_is_closed_with_1008(start, park, transactions):
    transactions.clock = WallClock()
    bounds = {"message_rate_per_s": 50.0, "message_burst_count": 5, "flood_patience_s": 0.3}
    async with start(**bounds) as central, plugged(central.port, "cp16", V16) as charger:
        flood = asyncio.create_task(_flood(charger))
        assert await charger.closed() == (1008, "too many messages for too long")
        await flood


@pytest.mark.database
async def test_a_station_that_is_read_late_is_not_taken_for_dead(start, park, transactions):
    """Its pong is behind its own messages."""
    transactions.clock = WallClock()
    bounds = {"message_rate_per_s": 20.0, "message_burst_count": 5, "ping_interval_s": 0.2, "ping_timeout_s": 0.2}
    async with start(**bounds) as central, plugged(central.port, "cp16", V16) as charger:
        for number in range(40):
            await charger.send([2, f"m{number}", "Heartbeat", {}])
        for number in range(40):
            assert (await charger.frame())[:2] == [3, f"m{number}"]


@pytest.mark.database
async def test_a_station_that_answers_no_ping_and_sends_nothing_is_let_go(start, park):
    async with start(ping_interval_s=0.1, ping_timeout_s=0.2) as central, plugged(central.port, "cp16", V16) as charger:
        charger.socket.transport.pause_reading()
        async with asyncio.timeout(TIMEOUT_S):
            while central._sessions:  # noqa: ASYNC110 - the end of a session is told to nobody
                await asyncio.sleep(0.02)
        charger.socket.transport.resume_reading()
        assert (await charger.closed())[0] == 1011


def test_a_bucket_lets_a_burst_pass_and_then_the_rate():
    bound = RateBound(10.0, 3, 60.0)
    assert [bound.pause_s(0.0, MORNING) for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.2])
    assert bound.pause_s(10.0, MORNING + timedelta(seconds=10)) == 0
    assert not bound.is_flooding(1000.0)


def test_a_bucket_fills_by_business_time_where_that_is_faster():
    bound = RateBound(1.0, 10, 60.0)
    for minute in range(50):
        assert bound.pause_s(0.001 * minute, MORNING + timedelta(minutes=minute)) == 0


def test_flooding_is_an_empty_bucket_without_a_break():
    bound = RateBound(1.0, 1, 60.0)
    for second in range(100):
        bound.pause_s(second / 2, MORNING + timedelta(seconds=second / 2))
    assert not bound.is_flooding(60.0)
    assert bound.is_flooding(62.0)
    bound.pause_s(500.0, MORNING + timedelta(seconds=500))
    assert not bound.is_flooding(500.0)
