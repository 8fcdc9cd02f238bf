import asyncio

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException

from app.api import install_problems
from app.api.body_limit import LARGEST_BODY_BYTES, BodyLimit
from app.api.problems import STATUSES, TITLES, field_of
from app.domain.errors import BookingRefused, DatabaseUnavailable, Invalid, NotFound, SunslotError, Unauthenticated


def every_subclass(of: type) -> list[type]:
    return [found for each in of.__subclasses__() for found in (each, *every_subclass(each))]


def test_every_domain_error_has_a_code_of_its_own_a_status_and_a_title():
    errors = [SunslotError, *every_subclass(SunslotError)]
    codes = [error.code for error in errors]
    assert len(set(codes)) == len(codes) > 10
    assert set(STATUSES) == set(TITLES) == set(codes)
    assert all(400 <= status < 600 for status in STATUSES.values())


@pytest.mark.parametrize(
    ("loc", "field"),
    [
        (("body",), "body"),
        (("body", 12), "body"),
        (("body", "energy_kwh"), "energy_kwh"),
        (("body", "evses", 0, "phase_count"), "evses[0].phase_count"),
        (("body", "pv_kw", 3), "pv_kw[3]"),
        (("body", "feeders", "two words", "[key]"), "feeders.two words"),
        (("query", "from"), "from"),
        (("header", "idempotency-key"), "idempotency-key"),
    ],
)
def test_fields_are_named_as_their_sender_wrote_them(loc, field):
    assert field_of(loc) == field


FAILURES = {
    "not_found": NotFound("there is no such thing"),
    "invalid": Invalid("must be round", field="shape"),
    "unauthenticated": Unauthenticated("a bearer token is needed"),
    "database_unavailable": DatabaseUnavailable("the database cannot be reached"),
    "booking_refused": BookingRefused("taken", alternatives=("other",)),
    "internal": RuntimeError("the secret is swordfish"),
}


@pytest.fixture
async def client():
    router = APIRouter()

    @router.get("/fails/{how}")
    async def fails(how: str) -> None:
        raise FAILURES[how]

    @router.post("/takes")
    async def takes(body: dict[str, int]) -> dict[str, int]:
        return body

    app = FastAPI(openapi_url=None)
    install_problems(app)
    app.include_router(router)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def problem_of(answer: httpx.Response) -> dict:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:sunslot:problem:{body['code']}"
    assert body["title"]
    return body


async def test_a_domain_error_becomes_its_problem(client):
    answer = await client.get("/fails/not_found")
    body = await problem_of(answer)
    assert (answer.status_code, body["code"], body["detail"]) == (404, "not_found", "there is no such thing")
    assert "errors" not in body


async def test_a_domain_error_names_its_field_and_reason(client):
    body = await problem_of(await client.get("/fails/invalid"))
    assert body["status"] == 422
    assert body["detail"] == "shape: must be round"
    assert body["errors"] == [{"field": "shape", "reason": "must be round"}]


async def test_missing_credentials_say_how_to_authenticate(client):
    answer = await client.get("/fails/unauthenticated")
    assert (await problem_of(answer))["status"] == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_unreachable_database_says_when_to_come_back(client):
    answer = await client.get("/fails/database_unavailable")
    assert (await problem_of(answer))["status"] == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_a_refused_booking_carries_its_alternatives(client):
    body = await problem_of(await client.get("/fails/booking_refused"))
    assert (body["status"], body["alternatives"]) == (409, ["other"])


async def test_an_unexpected_error_tells_nothing_of_our_inside(client, logs):
    answer = await client.get("/fails/internal")
    assert (await problem_of(answer))["status"] == 500
    assert "swordfish" not in answer.text
    assert "RuntimeError" not in answer.text
    assert [(entry["event"], entry["path"]) for entry in logs] == [("request_failed", "/fails/internal")]
    assert logs[0]["exc_info"] is FAILURES["internal"]


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/nothing", 404, "there is nothing at this path"),
        ("PUT", "/takes", 405, "PUT is not possible here"),
    ],
)
async def test_the_routers_own_errors_are_problems(client, method, path, status, detail):
    body = await problem_of(await client.request(method, path))
    assert (body["status"], body["detail"]) == (status, detail)


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b'{"a": 1', 422, "body: is not valid JSON"),
        (b"", 422, "body: is needed"),
        (b'{"a": "one"}', 422, "a: Input should be a valid integer, unable to parse string as an integer"),
        (b"[" * 100_000, 400, "There was an error parsing the body"),
        (b'{"a": 1}' + b" " * LARGEST_BODY_BYTES, 413, "the body is larger than 256 KiB"),
        (b'{"a": 1}' + b" " * (LARGEST_BODY_BYTES - 8), 200, None),
    ],
    ids=["broken", "none", "wrong type", "absurdly deep", "too large", "just not too large"],
)
async def test_bodies_that_cannot_be_read_are_problems(client, content, status, detail):
    answer = await client.post("/takes", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status
    if detail is not None:
        assert (await problem_of(answer))["detail"] == detail


async def test_a_body_that_grows_too_large_on_the_way_is_cut_off(client):
    sent_bytes = 0

    async def chunks():
        nonlocal sent_bytes
        for _ in range(10_000):
            sent_bytes += 10_000
            yield b" " * 10_000

    answer = await client.post("/takes", content=chunks(), headers={"content-type": "application/json"})
    assert (await problem_of(answer))["status"] == 413
    assert sent_bytes >= LARGEST_BODY_BYTES


async def test_a_body_that_never_ends_is_given_up_and_a_silent_caller_behind_it_is_not():
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive():
        return messages.pop(0) if messages else await asyncio.get_running_loop().create_future()

    async def read_twice(scope, receive, send):
        await receive()
        await receive()

    with pytest.raises(HTTPException) as given_up:
        await BodyLimit(read_twice, timeout_s=0.05)({"type": "http", "headers": []}, receive, None)
    assert given_up.value.status_code == 408

    messages += [{"type": "http.request", "body": b"{}", "more_body": False}]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await BodyLimit(read_twice, timeout_s=0.05)({"type": "http", "headers": []}, receive, None)
