"""Every row knocks with a station of its own that is provisioned with a key (security profile 1)."""

import asyncio
import contextlib

import pytest
from cases import Closed, House, masked
from charger import TIMEOUT_S, basic
from handshake_table import KNOCKS, Dropped, Http, Welcome, opening, own
from rows import KEY
from sqlalchemy import select
from websockets.frames import Opcode

from app.store.station import StrangerRow

pytestmark = [pytest.mark.database, pytest.mark.asyncio(loop_scope="module")]

CLOSE = 0x88
NO_DIALECT = "no_common_subprotocol"


class Visitor:
    """A TCP connection to the port; everything that it reads is bounded in time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, port: int):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def head(self) -> str:
        """The answer's head; empty where the connection ends without one."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                return (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except (asyncio.IncompleteReadError, ConnectionResetError) as ended:
                return getattr(ended, "partial", b"").decode("latin-1")

    async def frame(self) -> tuple[int, bytes]:
        """The first byte and the data of the next frame."""
        async with asyncio.timeout(TIMEOUT_S):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await self.reader.readexactly(2), "big")
            return first, await self.reader.readexactly(length)

    async def is_answered(self) -> None:
        """A heartbeat is answered, whatever else the central says before."""
        self.writer.write(masked(Opcode.TEXT, b'[2,"beat","Heartbeat",{}]'))
        while b'[3,"beat",{"currentTime"' not in (await self.frame())[1]:
            pass


@pytest.mark.parametrize("knock", KNOCKS, ids=lambda knock: knock.title)
async def test_a_hostile_handshake_gets_its_answer(house: House, neighbours, knock):
    station_id = await house.new_station(knock.version)
    async with Visitor.at(house.port) as visitor:
        visitor.writer.write(knock.request(station_id))
        head = await visitor.head()
        match knock.answer:
            case Http(status, _):
                assert head.split(" ")[1] == str(status), head
                assert ("\r\nWWW-Authenticate: Basic " in head) == (status == 401)
                assert "Server:" not in head
            case Welcome():
                assert head.startswith("HTTP/1.1 101 "), head
                await visitor.is_answered()
            case Closed(code):
                assert head.startswith("HTTP/1.1 101 "), head
                assert "Sec-WebSocket-Protocol" not in head
                first, data = await visitor.frame()
                assert (first, int.from_bytes(data[:2], "big")) == (CLOSE, code)
            case Dropped():
                assert head == ""
    await house.found(
        station_id, NO_DIALECT if isinstance(knock.answer, Closed) else getattr(knock.answer, "finding", "")
    )
    assert await house.reasons(station_id) == []
    neighbours.unharmed()


async def test_strangers_are_listed_as_they_spell_themselves_and_never_with_control_characters(house: House):
    async with house.transactions() as tx:
        found = set(await tx.session.scalars(select(StrangerRow.identity)))
    assert {"nobody", "x'; DROP TABLE station; --", "__proto__", "..", "passwd"} <= found
    assert all(identity.isprintable() for identity in found)


async def test_who_guesses_keys_is_told_to_wait_and_the_real_station_gets_in(house: House, neighbours):
    station_id = await house.new_station("1.6")
    statuses = []
    for guess in range(6):
        async with Visitor.at(house.port) as visitor:
            visitor.writer.write(opening("1.6", f"/ocpp/{station_id}", own(station_id, b"guess %d" % guess)))
            statuses.append((await visitor.head()).split(" ")[1])
    assert statuses == ["401"] * 3 + ["429"] * 3
    async with Visitor.at(house.port) as visitor:
        visitor.writer.write(opening("1.6", f"/ocpp/{station_id}", f"Authorization: {basic(station_id, KEY)}"))
        assert (await visitor.head()).startswith("HTTP/1.1 101 ")
        await visitor.is_answered()
    neighbours.unharmed()


async def test_a_hundred_half_open_handshakes_keep_nobody_out(house: House, neighbours):
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            visitor = await stack.enter_async_context(Visitor.at(house.port))
            visitor.writer.write(b"GET /ocpp/x HTTP/1.1\r\nX: ")
        station_id = await house.new_station("2.0.1")
        welcome = await stack.enter_async_context(Visitor.at(house.port))
        welcome.writer.write(opening("2.0.1", f"/ocpp/{station_id}", own(station_id)))
        assert (await welcome.head()).startswith("HTTP/1.1 101 ")
        await welcome.is_answered()
    neighbours.unharmed()


async def test_the_neighbours_of_hostile_handshakes_notice_nothing(neighbours):
    await neighbours.settle()
