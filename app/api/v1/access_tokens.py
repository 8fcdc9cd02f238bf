"""Access tokens of the API."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from app.api.deps import Asked, Operator, Transaction
from app.api.models import In, Instant, Out, PageOut, Text
from app.api.problems import documented
from app.domain.identity import Role
from app.operations import access

router = APIRouter(prefix="/v1/access-tokens", tags=["access tokens"])


class AccessTokenIn(In):
    """A new bearer token; `driver_id` for, and only for, the role driver. Absent `expires_at`: until revoked."""

    role: Role
    name: Text
    driver_id: UUID | None = None
    expires_at: Instant | None = None


class IssuedOut(Out):
    """A new bearer token; `token` is shown this once."""

    token_id: UUID
    token: str
    role: Role
    name: str
    driver_id: UUID | None
    expires_at: datetime | None


class AccessTokenOut(Out):
    """A bearer token, without its secret."""

    token_id: UUID
    role: Role
    name: str
    driver_id: UUID | None
    created_at: datetime
    expires_at: datetime | None


@router.post(
    "", status_code=201, responses=documented(), operation_id="issue_access_token", summary="Issue an access token"
)
async def issue_access_token(tx: Transaction, _: Operator, body: AccessTokenIn) -> IssuedOut:
    """Issue a bearer token; the secret is shown this once."""
    secret, token_id = await access.issue(tx, body.role, body.name, body.driver_id, body.expires_at)
    return IssuedOut(
        token_id=token_id,
        token=secret,
        role=body.role,
        name=body.name,
        driver_id=body.driver_id,
        expires_at=body.expires_at,
    )


@router.get("", responses=documented(), operation_id="list_access_tokens", summary="List access tokens")
async def list_access_tokens(tx: Transaction, _: Operator, asked: Asked) -> PageOut[AccessTokenOut]:
    """List access tokens, oldest first, without their secrets."""
    return PageOut[AccessTokenOut].model_validate(await access.tokens(tx, asked))


@router.delete(
    "/{token_id}",
    status_code=204,
    responses=documented("not_found"),
    operation_id="revoke_access_token",
    summary="Revoke an access token",
)
async def revoke_access_token(tx: Transaction, _: Operator, token_id: UUID) -> None:
    """Revoke an access token at once."""
    await access.revoke(tx, token_id)
