"""Asks a forecast service: one GET with a deadline and a bounded answer. What goes wrong is said without secrets."""

import asyncio
from typing import Any

import httpx
import orjson

from app.domain.errors import Invalid
from app.sources.feeds import Ask

DEADLINE_S = 20.0
MOST_BYTES_COUNT = 2_000_000
OK_STATUS = 200


def client() -> httpx.AsyncClient:
    """Return a client for feeds: no redirects (a key must not travel), every wait bounded."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(10.0), follow_redirects=False, limits=httpx.Limits(max_connections=4)
    )


async def fetch(web: httpx.AsyncClient, ask: Ask) -> Any:
    """Return the answer's JSON; raises Invalid with what went wrong, which never names the URL or a header."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            body = await _body(web, ask)
    except TimeoutError:
        raise Invalid(f"did not answer within {DEADLINE_S:g} s") from None
    except httpx.HTTPError as broken:
        raise Invalid(f"cannot be reached ({type(broken).__name__})") from None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("did not answer with JSON") from None


async def _body(web: httpx.AsyncClient, ask: Ask) -> bytes:
    body = bytearray()
    async with web.stream("GET", ask.url, params=dict(ask.query), headers=dict(ask.headers)) as answer:
        if answer.status_code != OK_STATUS:
            raise Invalid(f"answered with status {answer.status_code}")
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > MOST_BYTES_COUNT:
                raise Invalid(f"answered with more than {MOST_BYTES_COUNT} bytes")
    return bytes(body)
