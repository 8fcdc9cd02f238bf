"""Sequences that need two connections, calls of ours, or a good deal of rudeness; one test each, both versions."""

import asyncio
import json

import pytest
from cases import V16, V201, House, at, masked
from charger import TIMEOUT_S, plugged
from spellings import boot, event, start, status
from websockets.frames import Opcode

from app.bus.subjects import station_command
from app.domain.commands import Accepted, Reboot
from app.domain.errors import StationFault, StationOffline

pytestmark = [pytest.mark.database, pytest.mark.asyncio(loop_scope="module")]

ABNORMAL = 1006
BOTH = pytest.mark.parametrize("version", [V16, V201])


def at_table(house: House, version: str, station_id: str, **options):
    return plugged(house.port, station_id, f"ocpp{version}", **options)


async def reboot(house: House, station_id: str):
    """Command the station as soon as it is served."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                return await house.bus.ask(station_command(station_id), Reboot(), 5)
            except StationOffline:
                await asyncio.sleep(0.02)


@BOTH
async def test_a_half_open_connection_is_taken_over_and_its_late_frames_do_nothing(house, neighbours, version):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as old:
        await old.call("Heartbeat", {})
        async with at_table(house, version, station_id) as new:
            await new.call("Heartbeat", {})
            assert (await old.closed())[1] == "replaced by a newer connection"
            assert "currentTime" in await new.call("Heartbeat", {})
    neighbours.unharmed()


@BOTH
async def test_twenty_reconnects_without_a_boot_and_without_goodbyes_end_served(house, neighbours, version):
    station_id = await house.new_station(version)
    for _ in range(20):
        async with at_table(house, version, station_id) as charger:
            charger.socket.transport.abort()
    async with at_table(house, version, station_id) as charger:
        assert "currentTime" in await charger.call("Heartbeat", {})
        assert await reboot(house, station_id) == Accepted()
    neighbours.unharmed()


@BOTH
async def test_half_a_frame_and_then_silence_does_not_keep_the_station_from_coming_back(house, neighbours, version):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as stuck:
        stuck.socket.transport.write(masked(Opcode.TEXT, b'[2,"a","Heartbeat",{}]')[:9])
        async with at_table(house, version, station_id) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})
    neighbours.unharmed()


@BOTH
async def test_three_statuses_within_a_millisecond_are_answered_in_order(house, neighbours, version):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as charger:
        texts = []
        for number in range(3):
            ask = status(version, **{"connectorId" if version == V16 else "evseId": number % 2 + 1})
            texts.append(json.dumps([2, f"s{number}", ask.action, ask.payload]))
        charger.socket.transport.write(b"".join(masked(Opcode.TEXT, text.encode()) for text in texts))
        assert [(await charger.frame())[:2] for _ in texts] == [[3, "s0"], [3, "s1"], [3, "s2"]]
    neighbours.unharmed()


@BOTH
async def test_a_flood_of_calls_is_answered_one_after_the_other(house, neighbours, version):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as charger:
        charger.socket.transport.write(
            b"".join(masked(Opcode.TEXT, b'[2,"f%d","Heartbeat",{}]' % number) for number in range(300))
        )
        for number in range(300):
            assert (await charger.frame())[:2] == [3, f"f{number}"]
    neighbours.unharmed()


@BOTH
async def test_calls_that_were_sent_without_waiting_for_answers_are_recorded_and_answered_in_order(
    house, neighbours, version
):
    station_id = await house.new_station(version)
    begin = start() if version == V16 else event("Started", 0)
    asks = [boot(version), status(version), begin, status(version)]
    async with at_table(house, version, station_id) as charger:
        for number, ask in enumerate(asks):
            await charger.send([2, f"p{number}", ask.action, ask.payload])
        answers = [await charger.frame() for _ in asks]
    assert [answer[:2] for answer in answers] == [[3, f"p{number}"] for number in range(4)]
    assert len(await house.sessions(station_id)) == 1
    neighbours.unharmed()


@BOTH
async def test_a_session_goes_on_over_a_reconnect_that_says_nothing_about_it(house, neighbours, version):
    station_id = await house.new_station(version)
    if version == V16:
        async with at_table(house, version, station_id) as charger:
            number = (await charger.call("StartTransaction", start().payload))["transactionId"]
        stop = {"transactionId": number, "meterStop": 1300, "timestamp": at(minutes=1)}
        async with at_table(house, version, station_id) as charger:
            assert await charger.call("StopTransaction", stop) == {}
    else:
        async with at_table(house, version, station_id) as charger:
            await charger.call("TransactionEvent", event("Started", register_wh=1000).payload)
        ended = event("Ended", 1, register_wh=1300, timestamp=at(minutes=1))
        async with at_table(house, version, station_id) as charger:
            assert await charger.call("TransactionEvent", ended.payload) == {}
    (row,) = await house.sessions(station_id)
    assert (row.delivered_wh, row.ended_at is None) == (300, False)
    neighbours.unharmed()


@BOTH
async def test_a_station_that_never_answers_is_still_answered(house, neighbours, version):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as charger:
        charger.answers = dict.fromkeys(("ChangeConfiguration", "SetVariables", "Reset", "GetConfiguration"), None)
        for _ in range(5):
            assert "currentTime" in await charger.call("Heartbeat", {})
    neighbours.unharmed()


HOSTILE_ANSWERS = (
    '[3,"{id}",{}]',
    '[3,"{id}",[]]',
    '[3,"{id}",null]',
    '[3,"{id}",{"status":5}]',
    '[3,"{id}",{"status":{"status":"Accepted"}}]',
    '[3,"{id}"]',
    '[4,"{id}"]',
    '[4,"{id}","NotARealCode","x",{}]',
    '[4,"{id}",5,[],"x"]',
    '[4,"{id}","' + "C" * 9000 + '","' + "d" * 9000 + '",{}]',
)


@BOTH
@pytest.mark.parametrize("text", HOSTILE_ANSWERS, ids=range(len(HOSTILE_ANSWERS)))
async def test_a_hostile_answer_to_our_call_is_a_fault_of_the_station_and_the_next_call_works(
    house, neighbours, version, text
):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as charger:
        await charger.call("Heartbeat", {})
        charger.answers["Reset"] = None
        ask = asyncio.create_task(reboot(house, station_id))
        await charger.heard("Reset")
        await charger.send(text.replace("{id}", charger.unanswered[-1][0]))
        with pytest.raises(StationFault) as fault:
            await asyncio.wait_for(ask, TIMEOUT_S)
        assert len(str(fault.value)) < 600
        del charger.answers["Reset"]
        assert await reboot(house, station_id) == Accepted()
    neighbours.unharmed()


@BOTH
async def test_an_answer_with_anothers_id_or_said_twice_moves_nothing(house, neighbours, version):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as charger:
        await charger.call("Heartbeat", {})
        charger.answers["Reset"] = None
        ask = asyncio.create_task(reboot(house, station_id))
        await charger.heard("Reset")
        message_id = charger.unanswered[-1][0]
        await charger.send([3, message_id + "x", {"status": "Rejected"}])
        await charger.send([3, message_id, {"status": "Accepted"}])
        await charger.send([3, message_id, {"status": "Rejected"}])
        assert await asyncio.wait_for(ask, TIMEOUT_S) == Accepted()
        assert "currentTime" in await charger.call("Heartbeat", {})
    neighbours.unharmed()


@BOTH
async def test_a_station_that_calls_with_the_id_of_our_call_gets_its_own_answer(house, neighbours, version):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as charger:
        await charger.call("Heartbeat", {})
        charger.answers["Reset"] = None
        ask = asyncio.create_task(reboot(house, station_id))
        await charger.heard("Reset")
        message_id = charger.unanswered[-1][0]
        await charger.send([2, message_id, "Heartbeat", {}])
        assert (await charger.frame())[:2] == [3, message_id]
        await charger.send([3, message_id, {"status": "Accepted"}])
        assert await asyncio.wait_for(ask, TIMEOUT_S) == Accepted()
    neighbours.unharmed()


async def test_twenty_stations_that_connect_and_meter_at_once_are_all_served(house, neighbours):
    async def visit(version: str) -> None:
        station_id = await house.new_station(version)
        async with at_table(house, version, station_id) as charger:
            await charger.call("BootNotification", boot(version).payload)
            assert "currentTime" in await charger.call("Heartbeat", {})

    await asyncio.gather(*(visit(version) for version in (V16, V201) * 10))
    neighbours.unharmed()


@BOTH
async def test_a_flood_of_pings_is_hung_up_on(house, neighbours, version):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as charger:
        await charger.call("Heartbeat", {})
        charger.socket.transport.write(masked(Opcode.PING, b"p" * 125) * 2000)
        assert (await charger.closed())[0] == ABNORMAL
    async with at_table(house, version, station_id) as charger:
        assert "currentTime" in await charger.call("Heartbeat", {})
    neighbours.unharmed()


@BOTH
async def test_hundreds_of_pings_are_answered(house, neighbours, version):
    station_id = await house.new_station(version)
    async with at_table(house, version, station_id) as charger:
        for _ in range(400):
            await (await charger.socket.ping())
        assert "currentTime" in await charger.call("Heartbeat", {})
    neighbours.unharmed()


async def test_the_neighbours_of_rude_stations_notice_nothing(neighbours):
    await neighbours.settle()
