"""Idempotency keys: the same request again gets the same answer, and happens once."""

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from app.domain.errors import IdempotencyMismatch
from app.domain.identity import Principal
from app.operations.transaction import Tx
from app.store import driver_queries
from app.store.driver import IdempotencyRow

PENDING = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer that was given to the request before: HTTP status and body."""

    status: int
    body: str


async def begin(tx: Tx, principal: Principal, key: str, request: str) -> Kept | None:
    """Claim a key for a request (its canonical text); return the answer kept under it, None when it is new.

    A second request with the key waits until the first one's transaction ends. Only committed answers are kept: what
    was refused is tried again. Raises IdempotencyMismatch when the key was used for another request.
    """
    token_id, request_hash = UUID(principal.token_id), hashlib.sha256(request.encode()).digest()
    row = IdempotencyRow(
        token_id=token_id, key=key, request_hash=request_hash, status=PENDING, body="", created_at=tx.now
    )
    if await driver_queries.take_key(tx.session, row):
        return None
    kept = await driver_queries.kept_answer(tx.session, token_id, key)
    if kept is None or not hmac.compare_digest(kept.request_hash, request_hash):
        raise IdempotencyMismatch("the key was used for another request", field="Idempotency-Key")
    return Kept(kept.status, kept.body)


async def finish(tx: Tx, principal: Principal, key: str, answer: Kept) -> None:
    """Keep the answer under the key that `begin` claimed, in the same transaction."""
    row = await driver_queries.kept_answer(tx.session, UUID(principal.token_id), key)
    if row is None:
        raise RuntimeError("finish() without begin()")
    row.status, row.body = answer.status, answer.body
    await tx.session.flush()
