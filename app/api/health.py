"""Liveness and readiness: the only routes without authentication."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Response

from app.api.deps import Context
from app.api.models import Out
from app.domain.errors import DatabaseUnavailable
from app.operations import health

router = APIRouter(prefix="/health", tags=["health"])

DATABASE_TIMEOUT_S = 2.0
NOT_READY = 503


class LiveOut(Out):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadyOut(Out):
    """Whether work can be given to this process; `problems` says why not."""

    status: Literal["ok", "failing"]
    problems: tuple[str, ...]


@router.get("/live", operation_id="get_liveness", summary="Is the process alive?")
async def live() -> LiveOut:
    """Answer as long as the process can."""
    return LiveOut()


@router.get(
    "/ready",
    responses={NOT_READY: {"model": ReadyOut, "description": "Something fails"}},
    operation_id="get_readiness",
    summary="Can work be given to this process?",
)
async def ready(context: Context, response: Response) -> ReadyOut:
    """Ask the database, and list what fails."""
    problems = [*await _database_problems(context), *context.readiness()]
    if problems:
        response.status_code = NOT_READY
    return ReadyOut(status="failing" if problems else "ok", problems=tuple(problems))


async def _database_problems(context: Context) -> list[str]:
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_S), context.transactions() as tx:
            await health.check_database(tx)
    except (TimeoutError, DatabaseUnavailable):
        return ["database: does not answer"]
    return []
