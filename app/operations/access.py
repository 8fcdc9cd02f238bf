"""Who may call the API: bearer tokens of 256 random bits, of which only the SHA-256 is stored."""

import hashlib
import hmac
import secrets
from datetime import datetime
from uuid import UUID, uuid4

from app.domain.errors import Invalid, NotFound, Unauthenticated
from app.domain.identity import Principal, Role
from app.domain.pages import Page, PageAsked
from app.operations.transaction import Tx
from app.store import driver_queries
from app.store.driver import ApiTokenRow

SECRET_BYTE_COUNT = 32
LONGEST_SECRET = 200


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


async def authenticate(tx: Tx, bearer: str) -> Principal:
    """Return whom a bearer token stands for; raises Unauthenticated for an unknown, revoked or expired one."""
    digest = _digest(bearer)
    row = await driver_queries.access_token(tx.session, digest) if 0 < len(bearer) <= LONGEST_SECRET else None
    if row is None or not hmac.compare_digest(row.token_hash, digest):
        raise Unauthenticated("the bearer token is not valid")
    if row.expires_at is not None and row.expires_at <= tx.now:
        raise Unauthenticated("the bearer token has expired")
    return Principal(
        token_id=str(row.token_id),
        role=Role(row.role),
        name=row.name,
        driver_id=None if row.driver_id is None else str(row.driver_id),
    )


def owner_of(principal: Principal) -> UUID | None:
    """Return the driver whose things alone the caller may see; None: everybody's."""
    if principal.role is not Role.DRIVER:
        return None
    if principal.driver_id is None:
        raise Unauthenticated("the bearer token is not valid")
    return UUID(principal.driver_id)


async def issue(
    tx: Tx, role: Role, name: str, driver_id: UUID | None = None, expires_at: datetime | None = None
) -> tuple[str, UUID]:
    """Return a new bearer token, shown this once, and its id; raises Invalid where role and driver do not fit."""
    if role is Role.DRIVER and driver_id is None:
        raise Invalid("is needed for a driver's token", field="driver_id")
    if role is not Role.DRIVER and driver_id is not None:
        raise Invalid(f"is not for the role {role}", field="driver_id")
    if driver_id is not None and await driver_queries.driver(tx.session, driver_id) is None:
        raise Invalid("there is no such driver", field="driver_id")
    if expires_at is not None and expires_at <= tx.now:
        raise Invalid("lies in the past", field="expires_at")
    secret, token_id = secrets.token_urlsafe(SECRET_BYTE_COUNT), uuid4()
    row = ApiTokenRow(
        token_id=token_id,
        token_hash=_digest(secret),
        role=role.value,
        name=name,
        driver_id=driver_id,
        created_at=tx.now,
        expires_at=expires_at,
    )
    tx.session.add(row)
    await tx.session.flush()
    return secret, token_id


async def revoke(tx: Tx, token_id: UUID) -> None:
    """Make an access token worthless at once; raises NotFound."""
    if not await driver_queries.remove_access_token(tx.session, token_id):
        raise NotFound("there is no such access token")


async def tokens(tx: Tx, asked: PageAsked) -> Page[ApiTokenRow]:
    """Return the access tokens, oldest first."""
    return await driver_queries.access_tokens(tx.session, asked)


async def has_operator(tx: Tx) -> bool:
    """Return whether anybody could log in as an operator."""
    return await driver_queries.has_access_token(tx.session, Role.OPERATOR.value, tx.now)
