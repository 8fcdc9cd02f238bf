"""What is answered is stored: commits come before responses, and failing ones are told."""

import asyncio

import httpx
import pytest
from sqlalchemy import text

from app.api.deps import ApiContext
from app.domain.identity import Role
from app.operations import access, sites
from app.operations.transaction import Transactions
from app.store.base import create_engine

pytestmark = pytest.mark.database

SITE = {"site_id": "south", "name": "South", "zone": "Asia/Tokyo", "limit_kw": 50.0}


async def test_the_commit_comes_before_the_first_byte_of_the_response(app, transactions):
    async with transactions() as tx:
        secret, _ = await access.issue(tx, Role.OPERATOR, "operator")
    seen_at_start = []

    async def watched(scope, receive, send):
        async def watching_send(message):
            if message["type"] == "http.response.start":
                async with transactions() as tx:
                    seen_at_start.append(await sites.site_ids(tx))
            await send(message)

        await app(scope, receive, watching_send)

    transport = httpx.ASGITransport(watched)
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        answer = await client.post("/v1/sites", json=SITE)
    assert answer.status_code == 201
    assert seen_at_start == [["south"]]


REFUSES_TO_COMMIT = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no commit today'; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON site DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION refuse();
"""


async def test_a_failing_commit_is_never_answered_with_success(operator, transactions):
    async with transactions() as tx:
        for statement in REFUSES_TO_COMMIT.strip().split(";\n"):
            await tx.session.execute(text(statement.removesuffix(";")))
    answer = await operator.send("POST", "/v1/sites", SITE)
    assert answer.status_code == 500
    assert "no commit today" not in answer.text
    async with transactions() as tx:
        assert await sites.site_ids(tx) == []


async def test_a_refused_request_stores_nothing(operator, transactions):
    answer = await operator.send("POST", "/v1/sites", SITE | {"margin_kw": 50})
    assert answer.status_code == 422
    async with transactions() as tx:
        assert await sites.site_ids(tx) == []


@pytest.fixture
async def lost(assembled, unused_tcp_port, bus, clock):
    """A client of an API whose database is away."""
    engine = create_engine(f"postgresql://nobody@127.0.0.1:{unused_tcp_port}/none")
    assembled.state.api = ApiContext(Transactions(engine, bus, clock), bus, clock, list)
    transport, headers = httpx.ASGITransport(assembled), {"Authorization": "Bearer x"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client
    await engine.dispose()


async def test_without_a_database_every_answer_is_503_with_retry_after(lost):
    answer = await lost.get("/v1/sites")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"] == "5"


async def test_without_a_database_the_process_lives_and_is_not_ready(lost):
    assert (await lost.get("/health/live")).json() == {"status": "ok"}
    answer = await lost.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "failing", "problems": ["database: does not answer"]}


async def test_readiness_lists_what_fails_and_needs_no_token(desk, problems):
    nobody = desk.caller(None)
    assert (await nobody.send("GET", "/health/ready")).json() == {"status": "ok", "problems": []}
    problems.append("planning north: OSError")
    answer = await nobody.send("GET", "/health/ready")
    assert answer.status_code == 503
    assert answer.json()["problems"] == ["planning north: OSError"]


async def test_requests_at_once_each_have_their_own_transaction(operator):
    bodies = [SITE | {"site_id": f"s{number}"} for number in range(8)]
    answers = await asyncio.gather(*(operator.send("POST", "/v1/sites", body) for body in bodies))
    assert {answer.status_code for answer in answers} == {201}
    page = await operator.ok("GET", "/v1/sites?limit=5")
    rest = await operator.ok("GET", f"/v1/sites?cursor={page['next_cursor']}")
    assert [site["site_id"] for site in page["items"] + rest["items"]] == [f"s{number}" for number in range(8)]
    assert rest["next_cursor"] is None
