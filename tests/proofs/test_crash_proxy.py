import asyncio
from itertools import islice

import pytest

from proofs.crash.faults import Fault, Kind, faults
from proofs.crash.proxy import FaultProxy

STATIONS = ("A", "B", "C")


@pytest.fixture
async def echo():
    """A controller that sends back what it gets, and counts its connections."""
    met = []

    async def talk(reader, writer):
        met.append(writer)
        try:
            while chunk := await reader.read(1000):
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with FaultProxy(STATIONS, server.sockets[0].getsockname()[1], seed=1) as proxy:
        proxy.met = met
        yield proxy
    server.close()
    for writer in met:
        writer.transport.abort()
    await asyncio.sleep(0)


async def knock(proxy, station):
    return await asyncio.open_connection("127.0.0.1", proxy.ways[station].port)


async def said_back(reader, writer, text):
    writer.write(text)
    async with asyncio.timeout(60):
        return await reader.readexactly(len(text))


@pytest.mark.parametrize("kind", [None, Kind.DRIP, Kind.STALL])
async def test_bytes_arrive_unchanged_and_in_order_whatever_the_weather(echo, kind):
    reader, writer = await knock(echo, "A")
    text = bytes(range(256)) * 2
    if kind is not None:
        echo.apply(Fault(kind, 0.0, 0.5, ("A",)))
    assert await said_back(reader, writer, text) == text
    writer.close()


async def test_a_cut_ends_the_connections_of_that_station_only(echo):
    cut, other = await knock(echo, "A"), await knock(echo, "B")
    assert await said_back(*cut, b"x") == b"x"
    assert await said_back(*other, b"x") == b"x"
    echo.apply(Fault(Kind.CUT, 0.0, 0.0, ("A",)))
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await said_back(*cut, b"y")
    assert await said_back(*other, b"y") == b"y"
    for _, writer in (cut, other):
        writer.close()


async def test_half_open_means_that_the_controller_is_not_told(echo):
    reader, writer = await knock(echo, "A")
    assert await said_back(reader, writer, b"x") == b"x"
    echo.apply(Fault(Kind.HALF_OPEN, 0.0, 0.0, ("A",)))
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await said_back(reader, writer, b"y")
    await asyncio.sleep(0.3)
    assert not echo.met[0].transport.is_closing()
    writer.close()


async def test_who_is_refused_or_partitioned_off_cannot_connect(echo):
    echo.apply(Fault(Kind.PARTITION, 0.0, 60.0, ("A", "B")))
    reader, writer = await knock(echo, "B")
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await said_back(reader, writer, b"x")
    assert echo.refused_count == 1
    reader, writer = await knock(echo, "C")
    assert await said_back(reader, writer, b"x") == b"x"
    writer.close()


def test_a_seed_decides_the_faults_and_every_kind_comes():
    groups = [("A", "B"), ("C",)]
    first = list(islice(faults(STATIONS, groups, 7), 400))
    assert first == list(islice(faults(STATIONS, groups, 7), 400))
    assert first != list(islice(faults(STATIONS, groups, 8), 400))
    assert {fault.kind for fault in first} == set(Kind)
    assert all(set(fault.stations) <= set(STATIONS) for fault in first)
