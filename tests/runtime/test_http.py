"""The HTTP edge's sockets: who asks for nothing holds no place."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest

from app.runtime.http import MOST_CONNECTIONS_COUNT, serve_http

TIMEOUT_S = 30


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


async def opened(stack: AsyncExitStack, port: int, text: bytes = b"") -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    writer.write(text)
    return reader


async def asked(port: int) -> str:
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        return (await client.get(f"http://127.0.0.1:{port}/")).text


async def test_hundreds_of_connections_that_ask_for_nothing_do_not_keep_a_caller_out():
    async with serve_http(answer, "127.0.0.1", 0) as port, AsyncExitStack() as stack:
        oldest = await opened(stack, port)
        for _ in range(MOST_CONNECTIONS_COUNT + 120):
            await opened(stack, port, b"GET / HT")
        assert await asked(port) == "here"
        assert await asyncio.wait_for(oldest.read(), TIMEOUT_S) == b""


@pytest.mark.parametrize("text", [b"", b"GET / HTTP/1.1\r\nHost", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nG"])
async def test_a_connection_that_never_finishes_asking_is_hung_up_on(text):
    async with serve_http(answer, "127.0.0.1", 0, head_timeout_s=0.2) as port, AsyncExitStack() as stack:
        reader = await opened(stack, port, text)
        await asyncio.wait_for(reader.read(), TIMEOUT_S)
        assert await asked(port) == "here"
