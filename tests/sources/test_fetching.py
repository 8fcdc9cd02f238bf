"""One GET: its JSON, or what went wrong without the URL's and headers' secrets."""

import httpx
import pytest

from app.domain.errors import Invalid
from app.sources.feeds import Ask
from app.sources.fetching import MOST_BYTES_COUNT, fetch

ASK = Ask("https://feed.test/s3cret/estimate", {"time": "utc"}, {"Authorization": "Bearer s3cret"})


async def asked(answer):
    def handle(request: httpx.Request) -> httpx.Response:
        assert (request.url.path, request.url.query) == ("/s3cret/estimate", b"time=utc")
        assert request.headers["Authorization"] == "Bearer s3cret"
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as web:
        return await fetch(web, ASK)


async def test_the_json_is_returned():
    assert await asked(httpx.Response(200, json={"a": [1]})) == {"a": [1]}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(429, text="slow down, s3cret"), "status 429"),
        (httpx.Response(302, headers={"Location": "https://elsewhere.test"}), "status 302"),
        (httpx.Response(200, text="<html>"), "did not answer with JSON"),
        (httpx.Response(200, content=b" " * (MOST_BYTES_COUNT + 1)), "more than"),
        (httpx.ConnectError("no route to s3cret"), "ConnectError"),
        (httpx.ReadTimeout("s3cret"), "ReadTimeout"),
    ],
)
async def test_what_goes_wrong_is_said_without_secrets(answer, said):
    with pytest.raises(Invalid, match=said) as caught:
        await asked(answer)
    assert "s3cret" not in caught.value.detail
