"""The API on a real database: an application around the router, and callers of every role."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.api import build_router, install_problems
from app.api.deps import ApiContext
from app.domain.identity import Role
from app.operations import access, admission, drivers
from app.operations.transaction import Transactions

SITE = {"site_id": "north", "name": "North car park", "zone": "Asia/Tokyo", "limit_kw": 60.0}


@dataclass
class Caller:
    """Somebody with a token; `ok` also checks the status."""

    client: httpx.AsyncClient
    driver_id: UUID | None = None

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return await self.client.request(method, path, json=body, **more)

    async def ok(self, method: str, path: str, body: Any = None, status: int | None = None, **more: Any) -> Any:
        answer = await self.send(method, path, body, **more)
        assert answer.is_success, answer.text
        assert status is None or answer.status_code == status
        return answer.json() if answer.content else None


@dataclass
class Desk:
    """Makes callers."""

    app: FastAPI
    transactions: Transactions
    clients: list[httpx.AsyncClient]

    def caller(self, secret: str | None, driver_id: UUID | None = None) -> Caller:
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)
        self.clients.append(client)
        return Caller(client, driver_id)

    async def with_role(self, role: Role, name: str = "somebody") -> Caller:
        async with self.transactions() as tx:
            driver_id = (await drivers.create(tx, name)).driver_id if role is Role.DRIVER else None
            secret, _ = await access.issue(tx, role, name, driver_id)
        return self.caller(secret, driver_id)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What was logged."""
    with capture_logs() as logs:
        yield logs


@pytest.fixture
def problems() -> list[str]:
    """What readiness reports."""
    return []


@pytest.fixture
def context(transactions, bus, clock, problems) -> ApiContext:
    return ApiContext(transactions, bus, clock, lambda: list(problems), command_timeout_s=10)


@pytest.fixture(scope="session")
def assembled() -> FastAPI:
    """The application; building its routes takes longer than most tests."""
    app = FastAPI(title="Sunslot", openapi_url=None, docs_url=None, redoc_url=None)
    install_problems(app)
    app.include_router(build_router())
    return app


@pytest.fixture
def app(assembled, context) -> FastAPI:
    assembled.state.api = context
    return assembled


@pytest.fixture
async def desk(app, transactions) -> AsyncIterator[Desk]:
    desk = Desk(app, transactions, [])
    yield desk
    for client in desk.clients:
        await client.aclose()


@pytest.fixture
async def operator(desk) -> Caller:
    return await desk.with_role(Role.OPERATOR)


@pytest.fixture
async def driver(desk) -> Caller:
    return await desk.with_role(Role.DRIVER, "Aiko")


@pytest.fixture
async def site(operator) -> dict[str, Any]:
    """A site with two stations: `one` (EVSEs 1 and 2, 30 A) and `two` (EVSE 1, 16 A three-phase)."""
    site = await operator.ok("POST", "/v1/sites", SITE, 201)
    two_evses = [{"max_current_a": 30.0}, {"max_current_a": 30.0}]
    for station_id, evses in (("one", two_evses), ("two", [{"max_current_a": 16.0, "phase_count": 3}])):
        body = {"station_id": station_id, "site_id": "north", "security_profile": 1, "evses": evses}
        await operator.ok("POST", "/v1/stations", body, 201)
    return site


@pytest.fixture
async def connected(site, transactions) -> dict[str, Any]:
    """The site while both of its stations have a socket."""
    async with transactions() as tx:
        for station_id in ("one", "two"):
            await admission.move(tx, [admission.Arrival(station_id, "ocpp1.6", f"socket of {station_id}")])
    return site
