"""What every route may ask for: the context, one transaction per request, and the authenticated caller.

The transaction commits when the route's function has returned and *before* the response is sent (`scope="function"`;
FastAPI's default would commit after it), so that nothing is answered that is not stored.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.models import CursorQuery, LimitQuery
from app.bus import Bus
from app.domain.clock import Clock
from app.domain.errors import Forbidden, Unauthenticated
from app.domain.identity import Principal, Role
from app.domain.pages import PageAsked
from app.operations import access
from app.operations.security_profiles import PublicUrls
from app.operations.transaction import Transactions, Tx

MOST_STREAMS_COUNT = 32


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What the API works with, found at `request.app.state.api`.

    `readiness` returns the current problems. A command is given up after `command_timeout_s` (real time). With fewer
    plugged-in cars than `least_vehicle_count` a flexibility offer is suppressed; 1 publishes always. Streams take
    one of `streams` and end when `closing` is set. `ocpp_urls` is what stations are told when they are to reconnect.
    """

    transactions: Transactions
    bus: Bus
    clock: Clock
    readiness: Callable[[], Sequence[str]]
    command_timeout_s: float = 40.0
    least_vehicle_count: int = 1
    streams: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_STREAMS_COUNT))
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    ocpp_urls: PublicUrls = field(default_factory=PublicUrls)


async def api_context(request: Request) -> ApiContext:
    """Return the application's context."""
    context: ApiContext = request.app.state.api
    return context


Context = Annotated[ApiContext, Depends(api_context)]


async def transaction(context: Context) -> AsyncIterator[Tx]:
    """Yield the request's transaction; it commits before the response leaves, or rolls back on any error."""
    async with context.transactions() as tx:
        yield tx


Transaction = Annotated[Tx, Depends(transaction, scope="function")]

bearer = HTTPBearer(auto_error=False, description="an access token, as POST /v1/access-tokens gives it")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def _admit(tx: Tx, credentials: HTTPAuthorizationCredentials | None, roles: frozenset[Role]) -> Principal:
    if credentials is None:
        raise Unauthenticated("a bearer token is needed")
    principal = await access.authenticate(tx, credentials.credentials)
    if principal.role not in roles:
        raise Forbidden(f"the role {principal.role} may not do this")
    return principal


class Require:
    """A dependency that returns the caller if its role is one of `roles`; raises Unauthenticated, Forbidden."""

    def __init__(self, *roles: Role) -> None:
        self.roles = frozenset(roles)

    async def __call__(self, tx: Transaction, credentials: Credentials) -> Principal:
        """Return the caller."""
        return await _admit(tx, credentials, self.roles)


class RequireBriefly(Require):
    """As `Require`, in a transaction of its own: for routes that wait for a station and must not keep one open."""

    async def __call__(self, context: Context, credentials: Credentials) -> Principal:  # type: ignore[override]
        """Return the caller."""
        async with context.transactions() as tx:
            return await _admit(tx, credentials, self.roles)


async def page_asked(limit: LimitQuery = 100, cursor: CursorQuery = None) -> PageAsked:
    """Return which page of a list is asked for."""
    return PageAsked(limit, cursor)


Asked = Annotated[PageAsked, Depends(page_asked)]
Anybody = Annotated[Principal, Depends(Require(*Role))]
Operator = Annotated[Principal, Depends(Require(Role.OPERATOR))]
DriverOrOperator = Annotated[Principal, Depends(Require(Role.DRIVER, Role.OPERATOR))]
StationKeeper = Annotated[Principal, Depends(Require(Role.STATION_ADMIN, Role.OPERATOR))]
StationCommander = Annotated[Principal, Depends(RequireBriefly(Role.STATION_ADMIN, Role.OPERATOR))]
GridOrOperator = Annotated[Principal, Depends(Require(Role.GRID, Role.OPERATOR))]
